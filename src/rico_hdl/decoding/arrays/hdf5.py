"""Decoding HDF5 files that each hold one patch.

h5py reads the pixels. It reads nothing else: no attributes, which may be pickled, and no data
outside the file, which links and virtual datasets may name.
"""

from __future__ import annotations

import math
from itertools import count
from typing import TYPE_CHECKING, Any, Final

from rico_hdl.decoding.arrays.hdf5_chunks import check_chunks
from rico_hdl.decoding.arrays.layout import array_paths, arrays_of, bands_in, n_bytes_of
from rico_hdl.decoding.foreign import found
from rico_hdl.decoding.raster import MAX_IMAGE_BYTES, Raster
from rico_hdl.errors import DecodingError
from rico_hdl.spec.model import Modality

if TYPE_CHECKING:
    from pathlib import Path

    from rico_hdl.system.memory import Allowance

HDF5_START: Final = b"\x89HDF\r\n\x1a\n"
"""The first bytes of every file without a user block."""

MAX_LISTED: Final = 1000
"""Datasets that a list of them has at most."""

_NUMBERS: Final = count()
"""For the names of files in memory."""


class Hdf5Decoder:
    """Decodes HDF5 files; may be shared by threads.

    Args:
        modality: The modality whose files they are.
    """

    def __init__(self, modality: Modality) -> None:
        self._arrays = arrays_of(modality)
        self._paths = array_paths(modality)

    def decode(self, data: bytes, allowance: Allowance | None = None) -> tuple[Raster, ...]:
        """Return the bands of a file, in the order of the spec.

        Args:
            data: The whole file.
            allowance: The memory that decoding may take, beyond the file; any if None.

        Raises:
            MemoryLimitError: Decoding would take more memory.
            DecodingError: The file is damaged, or lacks the dataset, or the dataset can't be
                stored.
        """
        import h5py  # noqa: PLC0415 - takes a fifth of a second; other formats don't need it

        if allowance is not None:
            allowance.need(2 * len(data))  # HDF5's own copy of the file
        rasters: list[Raster] = []
        n_held = 2 * len(data)
        try:
            with h5py.File(opened_in_memory(data)) as file:
                for path in self._paths:
                    bands = self._bands(file, path, allowance, n_held)
                    n_held += sum(len(raster.data) for raster in bands)
                    rasters += bands
        except (OSError, RuntimeError, ValueError, LookupError, TypeError, MemoryError) as error:
            if not data.startswith(HDF5_START):
                raise DecodingError(
                    f"not an HDF5 file: {found(data)}, expected {HDF5_START.hex(' ')}"
                ) from error
            raise DecodingError(
                f"the HDF5 file is damaged or can't be read: {' '.join(str(error).split())}"
            ) from error
        return tuple(rasters)

    def _bands(
        self,
        file: Any,  # noqa: ANN401 - h5py ships no types
        path: str,
        allowance: Allowance | None,
        n_held: int,
    ) -> tuple[Raster, ...]:
        """The bands of a dataset, while other bands hold some bytes."""
        dataset = dataset_at(file, path)
        try:
            n_bytes = n_bytes_of(dataset.dtype, dataset.shape or (), self._arrays)
            if dataset.is_virtual or dataset.external:
                raise DecodingError("its data is in other files")  # noqa: TRY301 - same prefix
            chunk_bytes = math.prod(dataset.chunks or ()) * dataset.dtype.itemsize
            if chunk_bytes > MAX_IMAGE_BYTES:
                raise DecodingError(  # noqa: TRY301 - same prefix
                    f"its chunks have {chunk_bytes} bytes, expected at most {MAX_IMAGE_BYTES}"
                )
            if allowance is not None:
                # The pixels, those in the order of bands, rows, columns, and a chunk.
                allowance.need(n_held + 2 * n_bytes + 2 * chunk_bytes)
            if dataset.chunks is not None:
                check_chunks(dataset.id, chunk_bytes)
        except DecodingError as error:
            raise DecodingError(f"dataset {path!r}: {error.message}") from error
        return bands_in(dataset[()], self._arrays)


def datasets_in(file: bytes | Path) -> list[tuple[str, tuple[int, ...], str]]:
    """The path, the shape and the numpy name of the dtype of each dataset of numbers in a file.

    Args:
        file: The bytes of the file, or its place on disk.

    Raises:
        DecodingError: It is damaged, or no HDF5 file.
    """
    import h5py  # noqa: PLC0415 - see `Hdf5Decoder.decode`

    found: list[tuple[str, tuple[int, ...], str]] = []

    def visit(path: str, item: Any) -> bool | None:  # noqa: ANN401 - h5py ships no types
        if isinstance(item, h5py.Dataset) and item.shape and item.dtype.kind in "biuf":
            found.append((path, item.shape, item.dtype.name))
        return True if len(found) >= MAX_LISTED else None

    try:
        source = opened_in_memory(file) if isinstance(file, bytes) else file
        with h5py.File(source, "r") as opened:
            opened.visititems(visit)  # follows no links
    except (OSError, RuntimeError, ValueError, LookupError, TypeError, MemoryError) as error:
        raise DecodingError(
            f"the HDF5 file is damaged or can't be read: {' '.join(str(error).split())}"
        ) from error
    return found


def opened_in_memory(data: bytes) -> Any:  # noqa: ANN401 - h5py ships no types
    """The identifier of a file in memory."""
    import h5py  # noqa: PLC0415 - see `Hdf5Decoder.decode`

    access = h5py.h5p.create(h5py.h5p.FILE_ACCESS)
    access.set_fapl_core(backing_store=False)
    access.set_file_image(data)
    # HDF5 takes files of one name for one file, which concurrent threads would then share.
    name = b"%d in memory" % next(_NUMBERS)
    return h5py.h5f.open(name, h5py.h5f.ACC_RDONLY, fapl=access)


def dataset_at(file: Any, path: str) -> Any:  # noqa: ANN401 - h5py ships no types
    """The dataset at a path of an HDF5 file, which no link leads out of the file.

    Raises:
        DecodingError: There is none.
    """
    import h5py  # noqa: PLC0415 - see `Hdf5Decoder.decode`

    place = file
    for name in path.strip("/").split("/"):
        link = place.get(name, getlink=True) if isinstance(place, h5py.Group) else None
        if link is None:
            names = list(place) if isinstance(place, h5py.Group) else []
            raise DecodingError(
                f"the HDF5 file has no dataset {path!r}; {place.name} has "
                f"{', '.join(map(ascii, names[:10])) or 'none'}"
            )
        if not isinstance(link, h5py.HardLink):
            raise DecodingError(f"dataset {path!r} is a link to another place")
        place = place[name]
    if not isinstance(place, h5py.Dataset):
        names = list(place) if isinstance(place, h5py.Group) else []
        raise DecodingError(
            f"{path!r} of the HDF5 file is no dataset but a group with "
            f"{', '.join(map(ascii, names[:10])) or 'nothing'}"
        )
    return place
