"""Checking that every byte of a zip archive is accounted for, after its last member.

In: the directory, and the members that were read and agree with it. Out: the other headers that
contradict it, and the bytes that belong to no member. A single wrong bit in the directory can make
a member look like an unwanted one, so every header is compared. Members that are read are compared
in the same read; each of the others takes a separate read of about 9 µs.

Bytes outside of members are accounted for if they are a descriptor after a member's data, zeros for
alignment, Android's signing block, or data before the first member that is not a zip archive, such
as a self-extracting program.
"""

from __future__ import annotations

from typing import Final

from rico_hdl.errors import ArchiveError
from rico_hdl.sources.volumes import Volumes
from rico_hdl.sources.zip.directory import (
    BEGINNINGS,
    LOCAL,
    LOCAL_SIGNATURE,
    CentralDirectory,
    EndOfDirectory,
    ZipEntry,
    ends_here,
)
from rico_hdl.sources.zip.header import (
    MAX_DESCRIPTOR_BYTES,
    n_descriptor_bytes,
    name_of,
    parse_header,
)

_EXTRA_BYTES: Final = 64
"""Bytes of the extra field that are read with a header: large numbers come early, if at all."""
MAX_PADDING_BYTES: Final = 2**20
"""Largest padding of zeros after a member; tools that align members add a few thousand."""
_SIGNING_BLOCK: Final = b"APK Sig Block 42"
"""The end of the block that Android's tools insert before the directory. The block starts with its
size, in 8 bytes, and repeats it just before this:
https://source.android.com/docs/security/features/apksigning/v2"""


class Account:
    """Keeps track of which members of an archive agree with its directory.

    Args:
        volumes: The archive's files.
        directory: Its directory.
        end: The record at its end.
    """

    def __init__(self, volumes: Volumes, directory: CentralDirectory, end: EndOfDirectory) -> None:
        self._volumes = volumes
        self._directory = directory
        self._end = end
        self._is_settled = bytearray(len(directory))
        self._first = ""
        self._n = 0

    def settle(self, position: int) -> None:
        """Note that a member was read and that its header agrees with the directory.

        Args:
            position: Its zero-based position in the order of the directory's entries.
        """
        self._is_settled[position] = 1

    def check(self) -> str:
        """Find members and bytes that can't be accounted for.

        Returns:
            A description of them; empty if there are none.

        Raises:
            OSError: The archive can't be read.
        """
        self._first, self._n = "", 0
        position = self._is_settled.find(0)
        while position >= 0:
            self._check_member(self._directory.entry(position))
            position = self._is_settled.find(0, position + 1)
        self._check_front(self._directory.first_offset)
        self._check_blank(self._directory.stop, self._end.at)
        for start, stop in self._end.gaps:
            self._check_blank(start, stop)
        more = f", and {self._n - 1:,} more" if self._n > 1 else ""
        return self._first + more

    def _note(self, reason: str) -> None:
        self._first = self._first or reason
        self._n += 1

    def _check_member(self, entry: ZipEntry) -> None:
        """Compare a member's header with the directory, and check the bytes after its data."""
        name = name_of(entry.raw_name, entry.flags, entry.system)
        if entry.is_lost:
            self._note(f"{name!r}: {entry.problem}")
            return
        try:
            header = parse_header(
                self._volumes.pread(entry.offset, entry.n_header + _EXTRA_BYTES), entry
            )
        except ArchiveError as error:
            self._note(f"{name!r} {error.message}")
            return
        if header.difference:
            self._note(f"{name!r} is damaged: {header.difference}")
        stop = entry.offset + header.n_bytes + entry.n_compressed
        if stop > entry.limit:
            self._note(
                f"{name!r} is damaged: its data ends at byte {stop}, but the next structure starts "
                f"at byte {entry.limit}"
            )
        elif stop < entry.limit:
            rest = self._volumes.pread(stop, min(MAX_DESCRIPTOR_BYTES, entry.limit - stop))
            self._check_blank(stop + n_descriptor_bytes(rest, entry), entry.limit)

    def _check_front(self, stop: int) -> None:
        """Check that no other archive precedes the first member."""
        begin = self._volumes.pread(0, 8)
        start = 4 if begin.startswith(BEGINNINGS[1:]) else 0
        if stop > start and begin.startswith(LOCAL_SIGNATURE, start):
            self._note_bytes(start, stop)
        elif stop > start and ends_here(self._volumes, stop):
            self._note(f"another zip archive comes before this one and ends at byte {stop}")

    def _check_blank(self, start: int, stop: int) -> None:
        """Note bytes that are neither zeros nor a known structure."""
        if stop == self._directory.start and stop - start > 0:
            stop -= self._signing_block_bytes(stop - start)
        if start < stop:
            padding = self._volumes.pread(start, min(MAX_PADDING_BYTES + 1, stop - start))
            if len(padding) > MAX_PADDING_BYTES or padding.strip(b"\0"):
                self._note_bytes(start + len(padding) - len(padding.lstrip(b"\0")), stop)

    def _signing_block_bytes(self, n_at_most: int) -> int:
        """Bytes of Android's signing block before the directory; 0 if there is none."""
        stop = self._directory.start
        tail = self._volumes.pread(max(0, stop - 24), 24)
        n_bytes = int.from_bytes(tail[:8], "little") + 8
        if not tail.endswith(_SIGNING_BLOCK) or n_bytes > n_at_most:
            return 0
        return n_bytes if self._volumes.pread(stop - n_bytes, 8) == tail[:8] else 0

    def _note_bytes(self, start: int, stop: int) -> None:
        """Note bytes that belong to no member, or to one that the directory lacks."""
        header = self._volumes.pread(start, LOCAL.size + 0xFF)
        if header.startswith(LOCAL_SIGNATURE) and len(header) > LOCAL.size:
            *_, n_name, _ = LOCAL.unpack_from(header)
            name = name_of(header[LOCAL.size : LOCAL.size + n_name], 0, 3)
            self._note(f"the directory does not list the member at byte {start}, {name!r}")
        else:
            self._note(
                f"{stop - start:,} bytes from byte {start} on belong to no member in the directory"
            )
