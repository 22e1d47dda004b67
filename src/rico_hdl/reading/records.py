"""The records of a store: where each one lies, how it is laid out, and what they are together.

In: a target folder and keys. Out: the file, mapped once for each process on first use, and places
in it. What is learned is kept and travels with a pickle where it is the same elsewhere; the file
does not. No pixel is touched.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

import numpy as np

from rico_hdl.errors import RecordError, StoreError, UnknownKeyError
from rico_hdl.reading import catalogue
from rico_hdl.reading.catalogue import Catalogue
from rico_hdl.reading.keys import Keys, Offsets
from rico_hdl.reading.layouts import Layouts, RecordLayout
from rico_hdl.reading.readahead import HEADER, ReadAhead
from rico_hdl.store import DATA_NAME, Pages

_HEADERS_AT_ONCE: Final = 512
"""Records whose headers are announced to the system together, where they come from a disk."""


class Records:
    """What readers of a store share. Safe for threads and forks, and can be pickled.

    Args:
        path: The folder that holds ``data.mdb``.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(os.path.abspath(Path(path).expanduser()))  # noqa: PTH100 - keeps links
        """The folder, absolute."""
        self._known: Catalogue | None = None
        self._begin()

    def _begin(self) -> None:
        """Set what does not travel."""
        self.closed = False
        """Whether it was closed."""
        self.ahead = ReadAhead()
        """Whether reading waits for a disk."""
        self._layouts = Layouts()
        self._pages: Pages | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path, "_known": self._known}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._begin()

    def check(self) -> None:
        """Make sure that there is a store, without opening it.

        Raises:
            StoreError: There is none.
        """
        if not (self.path / DATA_NAME).is_file():
            what = f"there is no {DATA_NAME}" if self.path.is_dir() else "no such folder"
            raise StoreError(f"{self.path}: {what}", "Name the folder of a store.")

    def close(self) -> None:
        """Let go of the file, as soon as nobody reads from it any more."""
        self.closed = True
        self._pages = None

    def pages(self) -> Pages:
        """The file, mapped.

        Raises:
            StoreError: It was closed, or can't be read.
        """
        pages = self._pages
        if pages is None:
            if self.closed:
                raise StoreError(f"{self.path} is closed", "Open it again with rico_hdl.open.")
            # Two threads may both come here: one of the two maps goes away at once.
            pages = self._pages = Pages(self.path)
            if self.closed:  # in the meantime, by another thread
                self._pages = None
        return pages

    @property
    def catalogue(self) -> Catalogue:
        """What the store holds."""
        if self._known is None:
            self._known = catalogue.read(self.path, self.pages(), self._layouts, self.ahead)
        return self._known

    def place(self, key: str) -> tuple[Pages, int, int]:
        """The file, and where a key's record starts and stops in it.

        Raises:
            UnknownKeyError: There is none.
            StoreError: It was closed, or is damaged.
        """
        pages = self._pages or self.pages()
        try:
            found = pages.find(key.encode())
        except (AttributeError, UnicodeEncodeError):  # no text, or none that could be stored
            raise self._unknown(pages, key) from None
        except StoreError:
            # Somebody may have written to it: pages that were the tree's can be others by now.
            if pages.current:
                raise
            found = None
        if found is None:
            if pages.current:
                raise self._unknown(pages, key)
            self._pages = None
            return self.place(key)
        return pages, *found

    def places(self, keys: Sequence[str]) -> tuple[Pages, Offsets]:
        """The file, and where the records of some keys start and stop in it, of shape (n, 2).

        Raises:
            UnknownKeyError: There is none for a key.
            StoreError: It was closed, or is damaged.
        """
        pages = self.pages()
        if isinstance(keys, Keys) and keys.fingerprint == pages.fingerprint:
            return pages, keys.places
        places = []
        for key in keys:
            found, start, stop = self.place(key)
            if found is not pages:  # it was written to, and is mapped anew
                return self.places(keys)
            places.append((start, stop))
        return pages, np.array(places, np.int64).reshape(-1, 2)

    def layout(self, pages: Pages, start: int, stop: int, key: str) -> RecordLayout:
        """How the record that lies there is laid out.

        Raises:
            StoreError: It is no record.
        """
        try:
            return self._layouts.of(pages.data, start, stop)
        except RecordError as error:
            raise StoreError(
                f"{self.path}: patch {key!r} can't be read: {error.message}",
                "Look at the store with rico-hdl verify.",
            ) from error

    def layouts(self, pages: Pages, keys: Keys) -> Iterator[RecordLayout]:
        """How the records of some keys are laid out.

        Raises:
            StoreError: One of them is no record.
        """
        for first in range(0, len(keys), _HEADERS_AT_ONCE):
            some = keys[first : first + _HEADERS_AT_ONCE]
            pages, places = self.places(some)
            if self.ahead.cold:
                self.ahead.announce(pages, places, HEADER)
            for key, (start, stop) in zip(some, places.tolist(), strict=True):
                yield self.layout(pages, start, stop, key)

    def _unknown(self, pages: Pages, key: object) -> UnknownKeyError:
        """An error that says which keys are alike."""
        hint = "Keys are texts, as store.keys() lists them."
        if isinstance(key, str):
            near = [name.decode() for name in pages.neighbours(key.encode(errors="replace"))]
            close = get_close_matches(key, near, cutoff=0.8) or near[:1]
            hint = f"There is {' and '.join(map(repr, close))}." if close else "It is empty."
        return UnknownKeyError(f"{self.path} has no patch {key!r}", hint)
