"""Finding what the side-car says about keys.

In: a store's side-car. Out: the tags of one patch, or arrays for many. Of each key, 16 bytes of its
hash are kept, so a million patches take about 90 MB.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rico_hdl.decoding.geotags import FileTags, KeptTags
from rico_hdl.georef.affine import corners, shape_of, transforms
from rico_hdl.georef.geokeys import crs_of
from rico_hdl.georef.patch import apart, finest, side
from rico_hdl.georef.table import Georefs
from rico_hdl.store.blocks import Gap
from rico_hdl.store.georef import NO_TIME, GeorefBlock, hashes, scan

if TYPE_CHECKING:
    import numpy.typing as npt


class GeorefIndex:
    """The entries of a side-car, by key.

    Args:
        folder: The store.

    Raises:
        StoreError: The side-car can't be read.
    """

    def __init__(self, folder: Path) -> None:
        self.gaps: list[Gap] = []
        """Where it is damaged."""
        self._blocks: list[GeorefBlock] = []
        digests = []
        for part in scan(folder):
            if isinstance(part, Gap):
                self.gaps.append(part)
            else:
                digests.append(hashes(part.keys))
                self._blocks.append(part._replace(keys=[]))
        found = _pairs(b"".join(digests))
        # Stable, so that the newest entry of a key is its last one.
        order = np.lexsort((found[:, 1], found[:, 0]))
        self._low, self._high = found[order, 0], found[order, 1]
        sizes = [len(block.profile_of) for block in self._blocks]
        self._block_of = np.repeat(np.arange(len(sizes), dtype=np.int32), sizes)[order]
        rows = [np.arange(size, dtype=np.int32) for size in sizes]
        self._row_of = np.concatenate([*rows, np.zeros(0, np.int32)])[order]

    def __len__(self) -> int:
        """How many keys it has, at most: a key may have several entries."""
        return len(self._low)

    def find(self, keys: Iterable[str]) -> npt.NDArray[np.int64]:
        """The position of each key's newest entry; -1 for keys without one."""
        wanted = _pairs(hashes(key.encode(errors="surrogateescape") for key in keys))
        if not len(self._low):
            return np.full(len(wanted), -1, np.int64)
        at = np.searchsorted(self._low, wanted[:, 0], side="right") - 1
        # Two keys whose halves agree by chance have none: an error, not a wrong place.
        same = (self._low[at] == wanted[:, 0]) & (self._high[at] == wanted[:, 1]) & (at >= 0)
        return np.where(same, at, -1)

    def entry(self, at: int) -> tuple[KeptTags, int | None]:
        """The tags of an entry's patch, and the time that only the path of its files told."""
        block, row = self._blocks[self._block_of[at]], int(self._row_of[at])
        time = NO_TIME if block.times is None else block.times[row]
        return block.tags(row), None if time == NO_TIME else time

    def georefs(self, keys: Sequence[str], time_of: Callable[[str], int | None]) -> Georefs:
        """Where patches are.

        Args:
            keys: Their keys.
            time_of: Returns the time that a key tells, in milliseconds since 1970; None if none.
        """
        found = self.find(keys)
        result = _PlaceColumns(len(keys))
        for row, key in enumerate(keys):
            time = time_of(key)
            if time is not None:
                result.times[row] = time
        known = np.flatnonzero(found >= 0)
        blocks = self._block_of[found[known]]
        for number in np.unique(blocks).tolist():
            rows = known[blocks == number]
            self._fill(result, self._blocks[number], rows, self._row_of[found[rows]])
        return result.georefs(found >= 0)

    def _fill(
        self,
        result: _PlaceColumns,
        block: GeorefBlock,
        rows: npt.NDArray[np.int64],
        entries: npt.NDArray[np.int32],
    ) -> None:
        """Fill the rows of entries of one block."""
        stops = np.frombuffer(block.place_stops, np.uint64).astype(np.int64)
        starts = np.concatenate([[0], stops[:-1]])
        profile_of = np.frombuffer(block.profile_of, np.uint32)[entries]
        lengths = (stops - starts)[entries]
        places = np.frombuffer(block.places, np.uint8)
        if block.times is not None:
            times = np.frombuffer(block.times, np.int64)[entries]
            result.times[rows[times != NO_TIME]] = times[times != NO_TIME]
        kinds = np.column_stack([profile_of, lengths])
        unique, which = np.unique(kinds, axis=0, return_inverse=True)
        for i, (profile, n_bytes) in enumerate(unique.tolist()):
            chosen = which.reshape(-1) == i
            at = starts[entries[chosen]][:, None] + np.arange(n_bytes)
            result.fill(rows[chosen], block.profiles[profile], places[at])


class _PlaceColumns:
    """The columns of `Georefs`, while they are filled."""

    def __init__(self, n: int) -> None:
        self.times = np.full(n, NO_TIME, np.int64)  # NaT is the same number
        self._crs: dict[str, int] = {}
        self._crs_index = np.full(n, -1, np.int32)
        self._transforms = np.full((n, 6), np.nan)
        self._shapes = np.zeros((n, 2), np.int32)
        self._disagree = np.zeros(n, np.bool_)

    def fill(
        self,
        rows: npt.NDArray[np.int64],
        files: tuple[FileTags, ...],
        places: npt.NDArray[np.uint8],
    ) -> None:
        """Fill the rows of patches with the same files and the same number of place bytes."""
        main = finest(files)
        parts = _parts(files, places)
        found = transforms(files[main], parts[main])
        crs = crs_of(files[main])
        around = corners(files[main], found)
        disagree = np.zeros(len(rows), np.bool_)
        done: set[Any] = {(files[main], places.shape[1])}
        for file, place in zip(files, parts, strict=True):
            kind = (file, places.shape[1])
            if place is parts[main] and kind in done:
                continue  # as that of another band of this size
            done.add(kind)
            other = transforms(file, place)
            pixel = np.maximum(side(found), side(other))
            disagree |= (crs_of(file) != crs) | apart(corners(file, other), around, pixel)
        self._transforms[rows] = np.where(disagree[:, None], np.nan, found)
        self._shapes[rows] = shape_of(files[main])
        self._disagree[rows] = disagree
        if crs is not None:
            number = self._crs.setdefault(crs, len(self._crs))
            self._crs_index[rows] = np.where(disagree, -1, number)

    def georefs(self, known: npt.NDArray[np.bool_]) -> Georefs:
        """The result."""
        return Georefs(
            known,
            tuple(self._crs),
            self._crs_index,
            self._transforms,
            self._shapes,
            self._disagree,
            self.times.view("datetime64[ms]"),
        )


def _parts(
    files: tuple[FileTags, ...], places: npt.NDArray[np.uint8]
) -> list[npt.NDArray[np.uint8]]:
    """The values of each file that only its patch has; see `KeptTags.places`."""
    lengths = [file.n_place_bytes for file in files]
    n = places.shape[1]
    if n == lengths[0] and lengths.count(lengths[0]) == len(lengths):
        return [places] * len(files)
    if n != sum(lengths):
        raise ValueError(f"{n} bytes of places, expected {sum(lengths)}")
    stops = np.cumsum(lengths).tolist()
    return [places[:, stop - size : stop] for stop, size in zip(stops, lengths, strict=True)]


def _pairs(digests: bytes) -> npt.NDArray[np.uint64]:
    return np.frombuffer(digests, np.uint64).reshape(-1, 2)
