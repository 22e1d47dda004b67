"""Zip archives for tests, written by `zipfile`, by the `zip` command, or byte by byte.

Archives that are written byte by byte may be sets of volumes, exceed 4 GiB without taking disk
space, or make false statements about themselves.
"""

import io
import random
import shutil
import struct
import zipfile
import zlib
from bz2 import compress as bzip2
from dataclasses import dataclass
from pathlib import Path

ZIP = shutil.which("zip")
"""The command of Info-ZIP, if it is installed."""


def zip_of(contents, method=zipfile.ZIP_DEFLATED):
    """An archive that `zipfile` makes from contents by path."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for path, content in contents.items():
            archive.writestr(path, content)
    return file.getvalue()


def some_contents(n=12):
    """Contents of files by path: some compress well, some not at all, one is empty."""
    rng = random.Random(0)
    contents = {"d/empty.tif": b""}
    for i in range(n):
        noise = rng.randbytes(rng.randrange(1, 3000))
        contents[f"d/{rng.randrange(9)}/file_{i}.tif"] = noise + bytes(rng.randrange(3000))
    return contents


def cut(data, path, n_bytes):
    """Cut a file into parts with the names that 7-Zip gives them; returns their paths, in order."""
    paths = []
    for i, start in enumerate(range(0, len(data), n_bytes), 1):
        paths.append(Path(f"{path}.{i:03}"))
        paths[-1].write_bytes(data[start : start + n_bytes])
    return paths


@dataclass
class Piece:
    """A member and the archive's statements about it, which are true unless others are given."""

    name: bytes
    content: bytes = b""
    method: int = 8
    flags: int = 0
    system: int = 3
    mode: int = 0o100644
    gap: int = 0
    """Bytes before the member that belong to nothing."""
    local_extra: bytes = b""
    local_name: bytes | None = None
    data: bytes | None = None
    n_bytes: int | None = None
    n_compressed: int | None = None
    crc: int | None = None
    at: int | None = None
    """The offset that the directory states."""
    hole: int = 0
    """Bytes of data that take no disk space and don't match the checksum."""
    tail: bytes = b""
    """Bytes after the data."""
    local_flags: int | None = None
    local_method: int | None = None
    local_numbers: tuple | None = None
    """CRC-32, compressed size and size, as stated in the header; None for the right ones."""
    is_listed: bool = True
    """Whether there is an entry in the directory."""
    is_written: bool = True
    """Whether there are a header and data in addition to the entry in the directory."""

    def __post_init__(self):
        if self.data is None:
            self.data = compressed(self.content, self.method)
        if self.local_name is None:
            self.local_name = self.name
        if self.n_bytes is None:
            self.n_bytes = len(self.content) + self.hole
        if self.n_compressed is None:
            self.n_compressed = len(self.data) + self.hole
        if self.crc is None:
            self.crc = zlib.crc32(self.content)

    def header(self, *, zip64):
        """The bytes before the data."""
        extra, numbers = self.local_extra, [self.crc, self.n_compressed, self.n_bytes]
        for i, number in enumerate(self.local_numbers or ()):
            numbers[i] = numbers[i] if number is None else number
        if zip64:
            extra = struct.pack("<2H2Q", 1, 16, numbers[2], numbers[1]) + extra
            numbers[1:] = (0xFFFFFFFF, 0xFFFFFFFF)
        flags = self.flags if self.local_flags is None else self.local_flags
        method = self.method if self.local_method is None else self.local_method
        numbers = (20, flags, method, 0, 33, *numbers)
        lengths = (len(self.local_name), len(extra))
        head = struct.pack("<4s5H3I2H", b"PK\3\4", *numbers, *lengths)
        return head + self.local_name + extra

    def entry(self, volume, offset, *, zip64):
        """The entry in the directory."""
        numbers, extra = (self.n_compressed, self.n_bytes), b""
        if zip64:
            extra = struct.pack("<2H3QI", 1, 28, self.n_bytes, self.n_compressed, offset, volume)
            numbers, volume, offset = (0xFFFFFFFF, 0xFFFFFFFF), 0xFFFF, 0xFFFFFFFF
        head = struct.pack(
            "<4s2B5H3I5H2I",
            b"PK\1\2",
            *(30, self.system, 20, self.flags, self.method, 0, 33, self.crc, *numbers),
            *(len(self.name), len(extra), 0, volume, 0, self.mode << 16, offset),
        )
        return head + self.name + extra


def pieces_of(contents):
    """The members of intact archives, from contents by path."""
    return [Piece(path.encode(), content) for path, content in contents.items()]


def compressed(content, method):
    """The compressed content: method 8 is deflate, 12 is bzip2; others leave it as it is."""
    if method == 8:
        stream = zlib.compressobj(6, zlib.DEFLATED, -15)
        return stream.compress(content) + stream.flush()
    return bzip2(content) if method == 12 else content


class _Volumes:
    """Volumes that are written one after the other; gaps take no disk space."""

    def __init__(self, path, n_bytes):
        self.path = path
        self.n_bytes = n_bytes or 1 << 62
        self.starts = [0]
        self.size = 0

    def room(self):
        """The number of bytes that still fit into the volume."""
        return self.n_bytes - (self.size - self.starts[-1])

    def place_of(self, n_bytes):
        """The volume, and the offset in it, with contiguous space for this many bytes."""
        if n_bytes > self.room():
            self.starts.append(self.size)
        return len(self.starts) - 1, self.size - self.starts[-1]

    def skip(self, n_bytes):
        """Leave a gap."""
        while n_bytes:
            self.place_of(1)
            step = min(n_bytes, self.room())
            self.size += step
            n_bytes -= step

    def write(self, data):
        """Write bytes that may be spread over volumes."""
        while data:
            volume, offset = self.place_of(1)
            part = data[: self.room()]
            with Path(f"{self.path}.{volume}").open("ab") as file:
                file.truncate(offset)
                file.write(part)
            self.size += len(part)
            data = data[len(part) :]

    def finish(self):
        """Give all volumes their final names and sizes."""
        paths = [self.path.with_suffix(f".z{i:02}") for i in range(1, len(self.starts))]
        paths.append(self.path)
        stops = [*self.starts[1:], self.size]
        for i, (start, stop) in enumerate(zip(self.starts, stops, strict=True)):
            part = Path(f"{self.path}.{i}")
            with part.open("ab") as file:
                file.truncate(stop - start)
            part.replace(paths[i])
        return paths


def write(path, pieces, *, volume_bytes=None, zip64=False, prefix=b"", comment=b""):
    """Write an archive with its members in the given order.

    Args:
        path: The archive; for volumes, the last one.
        pieces: Its members.
        volume_bytes: Bytes of a volume; None for a single file.
        zip64: Whether all numbers are stored in the fields for large ones.
        prefix: Bytes before the first member that offsets don't count. Not for volumes.
        comment: The archive's comment.

    Returns:
        The paths of the files, in order.
    """
    volumes = _Volumes(path, volume_bytes)
    volumes.write(b"PK\7\x08" if volume_bytes else prefix)
    entries = []
    for piece in pieces:
        volumes.skip(piece.gap)
        header = piece.header(zip64=zip64)
        volume, offset = volumes.place_of(len(header))
        place = (volume, offset - len(prefix)) if piece.at is None else (0, piece.at)
        if piece.is_listed:
            entries.append(piece.entry(*place, zip64=zip64))
        if piece.is_written:
            volumes.write(header)
            volumes.write(piece.data)
            volumes.skip(piece.hole)
            volumes.write(piece.tail)
    places = []
    for entry in entries:
        places.append(volumes.place_of(len(entry)))
        volumes.write(entry)
    n_ends = 22 + len(comment) + (76 if zip64 else 0)
    last, at = volumes.place_of(n_ends)
    first, offset = places[0] if places else (last, at)
    # The number of entries on the last volume, and in total.
    counts = (sum(volume == last for volume, _ in places), len(places))
    size, offset = sum(map(len, entries)), offset - len(prefix)
    if zip64:
        numbers = (44, 45, 45, last, first, *counts, size, offset)
        volumes.write(struct.pack("<4sQ2H2I4Q", b"PK\6\6", *numbers))
        volumes.write(struct.pack("<4sIQI", b"PK\6\7", last, at - len(prefix), last + 1))
        counts, size, offset = (0xFFFF, 0xFFFF), 0xFFFFFFFF, 0xFFFFFFFF
    end = struct.pack("<4s4H2IH", b"PK\5\6", last, first, *counts, size, offset, len(comment))
    volumes.write(end + comment)
    return volumes.finish()
