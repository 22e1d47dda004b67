"""What a store knows about its patches beyond pixels.

In: the records of a store, and the side-car next to them. Out: `Georef` and `Georefs`. The side-car
is read when it is first needed, and again after it has changed.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from typing import Final

from rico_hdl.datasets import usable
from rico_hdl.decoding.geotags import KeptTags
from rico_hdl.errors import StoreError
from rico_hdl.georef import Georef, GeorefIndex, Georefs
from rico_hdl.georef.patch import georef_of
from rico_hdl.reading.protocol import Located, Records
from rico_hdl.spec.times import Forms, key_forms, time_in
from rico_hdl.store import GEOREF_NAME

_HINT: Final = (
    "Files of formats other than TIFF say nothing of this kind. Stores of earlier versions, and "
    "those whose rico-hdl.georef was lost, get it from their sources: rico-hdl georef STORE."
)


class Georeferencing:
    """What a store knows about its patches beyond pixels.

    Args:
        records: The records of the store.
    """

    def __init__(self, records: Records) -> None:
        self._records = records
        self._index: GeorefIndex | None = None
        self._state: tuple[int, int] | None = None
        self._forms: Forms | None = None

    def index(self) -> GeorefIndex:
        """The entries of the side-car as it is now.

        Raises:
            StoreError: It can't be read.
        """
        folder = self._records.path
        try:
            status = os.stat(folder / GEOREF_NAME)  # noqa: PTH116 - Path.stat is slower
            state = (status.st_size, status.st_mtime_ns)
        except FileNotFoundError:
            state = (-1, 0)
        if self._index is None or state != self._state:
            self._index, self._state = GeorefIndex(folder), state
        return self._index

    def georef(self, key: str) -> Georef:
        """See `Store.georef`."""
        found = self.find(key)
        if found is None:
            raise StoreError(f"{self._records.path}: {self._absent(key, self.index())}", _HINT)
        return found

    def tags(self, keys: Sequence[str]) -> list[tuple[KeptTags, int | None] | None]:
        """The tags of patches, and the times that only the paths of their files told.

        Raises:
            StoreError: The side-car can't be read.
        """
        index = self.index()
        return [index.entry(at) if at >= 0 else None for at in index.find(keys).tolist()]

    def find(self, key: str) -> Georef | None:
        """What is known about a patch; None if nothing is.

        Raises:
            UnknownKeyError: The store does not have the patch.
            StoreError: The side-car can't be read, or belongs to another store.
        """
        bands = self._records.settled([key], partial(self._bands, key))
        index = self.index()
        (at,) = index.find([key]).tolist()
        if at < 0:
            return None
        tags, time = index.entry(at)
        names = self._names(key, bands)
        if len(tags.files) != len(names):
            raise StoreError(
                f"{self._records.path}: {GEOREF_NAME} has {len(tags.files)} files for the "
                f"{len(names)} files of patch {key!r}",
                "It belongs to another store: remove it, and run rico-hdl georef STORE.",
            )
        named = self.time(key)
        return georef_of(key, tags, names, time if named is None else named)

    def _names(self, key: str, bands: frozenset[str]) -> list[tuple[str, ...]]:
        """The names of the bands in each file of a patch."""
        catalogue = self._records.catalogue
        spec = catalogue.spec
        if spec is None and catalogue.dataset is not None:  # as in stores of the original
            spec = usable(catalogue.dataset)
        modality = spec.modality_of(key, bands) if spec is not None else None
        if modality is None:
            raise StoreError(
                f"{self._records.path}: nothing describes the files of patch {key!r}",
                "Run the conversion's command again: it notes the dataset's description.",
            )
        return [file.names for file in modality.band_files]

    def georefs(self, keys: Sequence[str]) -> Georefs:
        """See `Store.georefs`."""
        return self.index().georefs(keys, self.time)

    def time(self, key: str) -> int | None:
        """The time that a key tells, in milliseconds since 1970 in UTC; None if it tells none."""
        if self._forms is None:
            self._forms = key_forms(self._records.catalogue.spec)
        return time_in(key, self._forms)

    def _bands(self, key: str, located: Sequence[Located]) -> frozenset[str]:
        """The names of a patch's bands."""
        (_, file, places), *_ = located
        start, stop = places[0].tolist()
        return frozenset(self._records.layout(file, start, stop, key).bands)

    def _absent(self, key: str, index: GeorefIndex) -> str:
        if not len(index) and not index.gaps:
            return f"nothing is known about patch {key!r} beyond its pixels: no {GEOREF_NAME}"
        damaged = f", which is damaged in {len(index.gaps)} places" if index.gaps else ""
        return f"nothing is noted about patch {key!r} in {GEOREF_NAME}{damaged}"
