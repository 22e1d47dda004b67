"""Iterating over the headers of a tar archive, up to the end of its files.

In: the content of an archive. Out: one header per member, including its extensions, and a count of
the bytes that are neither members nor padding. Memory is bounded.

Blocks of zeros end an archive, but members may follow them: archives may be concatenated, and
damaged ones have zeros anywhere. So everything is read, as with ``tar --ignore-zeros``. Like GNU
tar, `Headers` skips blocks that are not headers one by one until it finds a header, and counts the
skipped bytes.
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
"""Largest size of one member's headers, including long names and extended attributes. They take a
few hundred bytes, except in damaged archives and in bombs."""

MAX_PADDING_BYTES: Final = 2**20
"""Largest padding of zeros at the end of an archive. By default, tar pads archives to whole records
of 10 KiB; interrupted downloads that preallocated their space leave more zeros."""

_END_BYTES: Final = 2 * BLOCK_BYTES
"""The end of an archive: two blocks of zeros (POSIX.1-2017, pax, "ustar Interchange Format")."""
_CHECKSUM: Final = re.compile(rb"(?=[ \0]*[0-7])[0-7 \0]{8}")
"""Matches the bytes at `_CHECKSUM_AT` of any header: octal digits and their padding."""
_CHECKSUM_AT: Final = 148


class _TooLargeError(tarfile.HeaderError):
    """A header that is longer than any real one: a bomb."""


class Headers:
    """The headers of an archive, one after another.

    Args:
        content: The archive's content.
    """

    def __init__(self, content: Stream) -> None:
        self._content = content
        self._held = b""  # a block that was read ahead
        self._globals: dict[bytes, bytes] = {}
        self._current: str | None = None  # the name of the last header
        self._last: str | None = None  # the name of the last complete member
        self._is_ended = False  # whether blocks of zeros follow the last member
        self._extension_is_lost = False  # before the next header
        self._n_lost = 0
        self.damage = ""
        """The first place where data is neither padding nor a member; empty if none."""
        self.is_certain = True
        """Whether all members are in their place, as far as tar can tell. They may not be if there
        is foreign data among them, other than data appended to a whole archive."""
        self.name_is_certain = True
        """Whether the last header's name is certain: False if the header before it, which may hold
        the name, was lost."""

    def next(self) -> TarHeader | None:
        """Read the next header. The content is then positioned after it.

        Returns:
            The header, or None at the end of the files.

        Raises:
            ArchiveError: The files end in the middle of the archive.
        """
        self._last = self._current
        while True:
            start = self._tell()
            block = self._read_block()
            if len(block) < BLOCK_BYTES and self._is_ended:
                if block.strip(b"\0"):
                    self._lose(start, len(block), "")
                return None
            try:
                header = self._from(block, start + MAX_HEADER_BYTES)
            except _TooLargeError as error:  # not a flipped bit: the checksum is right
                raise ArchiveError(f"the header at byte {start} is damaged: {error}") from error
            except tarfile.HeaderError as error:
                self._skip_to_header()
                self._lose(start, self._tell() - start, str(error))
                continue
            if header is not None:
                return self._found(header)
            self._skip_zeros(start)

    def _found(self, header: TarHeader) -> TarHeader:
        self._current = header.name
        self._is_ended = False
        self.is_certain = self.is_certain and not self.damage
        self.name_is_certain, self._extension_is_lost = not self._extension_is_lost, False
        return header

    def _from(self, block: bytes, limit: int) -> TarHeader | None:
        """The header that starts with a block; None for a block of zeros."""
        name, records = b"", self._globals
        while True:
            header = self._parsed(block)
            if header is None or header.kind not in EXTENSIONS:
                break
            # Until the extension is read, the next header may have another name.
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
                raise tarfile.HeaderError("the archive ends after an extended header")
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
        """Skip the blocks of zeros after the one just read."""
        self._content.skip_zeros(BLOCK_BYTES)
        n_bytes = self._tell() - start
        self._is_ended, self._extension_is_lost = True, False
        if n_bytes >= _END_BYTES:
            self._globals = {}
        if n_bytes > _END_BYTES + MAX_PADDING_BYTES:
            self.is_certain = False
            self._note(
                f"{n_bytes:,} zeros start at byte {start}, more than tar's padding: "
                "an interrupted download may have left them"
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
            self._note(f"the data after its end, at byte {start}, is neither padding nor a member")
        else:
            self.is_certain = False
            self._note(f"the header at byte {start} is damaged: {reason}")

    def _note(self, reason: str) -> None:
        """Keep the first reason."""
        self.damage = self.damage or f"{reason}; {self.last}"

    @property
    def n_lost(self) -> int:
        """Number of bytes that are neither padding nor a member."""
        return self._n_lost

    @property
    def last(self) -> str:
        """The last member before this place, in words."""
        if self._last is None:
            return "no member before that is complete"
        return f"the last member before that is {self._last!r}"

    def _tell(self) -> int:
        return self._content.tell() - len(self._held)

    def _read_block(self) -> bytes:
        """Read the next block; shorter at the end of the files."""
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
            "that marks the end of an archive"
        )

    def _extension(self, n_bytes: int, limit: int) -> bytes:
        """Read the content of a header that extends another."""
        self._check_size(n_bytes, limit)
        data = self._content.read(n_bytes + -n_bytes % BLOCK_BYTES)
        if len(data) < n_bytes:
            self._refuse_end()
        return data[:n_bytes]

    def _skip_map(self, block: bytes, limit: int) -> None:
        """Skip the blocks that continue a sparse file's map of parts and holes."""
        is_continued = block[482]
        while is_continued:
            self._check_size(BLOCK_BYTES, limit)
            is_continued = self._whole_block()[504]

    def _check_size(self, n_bytes: int, limit: int) -> None:
        if self._content.tell() + n_bytes > limit:
            raise _TooLargeError(f"it is longer than {MAX_HEADER_BYTES} bytes")


def _may_extend(block: bytes) -> bool:
    """Whether a damaged block may be a header that extends the next one, with one wrong byte."""
    kind, magic = block[156:157], block[257:262]
    n_right = sum(a == b for a, b in zip(magic, b"ustar", strict=True))
    if kind in EXTENSIONS:
        return n_right >= len(magic) - 1
    return n_right == len(magic) and kind not in FILES | EMPTY | {LABEL}
