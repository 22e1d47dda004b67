"""Decoding ``.npy`` files.

Format: numpy's ``numpy.lib.format``, versions 1.0 and 2.0 (3.0 differs only for the names of
structured dtypes, which can't be stored): a magic text, the length of a header, the header as the
text of a Python dictionary, and the elements. The header is parsed as a literal, never run.
"""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from rico_hdl.decoding.arrays.layout import arrays_of, bands_in, n_bytes_of
from rico_hdl.decoding.foreign import found
from rico_hdl.decoding.raster import Raster
from rico_hdl.errors import DecodingError
from rico_hdl.spec.model import Modality

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from rico_hdl.system.memory import Allowance

NPY_START: Final = b"\x93NUMPY"
"""The first bytes of every file."""
MAX_HEAD_BYTES: Final = 2**16
"""Longest beginning of a file that is read for its header, which has about 128 bytes."""

_LENGTHS: Final = {1: 2, 2: 4}
"""Bytes of the header's length, by major version."""
_LONG: Final = re.compile(r"(\d)L\b")
"""Integers as Python 2 wrote them."""


class NpyHeader(NamedTuple):
    """The header of a file."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    is_fortran: bool
    """Whether the first axis varies fastest."""
    start: int
    """Zero-based offset of the first element."""


class NpyDecoder:
    """Decodes ``.npy`` files; may be shared by threads.

    Args:
        modality: The modality whose files they are.
    """

    def __init__(self, modality: Modality) -> None:
        self._arrays = arrays_of(modality)

    def decode(self, data: bytes, allowance: Allowance | None = None) -> tuple[Raster, ...]:
        """Return the bands of a file, in file order.

        Args:
            data: The whole file.
            allowance: The memory that decoding may take, beyond the file; any if None.

        Raises:
            MemoryLimitError: Decoding would take more memory.
            DecodingError: The file is damaged, or its array can't be stored.
        """
        header = parse_header(data[:MAX_HEAD_BYTES])
        n_bytes = n_bytes_of(header.dtype, header.shape, self._arrays)
        if len(data) != header.start + n_bytes:
            raise DecodingError(
                f"the npy file has {len(data)} bytes, expected {header.start + n_bytes}: it is "
                f"{'cut short' if len(data) < header.start + n_bytes else 'damaged'}"
            )
        if allowance is not None:
            allowance.need(n_bytes)  # in the order of bands, rows, columns
        return bands_in(array_in(data, header), self._arrays)


def parse_header(head: bytes) -> NpyHeader:
    """The header of a file.

    Args:
        head: At most the first `MAX_HEAD_BYTES` bytes.

    Raises:
        DecodingError: It is no such file, or its header is damaged or of an unknown version.
    """
    import numpy as np  # noqa: PLC0415 - takes a tenth of a second; other formats don't need it

    if not head.startswith(NPY_START):
        raise DecodingError(f"not an npy file: {found(head)}, expected {NPY_START.hex(' ')}")
    at = len(NPY_START) + 2
    major, minor = (*head[at - 2 : at], 0, 0)[:2]
    n_length = _LENGTHS.get(major)
    if n_length is None or minor:
        raise DecodingError(f"the npy file has version {major}.{minor}, expected 1.0 or 2.0")
    start = at + n_length + int.from_bytes(head[at : at + n_length], "little")
    if start > len(head):
        raise _damaged(f"expected a header of {start} bytes in at most {MAX_HEAD_BYTES}")
    text = _LONG.sub(r"\1", head[at + n_length : start].decode("latin-1"))
    try:
        entries = ast.literal_eval(text)
        dtype = np.dtype(entries["descr"])
        shape, is_fortran = entries["shape"], entries["fortran_order"]
    except (ValueError, SyntaxError, TypeError, LookupError, MemoryError, RecursionError) as error:
        raise _damaged(f"its header is {_brief(text)}") from error
    if (
        len(entries) != 3
        or not isinstance(is_fortran, bool)
        or not isinstance(shape, tuple)
        or not all(type(side) is int and 0 <= side < 2**63 for side in shape)
    ):
        raise _damaged(f"its header is {_brief(text)}")
    return NpyHeader(dtype, shape, is_fortran, start)


def array_in(data: bytes, header: NpyHeader) -> npt.NDArray[Any]:
    """The array in the bytes of a whole file, without a copy."""
    import numpy as np  # noqa: PLC0415 - see `parse_header`

    flat = np.frombuffer(data, header.dtype, offset=header.start)
    return flat.reshape(header.shape, order="F" if header.is_fortran else "C")


def _damaged(what: str) -> DecodingError:
    return DecodingError(f"the npy file is damaged or cut short: {what}")


def _brief(text: str) -> str:
    return ascii(text.strip()[:100])
