"""From the bytes of a ``.npy`` file to a raster.

In: a whole file as bytes, holding one band. Out: its `Raster`, a view of the file. A file whose
pixels do not lie there as in a raster is an error, never converted.

Format: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from rico_hdl.decoding.tiff import Raster
from rico_hdl.errors import ArchiveError

_MAGIC: Final = b"\x93NUMPY\1\0"
_START: Final = len(_MAGIC) + 2
_MAX_HEADER_BYTES: Final = 256  # numpy's have 128
# As numpy writes it: https://github.com/numpy/numpy/blob/main/numpy/lib/_format_impl.py
_HEADER: Final = re.compile(
    rb"\{'descr': '[<|](?P<kind>[biuf])(?P<n_bytes>[1248])', 'fortran_order': False, "
    rb"'shape': \((?P<rows>\d{1,9}), (?P<columns>\d{1,9})\), \} *\n"
)
_KINDS: Final = {b"b": "bool", b"i": "int", b"u": "uint", b"f": "float"}


class NpyDecoder:
    """Decodes files with one band each. May be shared by threads."""

    def decode(self, data: bytes) -> tuple[Raster, ...]:
        """The band of a file.

        Args:
            data: The whole file.

        Returns:
            One raster, a view of ``data``.

        Raises:
            ArchiveError: It is damaged, or holds something else than rows and columns of numbers,
                in C order and little-endian.
        """
        if not data.startswith(_MAGIC):
            raise ArchiveError(f"no .npy file of version 1: it begins with {data[:8].hex(' ')}")
        start = _START + int.from_bytes(data[len(_MAGIC) : _START], "little")
        dtype, shape, n_bytes = _parse(data[_START : min(start, _START + _MAX_HEADER_BYTES)])
        if len(data) != start + n_bytes:
            raise ArchiveError(
                f"the array has {len(data) - start} bytes, expected {n_bytes} for {dtype} {shape}"
            )
        return (Raster(dtype, shape, memoryview(data)[start:]),)


@lru_cache(maxsize=64)
def _parse(header: bytes) -> tuple[str, tuple[int, int], int]:
    """The dtype by its numpy name, (rows, columns) and the bytes of the pixels."""
    match = _HEADER.fullmatch(header)
    if match is None:
        raise ArchiveError(
            "expected rows and columns of numbers, little-endian and in C order, but the .npy "
            f"file's header is {header.strip()!a}"
        )
    n_bytes = int(match["n_bytes"])
    kind = _KINDS[match["kind"]]
    shape = int(match["rows"]), int(match["columns"])
    return kind if kind == "bool" else f"{kind}{8 * n_bytes}", shape, shape[0] * shape[1] * n_bytes
