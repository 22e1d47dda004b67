"""What a store knows about its patches beyond pixels.

In: the records of a store, and the side-car next to them. Out: `Georef` and `Georefs`. The side-car
is read when it is first needed, and again after it has changed.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from typing import Final

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
        if len(tags.files) == 1:
            names = [bands]
        elif len(tags.files) == len(bands):
            names = [(band,) for band in bands]
        else:
            raise StoreError(
                f"{self._records.path}: {GEOREF_NAME} has {len(tags.files)} files for the "
                f"{len(bands)} bands of patch {key!r}",
                "It belongs to another store: remove it, and run rico-hdl georef STORE.",
            )
        named = self.time(key)
        return georef_of(key, tags, names, time if named is None else named)

    def georefs(self, keys: Sequence[str]) -> Georefs:
        """See `Store.georefs`."""
        return self.index().georefs(keys, self.time)

    def time(self, key: str) -> int | None:
        """The time that a key tells, in milliseconds since 1970 in UTC; None if it tells none."""
        if self._forms is None:
            self._forms = key_forms(self._records.catalogue.spec)
        return time_in(key, self._forms)

    def _bands(self, key: str, located: Sequence[Located]) -> tuple[str, ...]:
        """The names of a patch's bands, in the publisher's order; none if that is unknown."""
        (_, file, places), *_ = located
        start, stop = places[0].tolist()
        layout = self._records.layout(file, start, stop, key)
        contents = self._records.catalogue.contents_of(layout, key)
        return () if contents is None else contents.bands

    def _absent(self, key: str, index: GeorefIndex) -> str:
        if not len(index) and not index.gaps:
            return f"nothing is known about patch {key!r} beyond its pixels: no {GEOREF_NAME}"
        damaged = f", which is damaged in {len(index.gaps)} places" if index.gaps else ""
        return f"nothing is noted about patch {key!r} in {GEOREF_NAME}{damaged}"
