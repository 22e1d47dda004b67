"""Sample datasets of zipped Zarr v2 stores, as published.

In: patches and their pixels, or any other pixels. Out: ``.zarr.zip`` files, including the other
arrays of real stores. They are written by hand, with numcodecs for the compression, in order to
cover every way to store the same pixels; a test reads them with the zarr library.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import TYPE_CHECKING, Any, Final, Literal

import numcodecs
import numpy as np

from rico_hdl.testing.patches import N_TIMES, SamplePatch

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

    from rico_hdl.spec import Band, Modality

_N_SAMPLES: Final = 64
"""Samples of a published store; the last stores of a small sample dataset have fewer."""


@dataclass(frozen=True, slots=True)
class Storage:
    """The storage of a store's arrays; by default that of xarray with zarr-python 2."""

    chunks: tuple[int, ...] | None = None
    """(samples, times, bands, rows, columns) of a chunk; None for all samples at one time, which is
    how "timestamps are chunked separately" (the publisher's README) is interpreted here."""
    compressor: Mapping[str, object] | None = field(
        default_factory=lambda: {
            "id": "blosc", "cname": "lz4", "clevel": 5, "shuffle": 1, "blocksize": 0,
        }
    )  # fmt: skip
    """The compressor's settings; None for none."""
    order: Literal["C", "F"] = "C"
    """The order of pixels in a chunk."""
    separator: Literal[".", "/"] | None = None
    """The separator in the names of chunks; None to omit it, which means a dot."""
    byte_order: Literal["<", ">"] = "<"
    """The byte order of pixels and text."""
    text: Literal["U", "S", "O"] = "U"
    """numpy's kind of text: UTF-32, bytes, or objects, which are stored as UTF-8 with lengths."""
    fill_value: object = None
    """The fill value in JSON. xarray writes NaN for floats, and none for integers."""
    without: Collection[tuple[int, ...]] = ()
    """Chunks of pixels that are omitted, by their position in the grid."""
    consolidated: bool = True
    """Whether an additional file holds all metadata."""
    compression: int = zipfile.ZIP_STORED
    """The compression of the zip file."""


def write_stores(
    modality: Modality,
    folder: Path,
    patches: Sequence[SamplePatch],
    pixels: Callable[[SamplePatch, Band], npt.NDArray[Any]],
    more: Mapping[str, Callable[[int], npt.NDArray[Any]]] | None = None,
) -> None:
    """Write patches as stores with the names, arrays and chunks of the published ones.

    Args:
        modality: The patches' modality.
        folder: The folder to write to.
        patches: The patches, all times of a location together, see `rico_hdl.testing.patches`.
        pixels: Returns the pixels of one band of a patch; all bands have the same shape and dtype.
        more: By the path of an array without bands, a function that returns its pixels for the
            number of a patch.
    """
    for number, (start, stop) in enumerate(_stores(len(patches)), 1):
        part, n_times = patches[start:stop], min(N_TIMES, stop - start)
        cube = np.array([[pixels(patch, band) for band in modality.bands] for patch in part])
        write_store(
            folder / file_name(modality, "train", number),
            cube.reshape(-1, n_times, *cube.shape[1:]),
            [patch.fields["location"] for patch in part[::n_times]],
            [band.token for band in modality.bands],
            Storage(fill_value="NaN" if cube.dtype.kind == "f" else None),
            more={
                path: np.array([of(patch.number) for patch in part]).reshape(
                    -1, n_times, *cube.shape[2:]
                )
                for path, of in (more or {}).items()
            },
        )


def file_name(modality: Modality, split: str, number: int) -> str:
    """The published name of a store.

    Args:
        modality: Its modality.
        split: ``train`` or ``val``.
        number: Its one-based number in the split.
    """
    name = modality.downloads[0].name.rpartition("/")[2]
    return name.replace("*", split, 1).replace("*", f"{number:06}", 1)


def write_store(  # noqa: PLR0913 - all but four by default
    path: Path,
    cube: npt.NDArray[Any],
    samples: Sequence[str],
    bands: Sequence[str],
    storage: Storage | None = None,
    *,
    more: Mapping[str, npt.NDArray[Any]] | None = None,
) -> None:
    """Write one store.

    Args:
        path: The file to write.
        cube: The pixels: (sample, time, band, row, column).
        samples: The name of each sample.
        bands: The name of each band.
        storage: Its storage; by default that of published stores.
        more: Arrays without bands by path: (sample, time, row, column).
    """
    storage = storage or Storage()
    with zipfile.ZipFile(path, "w", storage.compression) as file:
        metadata: dict[str, object] = {}
        for name, content in _files(cube, samples, bands, storage, more or {}):
            file.writestr(name, content)
            if name.rpartition("/")[2].startswith(".z"):
                metadata[name] = json.loads(content)
        if storage.consolidated:
            whole = {"metadata": metadata, "zarr_consolidated_format": 1}
            file.writestr(".zmetadata", json.dumps(whole, indent=4))


def write_arrays(
    path: Path,
    arrays: Mapping[str, tuple[npt.NDArray[Any], Sequence[str]]],
    storage: Storage | None = None,
) -> None:
    """Write a store of any arrays.

    Args:
        path: The file to write.
        arrays: The elements and the names of the dimensions of each array, by its path.
        storage: Its storage; by default, each array is one chunk.
    """
    storage = storage or Storage()
    with zipfile.ZipFile(path, "w", storage.compression) as file:
        file.writestr(".zgroup", _as_json({"zarr_format": 2}))
        for name, (values, dimensions) in arrays.items():
            chunks = storage.chunks if len(dimensions) > 1 else None
            for inner, content in _array(
                name, values, list(dimensions), storage, chunks or values.shape
            ):
                file.writestr(inner, content)


def _stores(n_patches: int) -> Iterator[tuple[int, int]]:
    """The [start, stop) of the patches of each store: a store is a full grid of samples, times."""
    start = 0
    while start < n_patches:
        rest = n_patches - start
        n_whole = min(_N_SAMPLES, rest // N_TIMES)
        stop = start + (n_whole * N_TIMES or rest)
        yield start, stop
        start = stop


def _files(
    cube: npt.NDArray[Any],
    samples: Sequence[str],
    bands: Sequence[str],
    storage: Storage,
    more: Mapping[str, npt.NDArray[Any]],
) -> Iterator[tuple[str, bytes]]:
    """The names and contents of a store's files, except the file of all metadata."""
    n_samples, n_times, _, rows, columns = cube.shape
    yield ".zgroup", _as_json({"zarr_format": 2})
    yield ".zattrs", _as_json({})
    dimensions = ["sample", "time", "band", "y", "x"]
    yield from _array("bands", cube, dimensions, storage, storage.chunks)
    for name in ("center_lat", "center_lon"):
        yield from _plain(name, np.linspace(-60, 60, n_samples), ["sample"])
    if cube.dtype.kind == "i" and not more:
        more = {"cloud_mask": np.zeros((n_samples, n_times, rows, columns), np.uint8)}
    for name, values in more.items():
        yield from _array(name, values, ["sample", "time", "y", "x"], Storage(), None)
    yield from _plain("crs", np.full(n_samples, 32651), ["sample"])
    products = np.full((n_samples, n_times), "20201116T023001_20201116T022955_T51TWM")
    yield from _plain("file_id", products, ["sample", "time"])
    ids = np.array([[f"{sample}_{time}" for time in range(n_times)] for sample in samples])
    yield from _plain("sample_id", ids, ["sample", "time"])
    seconds = np.arange(n_samples * n_times).reshape(n_samples, n_times)
    yield from _plain("time_", seconds, ["sample", "time"])
    yield from _plain("time", np.arange(n_times), ["time"])
    for name, n in (("y", rows), ("x", columns)):
        yield from _plain(name, np.arange(n), [name])
        yield from _plain(f"{name}_", np.zeros((n_samples, n)), ["sample", name])
    for name, words in (("sample", samples), ("band", bands)):
        yield from _array(name, np.array(words), [name], storage, None)


def _plain(
    name: str, values: npt.NDArray[Any], dimensions: list[str]
) -> Iterator[tuple[str, bytes]]:
    yield from _array(name, values, dimensions, Storage(), values.shape)


def _array(
    name: str,
    values: npt.NDArray[Any],
    dimensions: list[str],
    storage: Storage,
    chunks: tuple[int, ...] | None,
) -> Iterator[tuple[str, bytes]]:
    """The files of one array."""
    filters: list[dict[str, object]] | None = None
    if values.dtype.kind == "U":
        kinds: dict[str, Any] = {"U": values.dtype, "S": "S", "O": object}
        values = values.astype(kinds[storage.text])
        filters = [{"id": "vlen-utf8"}] if storage.text == "O" else None
        fill_value: object = {"U": "", "S": None, "O": None}[storage.text]
    else:
        fill_value = storage.fill_value if name == "bands" else None
    values = values.astype(values.dtype.newbyteorder(storage.byte_order))
    if chunks is None:
        chunks = values.shape if values.ndim < 2 else (values.shape[0], 1, *values.shape[2:])
    metadata = {
        "chunks": chunks,
        "compressor": storage.compressor,
        "dtype": values.dtype.str,
        "fill_value": fill_value,
        "filters": filters,
        "order": storage.order,
        "shape": values.shape,
        "zarr_format": 2,
    }
    if storage.separator is not None:
        metadata["dimension_separator"] = storage.separator
    yield f"{name}/.zarray", _as_json(metadata)
    yield f"{name}/.zattrs", _as_json({"_ARRAY_DIMENSIONS": dimensions})
    grid = [range(-(-n // step)) for n, step in zip(values.shape, chunks, strict=True)]
    for index in product(*grid):
        if name != "bands" or index not in storage.without:
            path = (storage.separator or ".").join(map(str, index))
            yield f"{name}/{path}", _chunk(values, index, chunks, storage)


def _chunk(
    values: npt.NDArray[Any], index: tuple[int, ...], chunks: tuple[int, ...], storage: Storage
) -> bytes:
    """One chunk; beyond the ends of the array it holds values that no reader may return."""
    part = values[tuple(slice(i * n, (i + 1) * n) for i, n in zip(index, chunks, strict=True))]
    beyond: Any = "?" if values.dtype.kind in "USO" else 77
    whole = np.full(chunks, beyond, values.dtype, order=storage.order)
    whole[tuple(map(slice, part.shape))] = part
    # Reversed axes in C order are the same bytes as the axes in Fortran order.
    content: Any = whole.T if storage.order == "F" else whole
    if values.dtype.kind == "O":
        content = numcodecs.VLenUTF8().encode(whole.reshape(-1))
    if storage.compressor is not None:
        content = numcodecs.get_codec(dict(storage.compressor)).encode(content)
    return bytes(content) if isinstance(content, bytes | bytearray) else content.tobytes()


def _as_json(entries: object) -> bytes:
    return json.dumps(entries, indent=4).encode()
