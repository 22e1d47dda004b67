"""The records of a target folder: their places, their layouts, and the catalogue of all of them.

In: a target folder and keys. Out: the file, mapped once for each process on first use, and places
in it. A pickle contains the path and the catalogue, but not the file. No pixel is touched.

Another process may write to the store at any time. Every read goes through `MappedRecords.settled`
or `MappedRecords.of_file`, which repeat it until the result is that of one committed state
(`rico_hdl.store.Pages.certain`). Only `PatchReader.read` and `Store.__getitem__`, where a call
costs too much, check for themselves first.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from time import sleep
from typing import Any, Final

import numpy as np

from rico_hdl.errors import RecordError, StoreError, UnknownKeyError
from rico_hdl.reading import catalogue
from rico_hdl.reading.catalogue import Catalogue
from rico_hdl.reading.copies import Copies
from rico_hdl.reading.file import File
from rico_hdl.reading.keys import Keys, Offsets, check_texts
from rico_hdl.reading.layouts import Layouts, RecordLayout
from rico_hdl.reading.protocol import Located, T
from rico_hdl.reading.readahead import HEADER, ReadAhead
from rico_hdl.store import JOURNAL_NAME, Pages, check_store

_HEADERS_AT_ONCE: Final = 512
"""Records whose headers are announced to the system together, if they come from a disk."""

_ATTEMPTS: Final = 3
"""Attempts to read a batch before its records are copied one by one: a writer that commits faster
than a batch is read would spoil each attempt."""
_ATTEMPTS_IN_ALL: Final = 1000
"""Attempts to copy a single record, or to continue reading the tree of keys, before that is an
error. A commit takes at least a fifth of a millisecond, since it waits for a disk; finding and
copying a record takes a tenth of that."""

_OPENINGS: Final = 20
_PAUSE_SECONDS: Final = 0.01
"""Retries if the file is missing or not an LMDB yet while there is a journal, and the pause between
them; together they are longer than a conversion takes to make a new file."""


class MappedRecords:
    """The `Records` of one target folder.

    Args:
        path: The folder that holds ``data.mdb``.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(os.path.abspath(Path(path).expanduser()))  # noqa: PTH100 - keeps links
        """The absolute path of the folder."""
        self._known: Catalogue | None = None
        self._begin()

    def _begin(self) -> None:
        """Set the attributes that are not pickled."""
        self.closed = False
        """See `Records.closed`."""
        self.ahead = ReadAhead()
        """See `Records.ahead`."""
        self._layouts = Layouts()
        self._pages: Pages | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path, "_known": self._known}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._begin()

    def check(self) -> None:
        """Make sure that there is a store.

        Raises:
            StoreError: There is no store, or an LMDB of something else.
        """
        check_store(self.path)

    def close(self) -> None:
        """See `Records.close`."""
        self.closed = True
        self._pages = None

    def pages(self) -> Pages:
        """The file, mapped.

        Raises:
            StoreError: It is closed, or can't be read.
        """
        pages = self._pages
        if pages is None:
            if self.closed:
                raise StoreError(f"{self.path} is closed", "Open it again with rico_hdl.open.")
            # If two threads get here, one of the two maps is dropped at once.
            pages = self._pages = self._mapped()
            if self.closed:  # meanwhile, by another thread
                self._pages = None
        return pages

    def _mapped(self) -> Pages:
        """Map the file, and wait for it if a conversion is making it.

        A conversion with --overwrite removes the file, and makes another one at once.
        """
        for _ in range(_OPENINGS):
            try:
                return Pages(self.path)
            except StoreError:
                if not (self.path / JOURNAL_NAME).is_file():
                    raise
            sleep(_PAUSE_SECONDS)
        return Pages(self.path)

    def latest(self) -> Pages:
        """The file, mapped as of the last commit.

        Raises:
            StoreError: It is closed, or can't be read.
        """
        pages = self.pages()
        if not pages.current:
            self._renew(pages)
            pages = self.pages()
        return pages

    def _renew(self, pages: Pages) -> None:
        """Map the file again on its next use, since it was written to."""
        if self._pages is pages:
            self._pages = None
            self._known = None  # a modality may have been added

    @property
    def catalogue(self) -> Catalogue:
        """See `Records.catalogue`."""
        found = self._known
        if found is None:
            found = self._known = self.of_file(
                lambda pages: catalogue.read(self.path, pages, self._layouts, self.ahead)
            )
        return found

    def of_file(self, read: Callable[[Pages], T]) -> T:
        """The result of a function that reads from the file, in one committed state.

        Args:
            read: Called until its result is certain; exceptions before that are ignored.

        Raises:
            StoreError: It is closed, can't be read, or is written to faster than it is read.
        """
        for _ in range(_ATTEMPTS_IN_ALL):
            pages = self.pages()
            try:
                found = read(pages)
            except Exception:
                if pages.certain:
                    raise
            else:
                if pages.certain:
                    return found
            self._renew(pages)
        raise self._too_fast()

    def settled(self, keys: Sequence[str], read: Callable[[Sequence[Located]], T]) -> T:
        """See `Records.settled`."""
        rows = range(len(keys))
        for _ in range(_ATTEMPTS):
            pages, places = self._places(keys)
            if places is None:
                continue
            try:
                found = read((Located(rows, pages, places),))
            except Exception:
                if pages.certain:
                    raise
            else:
                if pages.certain:
                    return found
            self._renew(pages)
        copies, places = Copies.of([self._copy(key) for key in keys])
        return read((Located(rows, copies, places),))

    def _copy(self, key: str) -> bytes:
        """The record of a key, byte for byte."""
        for _ in range(_ATTEMPTS_IN_ALL):
            pages, start, stop = self.place(key)
            data = pages.data[start:stop]
            if pages.certain:
                return data
            self._renew(pages)
        raise self._too_fast()

    def _too_fast(self) -> StoreError:
        return StoreError(
            f"{self.path} is written to faster than it can be read: {_ATTEMPTS_IN_ALL} attempts",
            "Wait until the conversion has finished.",
        )

    def find(self, key: str) -> tuple[Pages, int, int] | None:
        """The file, and the start and stop of a key's record in it; None if there is none.

        The place may be out of date: see `rico_hdl.store.Pages.certain`.

        Raises:
            StoreError: It is closed or damaged.
        """
        for _ in range(_ATTEMPTS_IN_ALL):
            pages = self._pages or self.pages()
            try:
                found = pages.find(key.encode(errors="surrogateescape"))
            except (AttributeError, UnicodeEncodeError):  # not a string, or not one in UTF-8
                return None
            except Exception:
                if pages.certain:
                    raise
                found = None
            if found is not None:
                return pages, *found
            if pages.current:
                return None
            self._renew(pages)
        raise self._too_fast()

    def place(self, key: str) -> tuple[Pages, int, int]:
        """See `Records.place`."""
        pages = self._pages
        if pages is not None:  # the usual case, without one more call
            try:
                place = pages.find(key.encode())
            except Exception:  # noqa: BLE001 - `find` decides whether it is an error
                place = None
            if place is not None:
                return pages, *place
        found = self.find(key)
        if found is None:
            raise self._unknown(key)
        return found

    def __len__(self) -> int:
        self.latest()
        return self.of_file(lambda pages: pages.n_entries)

    def __contains__(self, key: str) -> bool:
        # A key that is not found is certainly absent; one that is found may be a torn read.
        for _ in range(_ATTEMPTS_IN_ALL):
            found = self.find(key)
            if found is None or found[0].certain:
                return found is not None
            self._renew(found[0])
        raise self._too_fast()

    def locate(self, keys: Sequence[str]) -> Keys:
        """See `Records.locate`."""
        names = [key.encode() for key in keys]

        def found(located: Sequence[Located]) -> Keys:
            (_, file, places), *_ = located
            # Copies have no fingerprint: their places are valid for no state.
            fingerprint = getattr(file, "fingerprint", None)
            return Keys.of(names, places, fingerprint, is_sorted=False)

        return self.settled(keys, found)

    def _places(self, keys: Sequence[str]) -> tuple[Pages, Offsets | None]:
        """The file, and the start and stop of the records of some keys in it, of shape (n, 2).

        The places are None if the file was mapped again meanwhile.

        Raises:
            UnknownKeyError: There is no record for a key.
            StoreError: It is closed or damaged.
        """
        pages = self.pages()
        if isinstance(keys, Keys) and keys.fingerprint == pages.fingerprint:
            return pages, keys.places
        places: list[tuple[int, int]] = []
        for key in keys:
            found, start, stop = self.place(key)
            if found is not pages:
                return pages, None
            places.append((start, stop))
        return pages, np.array(places, np.int64).reshape(-1, 2)

    def keys(self) -> Keys:
        """See `Records.keys`.

        While a conversion writes, these may be the keys of several states: each was in the store at
        some time, and every key that was there all the time is included.
        """
        names: list[bytes] = []
        places: list[tuple[int, int]] = []
        states = set()
        for pages, entries in self._leaves():
            names += [name for name, _ in entries]
            places += [place for _, place in entries]
            states.add(pages.fingerprint)
        check_texts(names, self.path)
        # Places from different states are useless: each key will be looked up.
        return Keys.of(names, places, states.pop() if len(states) == 1 else None)

    def walk(self) -> Iterator[str]:
        """See `Records.walk`."""
        for _, entries in self._leaves():
            yield from (name.decode(errors="surrogateescape") for name, _ in entries)

    def _leaves(self) -> Iterator[tuple[Pages, list[tuple[bytes, tuple[int, int]]]]]:
        """All keys with their places, sorted, some at a time, and the state that each are of."""
        pages = self.latest()
        last, n_failed = b"", 0
        while n_failed < _ATTEMPTS_IN_ALL:
            n_failed += 1
            try:
                for entries in pages.leaves(last):
                    if not pages.certain:
                        break
                    yield pages, entries
                    last, n_failed = entries[-1][0], 0
                if pages.certain:
                    return
            except Exception:
                if pages.certain:
                    raise
            self._renew(pages)
            pages = self.pages()
        raise self._too_fast()

    def layout(self, file: File, start: int, stop: int, key: str) -> RecordLayout:
        """See `Records.layout`."""
        try:
            return self._layouts.of(file.data, start, stop)
        except RecordError as error:
            raise StoreError(
                f"{self.path}: patch {key!r} can't be read: {error.message}",
                "Check the store with rico-hdl verify.",
            ) from error

    def layouts(self, keys: Keys) -> Iterator[RecordLayout]:
        """See `Records.layouts`."""
        for first in range(0, len(keys), _HEADERS_AT_ONCE):
            some = keys[first : first + _HEADERS_AT_ONCE]
            yield from self.settled(some, partial(self._layouts_at, some))

    def _layouts_at(self, keys: Keys, located: Sequence[Located]) -> list[RecordLayout]:
        """The layouts of records, once their places are known."""
        (_, file, places), *_ = located
        if self.ahead.cold:
            self.ahead.announce(file, places, HEADER)
        return [
            self.layout(file, start, stop, key)
            for key, (start, stop) in zip(keys, places.tolist(), strict=True)
        ]

    def _unknown(self, key: object) -> UnknownKeyError:
        """An error that names similar keys."""
        hint = "Keys are strings, as store.keys() lists them."
        if isinstance(key, str):
            name = key.encode(errors="replace")
            neighbours = self.of_file(lambda pages: pages.neighbours(name))
            near = [near.decode(errors="replace") for near in neighbours]
            close = get_close_matches(key, near, cutoff=0.8) or near[:1]
            hint = f"Similar: {', '.join(map(repr, close))}." if close else "The store is empty."
        return UnknownKeyError(f"{self.path} has no patch {key!r}", hint)
