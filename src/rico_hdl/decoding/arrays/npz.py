"""Decoding ``.npz`` files: zip files of ``.npy`` files, as `numpy.savez` writes them."""

from __future__ import annotations

import zlib
from io import BytesIO
from struct import error as StructError  # noqa: N812 - its name is too general
from typing import TYPE_CHECKING, Final
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from rico_hdl.decoding.arrays.layout import array_paths, arrays_of, bands_in, n_bytes_of
from rico_hdl.decoding.arrays.npy import MAX_HEAD_BYTES, array_in, parse_header
from rico_hdl.decoding.foreign import found
from rico_hdl.decoding.raster import Raster
from rico_hdl.errors import DecodingError
from rico_hdl.spec.model import Modality

if TYPE_CHECKING:
    from rico_hdl.system.memory import Allowance

_ZIP_START: Final = b"PK"
_ENCRYPTED: Final = 1
"""The bit of a member's flags."""


class NpzDecoder:
    """Decodes ``.npz`` files; may be shared by threads.

    Args:
        modality: The modality whose files they are.
    """

    def __init__(self, modality: Modality) -> None:
        self._arrays = arrays_of(modality)
        self._names = array_paths(modality)

    def decode(self, data: bytes, allowance: Allowance | None = None) -> tuple[Raster, ...]:
        """Return the bands of a file, in the order of the spec.

        The checksums of the arrays are verified, those of other arrays in the file are not.

        Args:
            data: The whole file.
            allowance: The memory that decoding may take, beyond the file; any if None.

        Raises:
            MemoryLimitError: Decoding would take more memory.
            DecodingError: The file is damaged, or lacks the array, or the array can't be stored.
        """
        if not data.startswith(_ZIP_START):
            raise DecodingError(f"not an npz file: {found(data)}, expected {_ZIP_START.hex(' ')}")
        rasters: list[Raster] = []
        n_held = 0
        try:
            with ZipFile(BytesIO(data)) as file:
                for name in self._names:
                    bands = self._bands(file, name, allowance, n_held)
                    n_held += sum(len(raster.data) for raster in bands)
                    rasters += bands
        except NPZ_DAMAGE as error:
            raise DecodingError(f"the npz file is damaged or cut short: {error}") from error
        return tuple(rasters)

    def _bands(
        self, file: ZipFile, name: str, allowance: Allowance | None, n_held: int
    ) -> tuple[Raster, ...]:
        """The bands of an array, while other bands hold some bytes."""
        member = npz_member(file, name)
        with file.open(member) as stream:
            head = stream.read(MAX_HEAD_BYTES)
        try:
            header = parse_header(head)
            n_bytes = n_bytes_of(header.dtype, header.shape, self._arrays)
        except DecodingError as error:
            raise DecodingError(f"array {name!r}: {error.message}") from error
        size = header.start + n_bytes
        if member.file_size != size:
            raise DecodingError(f"array {name!r} has {member.file_size} bytes, expected {size}")
        if allowance is not None:
            # The packed bytes, the unpacked ones, and those in the order of bands, rows, columns.
            allowance.need(n_held + member.compress_size + 2 * size)
        with file.open(member) as stream:
            data = stream.read(size)  # not more, whatever the data inflates to
        if len(data) != size:
            raise DecodingError(f"array {name!r} inflates to {len(data)} bytes, expected {size}")
        return bands_in(array_in(data, header), self._arrays)


NPZ_DAMAGE: Final = (
    BadZipFile,
    EOFError,
    NotImplementedError,
    OSError,
    RuntimeError,
    StructError,
    ValueError,
    zlib.error,
)
"""What `zipfile` raises for damaged files."""


def npz_member(file: ZipFile, name: str) -> ZipInfo:
    """The member with an array.

    Raises:
        DecodingError: There is none or several, or it can't be read.
    """
    members = [m for m in file.infolist() if m.filename in {name, f"{name}.npy"}]
    if len(members) != 1:
        names = [member.filename.removesuffix(".npy") for member in file.infolist()]
        raise DecodingError(
            f"the npz file has {len(members)} arrays named {name!r}, expected one; it has "
            f"{', '.join(map(ascii, names[:10])) or 'none'}"
        )
    if members[0].compress_type not in {ZIP_STORED, ZIP_DEFLATED}:
        raise DecodingError(
            f"array {name!r} is compressed with method {members[0].compress_type}, expected "
            f"{ZIP_STORED} or {ZIP_DEFLATED}"
        )
    if members[0].flag_bits & _ENCRYPTED:
        raise DecodingError(f"array {name!r} is encrypted")
    return members[0]
