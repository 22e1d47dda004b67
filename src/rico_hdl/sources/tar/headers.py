"""The headers of a tar archive, one after another, up to the end of its files.

In: the content of an archive. Out: a header for each member, with all that extends it, and a count
of the bytes that are neither members nor padding. No more than a bound is read into memory.

Blocks of zeros end an archive, but members may follow them: archives are appended to each other,
and damaged ones have zeros anywhere. So everything is read, as by ``tar --ignore-zeros``. Blocks
that are not headers are skipped one by one until there is one, as GNU tar does, and are counted.
"""

from __future__ import annotations

import re
import tarfile
from typing import Final

from rico_hdl.errors import ArchiveError
from rico_hdl.sources.content import Stream
from rico_hdl.sources.tar.header import (
    BLOCK_BYTES,
    EMPTY,
    EXTENSIONS,
    FILES,
    GLOBAL,
    LABEL,
    LONG_LINK,
    LONG_NAME,
    SPARSE,
    TarHeader,
    amended,
    parse,
    parse_records,
    text_of,
)

MAX_HEADER_BYTES: Final = 2**20
"""What the headers of one member may take, long names and extended attributes included: some
hundred bytes, except in damaged archives and in bombs."""

MAX_PADDING_BYTES: Final = 2**20
"""So many zeros may follow a member: tar pads archives to whole records of 10 KiB, unless it is
told otherwise. Downloads that reserved their space and broke off leave more."""

_END_BYTES: Final = 2 * BLOCK_BYTES
"""What ends an archive: two blocks of zeros (POSIX.1-2017, pax, "ustar Interchange Format")."""
_CHECKSUM: Final = re.compile(rb"(?=[ \0]*[0-7])[0-7 \0]{8}")
"""What any header has at `_CHECKSUM_AT`: octal digits, and what pads them."""
_CHECKSUM_AT: Final = 148


class _TooLargeError(tarfile.HeaderError):
    """A header that goes on for longer than any does: a bomb."""


class Headers:
    """The headers of an archive, one after another.

    Args:
        content: What the archive holds.
    """

    def __init__(self, content: Stream) -> None:
        self._content = content
        self._held = b""  # a block that was read ahead
        self._globals: dict[bytes, bytes] = {}
        self._given: str | None = None  # the name of the last header
        self._last: str | None = None  # that of the last member that is there whole
        self._is_ended = False  # whether blocks of zeros follow the last member
        self._extension_is_lost = False  # in front of the next header
        self._n_lost = 0
        self.damage = ""
        """The first place with something that is neither padding nor a member; empty if there is
        none."""
        self.is_certain = True
        """Whether members are where they should be, as far as tar can tell. They are not if there
        is something between them that was not just appended to a whole archive."""
        self.name_is_certain = True
        """Whether no header before the last one was lost that may hold its name."""

    def next(self) -> TarHeader | None:
        """The next header. Then the content is at what follows it.

        Returns:
            None at the end of the files.

        Raises:
            ArchiveError: They end where an archive doesn't.
        """
        self._last = self._given
        while True:
            start = self._tell()
            block = self._read_block()
            if len(block) < BLOCK_BYTES and self._is_ended:
                if block.strip(b"\0"):
                    self._lose(start, len(block), "")
                return None
            try:
                header = self._from(block, start + MAX_HEADER_BYTES)
            except _TooLargeError as error:  # not from a wrong bit: the checksum is right
                raise ArchiveError(f"the header at byte {start} is damaged: {error}") from error
            except tarfile.HeaderError as error:
                self._skip_to_header()
                self._lose(start, self._tell() - start, str(error))
                continue
            if header is not None:
                return self._found(header)
            self._skip_zeros(start)

    def _found(self, header: TarHeader) -> TarHeader:
        self._given = header.name
        self._is_ended = False
        self.is_certain = self.is_certain and not self.damage
        self.name_is_certain, self._extension_is_lost = not self._extension_is_lost, False
        return header

    def _from(self, block: bytes, limit: int) -> TarHeader | None:
        """The header that begins with a block; None if that block is one of zeros."""
        name, records = b"", self._globals
        while True:
            header = self._parsed(block)
            if header is None or header.kind not in EXTENSIONS:
                break
            # Until the extension is read, the header that follows may have another name.
            self._extension_is_lost = True
            data = self._extension(header.n_bytes, limit)
            if header.kind == LONG_NAME:
                name = data.partition(b"\0")[0]
            elif header.kind == GLOBAL:
                self._globals = self._globals | parse_records(data)
                records = records | self._globals
            elif header.kind != LONG_LINK:
                records = records | parse_records(data)
            self._extension_is_lost = False
            block = self._whole_block()
        if header is None:
            if name or records is not self._globals:
                self._held = block
                raise tarfile.HeaderError("the archive ends where it should go on")
            return None
        if header.kind == SPARSE:
            self._skip_map(block, limit)
        if name:
            header = TarHeader(text_of(name), header.kind, header.n_bytes)
        return amended(header, records) if records else header

    def _parsed(self, block: bytes) -> TarHeader | None:
        if len(block) < BLOCK_BYTES:
            self._refuse_end()
        try:
            return parse(block)
        except tarfile.HeaderError:
            self._extension_is_lost = self._extension_is_lost or _may_extend(block)
            raise

    def _skip_zeros(self, start: int) -> None:
        """Skip the blocks of zeros of which the first was read."""
        self._content.skip_zeros(BLOCK_BYTES)
        n_bytes = self._tell() - start
        self._is_ended, self._extension_is_lost = True, False
        if n_bytes >= _END_BYTES:
            self._globals = {}
        if n_bytes > _END_BYTES + MAX_PADDING_BYTES:
            self.is_certain = False
            self._note(
                f"{n_bytes:,} zeros follow from byte {start} on, more than tar pads an archive "
                "with: a download that broke off may have left them behind"
            )

    def _skip_to_header(self) -> None:
        """Skip blocks that can't be headers."""
        while True:
            block = self._read_block()
            if (
                len(block) < BLOCK_BYTES
                or _CHECKSUM.fullmatch(block, _CHECKSUM_AT, _CHECKSUM_AT + 8)
                or block.count(0) == BLOCK_BYTES
            ):
                self._held = block
                return

    def _lose(self, start: int, n_bytes: int, reason: str) -> None:
        """Note bytes that are neither padding nor a member."""
        self._n_lost += n_bytes
        if self._is_ended:
            self._note(f"what follows its end, at byte {start}, is neither padding nor a member")
        else:
            self.is_certain = False
            self._note(f"the header at byte {start} is damaged: {reason}")

    def _note(self, reason: str) -> None:
        """Keep the first reason."""
        self.damage = self.damage or f"{reason}; {self.last}"

    @property
    def n_lost(self) -> int:
        """How many bytes are neither padding nor a member."""
        return self._n_lost

    @property
    def last(self) -> str:
        """Which member comes before this place, in words."""
        if self._last is None:
            return "no member is whole"
        return f"the last member before that is {self._last!r}"

    def _tell(self) -> int:
        return self._content.tell() - len(self._held)

    def _read_block(self) -> bytes:
        """The next block; less where the files end."""
        block, self._held = self._held, b""
        return block or self._content.read(BLOCK_BYTES)

    def _whole_block(self) -> bytes:
        block = self._read_block()
        if len(block) < BLOCK_BYTES:
            self._refuse_end()
        return block

    def _refuse_end(self) -> None:
        raise ArchiveError(
            f"is cut short: it ends at byte {self._content.tell()}, without the block of zeros "
            "that ends an archive"
        )

    def _extension(self, n_bytes: int, limit: int) -> bytes:
        """What a header holds that extends another."""
        self._check_size(n_bytes, limit)
        data = self._content.read(n_bytes + -n_bytes % BLOCK_BYTES)
        if len(data) < n_bytes:
            self._refuse_end()
        return data[:n_bytes]

    def _skip_map(self, block: bytes, limit: int) -> None:
        """Skip the blocks that go on with where a file's parts lie between its holes."""
        goes_on = block[482]
        while goes_on:
            self._check_size(BLOCK_BYTES, limit)
            goes_on = self._whole_block()[504]

    def _check_size(self, n_bytes: int, limit: int) -> None:
        if self._content.tell() + n_bytes > limit:
            raise _TooLargeError(f"it takes more than {MAX_HEADER_BYTES} bytes")


def _may_extend(block: bytes) -> bool:
    """Whether a damaged block may be a header that extends the next, but for one byte."""
    kind, magic = block[156:157], block[257:262]
    n_right = sum(a == b for a, b in zip(magic, b"ustar", strict=True))
    if kind in EXTENSIONS:
        return n_right >= len(magic) - 1
    return n_right == len(magic) and kind not in FILES | EMPTY | {LABEL}
