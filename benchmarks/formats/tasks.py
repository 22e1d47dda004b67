"""The bands, the three tasks, and the expected result of each.

In: the pixels of all patches, one array per resolution. Out: expected samples, and whether a sample
or a batch equals them. It is independent of formats.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Array = npt.NDArray[Any]
Sample = Array | dict[str, Array]
"""The sample of one patch: an array, or for T3 arrays by band or by resolution."""

BATCH_SIZE: Final = 128
PATCHES_PER_SHARD: Final = 250
"""For formats that split the corpus into files: 40 MB each, enough files for two workers."""

GROUPS: Final[dict[str, tuple[str, ...]]] = {
    "10m": ("B02", "B03", "B04", "B08"),
    "20m": ("B05", "B06", "B07", "B8A", "B11", "B12"),
    "60m": ("B01", "B09"),
}
"""Bands by resolution; formats without names store one array per group, in this order."""
SIDES: Final = {"10m": 120, "20m": 60, "60m": 20}
"""The rows, and columns, of a band."""
BANDS: Final = tuple(sorted(band for group in GROUPS.values() for band in group))
RGB: Final = ("B04", "B03", "B02")
RGB_OF_10M: Final = slice(2, None, -1)
"""The positions of `RGB` in the group of 10 m."""
TEN: Final = GROUPS["10m"] + GROUPS["20m"]

TASKS: Final[dict[str, str]] = {
    "T1": "RGB, (3, 120, 120) uint16",
    "T2": "ten bands, (10, 120, 120) float32, those of 20 m upsampled by repeating pixels",
    "T3": "all twelve bands as they are: 4 of (120, 120), 6 of (60, 60), 2 of (20, 20) uint16",
}
NATIVE_T2: Final = "T2, native"
"""T2 as stored: uint16 by resolution, for the device to convert and upsample."""
NEEDED: Final[dict[str, tuple[str, ...]]] = {
    "T1": ("10m",),
    "T2": ("10m", "20m"),
    NATIVE_T2: ("10m", "20m"),
    "T3": ("10m", "20m", "60m"),
}
"""The resolutions that a task needs."""


class WrongPixelsError(Exception):
    """A reader yielded something other than the content of the files."""


def upsampled(ten: Array, twenty: Array) -> npt.NDArray[np.float32]:
    """T2 from the groups of 10 m and 20 m, of one patch or of a batch.

    Formats that yield plain arrays share this function, the fastest of six ways tried in numpy, so
    they differ only in reading.

    Args:
        ten: (…, 4, 120, 120) uint16.
        twenty: (…, 6, 60, 60) uint16.
    """
    image = np.empty((*ten.shape[:-3], len(TEN), *ten.shape[-2:]), np.float32)
    if image.ndim == 3:
        upsample_into(image, ten, twenty)
    else:
        # Patch by patch, because intermediate results then stay in the processor's cache.
        for row, narrow, coarse in zip(image, ten, twenty, strict=True):
            upsample_into(row, narrow, coarse)
    return image


def upsample_into(image: npt.NDArray[np.float32], ten: Array, twenty: Array) -> None:
    """Fill (10, 120, 120) of one patch from (4, 120, 120) and (6, 60, 60)."""
    n_ten, side = len(ten), twenty.shape[-1]
    image[:n_ten] = ten
    # Two equal neighbouring pixels of 4 bytes are one value of 8 bytes, in any byte order.
    pairs = twenty.astype(np.float32).view(np.uint32).astype(np.uint64)
    pairs |= pairs << np.uint64(32)
    image[n_ten:].view(np.uint64).reshape(-1, side, 2, side)[:] = pairs[:, :, np.newaxis]


@dataclass(frozen=True, slots=True)
class Corpus:
    """The patches that every format holds."""

    keys: tuple[str, ...]
    """The patches, sorted; indices are positions in this list."""
    groups: dict[str, Array]
    """By resolution: (patches, bands, rows, columns) uint16, mapped from files."""
    geotiffs: Path
    """The folder with the files as BigEarthNet publishes them."""

    @classmethod
    def load(cls, folder: Path) -> Corpus:
        """The corpus that `corpora.make` wrote to a folder."""
        keys = json.loads((folder / "keys.json").read_text(encoding="utf-8"))
        groups = {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in GROUPS}
        return cls(tuple(keys), groups, folder / "BigEarthNet-S2")

    def __len__(self) -> int:
        return len(self.keys)

    def expected(self, task: str, index: int) -> Sample:
        """The expected sample of a patch; for T3 and `NATIVE_T2` by band."""
        if task == "T1":
            return np.ascontiguousarray(self.groups["10m"][index, RGB_OF_10M])
        if task == "T2":
            # Not `upsampled`, because the checked readers use it.
            twenty = self.groups["20m"][index].repeat(2, axis=1).repeat(2, axis=2)
            return np.concatenate([self.groups["10m"][index], twenty]).astype(np.float32)
        return {
            band: self.groups[name][index, position]
            for name in NEEDED[task]
            for position, band in enumerate(GROUPS[name])
        }

    def check(self, task: str, index: int, sample: object) -> None:
        """Compare a reader's sample of one patch, including shapes and dtypes.

        Args:
            task: A key of `TASKS`, or `NATIVE_T2`.
            index: The patch.
            sample: Arrays or tensors: see `Sample`.

        Raises:
            WrongPixelsError: It differs.
        """
        expected = self.expected(task, index)
        if not isinstance(expected, dict):
            _compare(f"{task} of {self.keys[index]}", as_array(sample), expected)
            return
        found = by_band(sample)
        if sorted(found) != sorted(expected):
            raise WrongPixelsError(f"{task} of {self.keys[index]}: bands are {sorted(found)}")
        for band, pixels in expected.items():
            _compare(f"{task} of {self.keys[index]}, {band}", found[band], pixels)

    def check_batch(self, task: str, indices: Sequence[int], batch: object) -> None:
        """Compare a batch, row by row.

        Raises:
            WrongPixelsError: A row differs, or their number.
        """
        arrays: dict[str, Any] = batch if isinstance(batch, dict) else {"": batch}
        n_rows = {len(array) for array in arrays.values()}
        if n_rows != {len(indices)}:
            raise WrongPixelsError(f"{task}: {len(indices)} patches came as {n_rows} rows")
        for row, index in enumerate(indices):
            sample = {name: array[row] for name, array in arrays.items()}
            self.check(task, index, sample if isinstance(batch, dict) else sample[""])


def by_band(sample: object) -> dict[str, Array]:
    """The bands of a sample of T3, which may be stacked by resolution."""
    if not isinstance(sample, dict):
        raise WrongPixelsError(f"T3 yielded {type(sample).__name__} instead of a dictionary")
    bands: dict[str, Array] = {}
    for name, value in sample.items():
        array = as_array(value)
        if array.ndim == 2:
            bands[str(name)] = array
            continue
        members = GROUPS[next(group for group, side in SIDES.items() if side == array.shape[-1])]
        bands |= dict(zip(members, array, strict=True))
    return bands


def as_array(value: object) -> Array:
    """An array, from an array or a tensor."""
    return value if isinstance(value, np.ndarray) else np.asarray(value)


def _compare(what: str, found: Array, expected: Array) -> None:
    if found.shape != expected.shape or found.dtype != expected.dtype:
        raise WrongPixelsError(
            f"{what}: {found.shape} {found.dtype} instead of {expected.shape} {expected.dtype}"
        )
    if not np.array_equal(found, expected):
        raise WrongPixelsError(f"{what}: {np.count_nonzero(found != expected)} pixels differ")


def pick(groups: Mapping[str, Array], task: str) -> Sample:
    """A task's sample or batch from arrays by resolution, copied if they are views.

    Args:
        groups: (…, bands, rows, columns) by resolution; T1 needs only that of 10 m, T2 those of
            10 m and 20 m.
        task: A key of `TASKS`.
    """
    if task == "T1":
        return np.ascontiguousarray(groups["10m"][..., RGB_OF_10M, :, :])
    if task == "T2":
        return upsampled(groups["10m"], groups["20m"])
    return {name: np.array(array) for name, array in groups.items()}
