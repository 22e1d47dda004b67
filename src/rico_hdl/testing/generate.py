"""Write a sample dataset.

In: a spec. Out: folders with files, as after unpacking the publisher's archives: TIFF, JPEG, PNG,
npy, npz or HDF5, as the extension says; for a dataset that is published as Zarr stores, folders
with such stores.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from rico_hdl.testing import images
from rico_hdl.testing.companions import companions
from rico_hdl.testing.encodings import encoding_of
from rico_hdl.testing.extra import extra_needed
from rico_hdl.testing.patches import SamplePatch, patches, shape_of
from rico_hdl.testing.pixels import noise, pixels
from rico_hdl.testing.tiff import encoded, moved

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    import numpy.typing as npt

    from rico_hdl.spec import Band, DatasetSpec, Modality

_N_COMPRESSED: Final = 4
"""Number of distinct compressed noise files per shape; encoding each file would take minutes."""


def generate(
    spec: DatasetSpec,
    root: Path,
    n_patches: int,
    *,
    modalities: Collection[str] | None = None,
    noise: bool = False,
) -> dict[str, Path]:
    """Write `n_patches` of each modality to `root`, each modality in its usual folder.

    Args:
        spec: The dataset.
        root: The folder to write to; created if it does not exist.
        n_patches: The number of patches of each modality; see `rico_hdl.testing.patches` for
            their names.
        modalities: Names of the modalities to write; None for all.
        noise: Write noise instead of `rico_hdl.testing.pixels`, for benchmarks: it is faster to
            generate, and about as compressible as real pixels. Compressed files then repeat a few
            contents.

    Returns:
        The source folder of each modality, by name.

    Raises:
        ValueError: Files of two modalities would be the same, or see `rico_hdl.testing.patches`.
    """
    wanted = [m for m in spec.modalities if modalities is None or m.name in modalities]
    sources = {}
    written: set[Path] = set()
    for modality in wanted:
        sources[modality.name] = root / modality.folder
        sources[modality.name].mkdir(parents=True, exist_ok=True)
        write = _writer_of(modality)
        files = write(
            spec, modality, sources[modality.name], n_patches, _Contents(spec, modality, noise)
        )
        if written & files:
            raise ValueError(f"modalities of {spec.name} share {written & files}")
        written |= files
    return sources


class _Contents:
    """The bytes of a modality's files."""

    def __init__(self, spec: DatasetSpec, modality: Modality, noise: bool) -> None:  # noqa: FBT001
        self._spec = spec
        self._modality = modality
        self._encoding = encoding_of(spec, modality)
        self._kind = images.kind_of(modality)
        self.noise = noise
        """Whether pixels are noise."""
        self._compressed: dict[object, bytes] = {}

    def of(self, patch: SamplePatch, bands: tuple[Band, ...]) -> bytes:
        """The file with these bands of a patch."""
        data = self._of(patch, bands)
        return moved(data, patch.key) if self._kind == "tiff" else data

    def _of(self, patch: SamplePatch, bands: tuple[Band, ...]) -> bytes:
        """The same file, where all patches are at the same place."""
        shape = shape_of(self._spec, self._modality, bands[0], patch.number)
        is_compressed = self._kind != "tiff" or self._encoding.compression is not None
        if not self.noise or not is_compressed:
            return self._encoded(patch.key, bands, shape)
        content = str(patch.number % _N_COMPRESSED)
        place = (content, bands, shape)
        if place not in self._compressed:
            self._compressed[place] = self._encoded(content, bands, shape)
        return self._compressed[place]

    def pixels(self, patch: SamplePatch, band: Band) -> npt.NDArray[Any]:
        """The pixels of one band of a patch."""
        shape = shape_of(self._spec, self._modality, band, patch.number)
        return self._pixels(patch.key, band, shape)

    def _encoded(self, key: str, bands: tuple[Band, ...], shape: tuple[int, int]) -> bytes:
        stack = np.stack([self._pixels(key, band, shape) for band in bands])
        if self._kind != "tiff":
            return images.encoded(stack, self._kind)
        return encoded(stack, self._encoding)

    def _pixels(self, key: str, band: Band, shape: tuple[int, int]) -> npt.NDArray[Any]:
        position = self._modality.bands.index(band)
        if self.noise:
            return noise(key, position, shape, self._encoding.dtype, self._encoding.noise_bits)
        return pixels(key, position, shape, self._encoding.dtype)


_Writer = Callable[["DatasetSpec", "Modality", "Path", int, "_Contents"], "set[Path]"]


def _writer_of(modality: Modality) -> _Writer:
    """The function that writes the patches of a modality."""
    if modality.arrays is None:
        return _write
    if modality.arrays.are_files:
        return _write_array_files
    return _write_stores if modality.container is None else _write_containers


def _write_array_files(
    spec: DatasetSpec, modality: Modality, source: Path, n_patches: int, contents: _Contents
) -> set[Path]:
    """Write the patches of one modality as array files; return these, with the arrays' names."""
    from rico_hdl.testing.array_files import write_patch  # noqa: PLC0415 - for h5py

    written: set[Path] = set()
    for patch in patches(spec, modality, n_patches):
        (source / patch.folder).mkdir(parents=True, exist_ok=True)
        bands = [contents.pixels(patch, band) for band in modality.bands]
        written |= write_patch(spec, modality, [source / name for name in patch.files], bands)
    return written


def _write_containers(
    spec: DatasetSpec, modality: Modality, source: Path, n_patches: int, contents: _Contents
) -> set[Path]:
    """Write the patches of one modality into files with many; return their places there."""
    with extra_needed():
        from rico_hdl.testing.array_files import write_containers  # noqa: PLC0415 - for numcodecs

    samples = patches(spec, modality, n_patches)
    write_containers(spec, modality, source, samples, contents.pixels)
    array = modality.arrays.path if modality.arrays is not None else ""
    return {source / name / array for patch in samples for name in patch.files}


def _write(
    spec: DatasetSpec, modality: Modality, source: Path, n_patches: int, contents: _Contents
) -> set[Path]:
    """Write the patches of one modality, and the files next to them; return the patches' files."""
    written = set()
    for patch in patches(spec, modality, n_patches):
        for name, file in zip(patch.files, modality.band_files, strict=True):
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes(contents.of(patch, file.bands))
            written.add(source / name)
        for name, data in companions(spec, modality, patch).items():
            (source / name).write_bytes(data)
    return written


def _write_stores(
    spec: DatasetSpec, modality: Modality, source: Path, n_patches: int, contents: _Contents
) -> set[Path]:
    """Write the patches of one modality as Zarr stores; return the places of its arrays.

    Modalities that share a folder are arrays of the same stores, of which the first has bands.
    """
    with extra_needed():
        from rico_hdl.testing.zarrs import write_stores  # noqa: PLC0415 - for numcodecs

    first, *others = [m for m in spec.modalities if m.folder == modality.folder]
    if modality is first or not any(source.iterdir()):
        samples = patches(spec, first, n_patches)
        of_first = contents if modality is first else _Contents(spec, first, contents.noise)
        more = {
            other.arrays.path: _of_band(
                spec, other, n_patches, _Contents(spec, other, contents.noise)
            )
            for other in others
            if other.arrays is not None
        }
        write_stores(first, source, samples, of_first.pixels, more)
    array = modality.arrays.path if modality.arrays is not None else ""
    return {path / array for path in source.iterdir()}


def _of_band(
    spec: DatasetSpec, modality: Modality, n_patches: int, contents: _Contents
) -> Callable[[int], npt.NDArray[Any]]:
    """A function that returns the only band of a patch, by the patch's number."""
    samples = patches(spec, modality, n_patches)
    (band,) = modality.bands
    return lambda number: contents.pixels(samples[number], band)
