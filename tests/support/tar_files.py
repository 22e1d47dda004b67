"""Tar archives for tests, written by Python's tarfile or by hand, block by block."""

from __future__ import annotations

import io
import itertools
import random
import tarfile
import threading
from pathlib import Path

from rico_hdl.sources.tar.archive import TarArchive

FORMATS = {"gnu": tarfile.GNU_FORMAT, "pax": tarfile.PAX_FORMAT, "ustar": tarfile.USTAR_FORMAT}
BLOCK = 512
LONG = "/".join(["a folder with a long name"] * 12) + "/file.tif"
"""A path that is too long for a single header."""


def tar_of(contents: dict[str, bytes], form: str = "gnu", **fields) -> bytes:
    """A tar written by Python's tarfile."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=FORMATS[form]) as tar:
        for name, data in contents.items():
            info = tarfile.TarInfo(name)
            info.size, info.mtime = len(data), 1_700_000_000
            for field, value in fields.items():
                setattr(info, field, value)
            tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def some_contents(n: int = 12, seed: int = 0) -> dict[str, bytes]:
    """Contents of files by path, with sizes around those of blocks."""
    rng = random.Random(seed)
    sizes = itertools.cycle([0, 1, 511, 512, 513, 1024, 3000])
    return {f"d/{i % 3}/file_{i}.tif": rng.randbytes(next(sizes)) for i in range(n)}


def saved(folder: Path, data: bytes, *stops: int) -> list[Path]:
    """Files that together hold these bytes, cut at some offsets."""
    bounds = [0, *stops, len(data)]
    paths = []
    for i, (start, stop) in enumerate(itertools.pairwise(bounds)):
        paths.append(folder / f"x.tar.{i}")
        paths[-1].write_bytes(data[start:stop])
    return paths


def read(files: list[Path]) -> dict[str, bytes | str]:
    """The content of all members by path, in order, or the problem of a member."""
    members = [(m.path, m.problem or m.read()) for m in TarArchive(files).members()]
    assert len(dict(members)) == len(members)
    return dict(members)


def our_threads() -> list[str]:
    """The running threads of decompression."""
    return [t.name for t in threading.enumerate() if t.name.startswith("rico-hdl-decompression")]


def with_checksum(block: bytes | bytearray) -> bytes:
    """A header with the right checksum."""
    changed = bytearray(block)
    changed[148:156] = b" " * 8
    changed[148:156] = b"%06o\0 " % sum(changed)
    return bytes(changed)


def header(name: bytes, kind: bytes, size: int, magic: bytes = b"ustar\00000") -> bytes:
    """A header made by hand."""
    block = bytearray(BLOCK)
    block[: len(name)] = name
    block[100:108] = block[108:116] = block[116:124] = b"0000644\0"
    # GNU's base 256: after the first bit, which is set, the number or its two's complement.
    number = 256**12 + size if size < 0 else 1 << 95 | size
    block[124:136] = b"%011o\0" % size if 0 <= size < 8**11 else number.to_bytes(12, "big")
    block[136:148] = b"00000000000\0"
    block[156:157] = kind
    block[257:265] = magic
    return with_checksum(block)


def padded(data: bytes) -> bytes:
    """Content padded to whole blocks."""
    return data + bytes(-len(data) % BLOCK)


def records(**values: object) -> bytes:
    """An extended header's records (POSIX pax, "pax Extended Header")."""
    lines = b""
    for key, value in values.items():
        text = value if isinstance(value, bytes) else str(value).encode()
        line = b" %s=%s\n" % (key.replace("__", ".").encode(), text)
        n_bytes = len(line) + 1
        while len(str(n_bytes)) + len(line) != n_bytes:
            n_bytes += 1
        lines += b"%d%s" % (n_bytes, line)
    return lines


def extended(kind: bytes = b"x", **values: object) -> bytes:
    """An extended header before another one, or a global one."""
    data = records(**values)
    return header(b"PaxHeaders/x", kind, len(data)) + padded(data)


def file(name: bytes, data: bytes, kind: bytes = b"0") -> bytes:
    """A member made by hand."""
    return header(name, kind, len(data)) + padded(data)


END = bytes(2 * BLOCK)
