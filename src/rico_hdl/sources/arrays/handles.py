"""Open HDF5 files: few at a time, each used by one thread at a time.

HDF5 runs one call at a time in the whole process, whatever the file, so a single lock costs
nothing. Only the calls of HDF5 are in it: chunks are decompressed outside. Two threads that read
106 kB of gzip through h5py got 969 patches a second, one alone 1,088; with chunks read here and
decompressed outside, they got 2,077, on two busy processors.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import RLock
from typing import Any, Final

from rico_hdl.decoding.arrays.hdf5 import dataset_at, opened_in_memory
from rico_hdl.errors import ArchiveError
from rico_hdl.sources.arrays.stored import StoredFile
from rico_hdl.sources.files import open_regular

MAX_OPEN: Final = 16
"""Files that are kept open. Workers are behind the thread that finds patches, by as many patches as
a conversion has in flight, so a folder of small files needs some."""


_MAX_DATASETS: Final = 64
"""Datasets of a file that are kept open; finding one again takes longer than reading a patch."""


class OpenedHdf5:
    """An open HDF5 file, and its datasets that were used.

    Args:
        file: The file as h5py's object.
    """

    def __init__(self, file: Any) -> None:  # noqa: ANN401 - h5py ships no types
        self.file = file
        self._datasets: dict[str, Any] = {}

    def dataset(self, path: str) -> Any:  # noqa: ANN401 - see above
        """The dataset at a path; see `rico_hdl.decoding.arrays.hdf5.dataset_at`."""
        found = self._datasets.get(path)
        if found is None:
            if len(self._datasets) >= _MAX_DATASETS:
                self._datasets.clear()
            found = self._datasets[path] = dataset_at(self.file, path)
        return found

    def close(self) -> None:
        """Close the file."""
        self._datasets.clear()
        self.file.close()


class Hdf5Handles:
    """The open files of an archive. They are closed with the last reference to this object."""

    def __init__(self) -> None:
        self._lock = RLock()
        self._open: dict[StoredFile, OpenedHdf5] = {}
        weakref.finalize(self, _close_all, self._open)

    @contextmanager
    def use(self, stored: StoredFile) -> Iterator[OpenedHdf5]:
        """A file, opened; no other thread has a file at the same time.

        Raises:
            OSError: The file can't be opened.
            ArchiveError: It is damaged, or no HDF5 file.
        """
        with self._lock:
            file = self._open.pop(stored, None)
            if file is None:
                file = OpenedHdf5(_opened(stored))
            self._open[stored] = file  # the last one is the newest
            while len(self._open) > MAX_OPEN:
                self._open.pop(next(iter(self._open))).close()
            yield file

    def close(self, stored: StoredFile) -> None:
        """Close a file that is not needed any more, if it is open."""
        with self._lock:
            file = self._open.pop(stored, None)
            if file is not None:
                file.close()


def _opened(stored: StoredFile) -> Any:  # noqa: ANN401 - h5py ships no types
    import h5py  # noqa: PLC0415 - takes a fifth of a second; other formats don't need it

    if stored.data is None:
        # An error if it is missing, or a pipe, which HDF5 would wait for.
        os.close(open_regular(stored.path))
    try:
        if stored.data is not None:
            return h5py.File(opened_in_memory(stored.data))
        # Chunks are not kept: each is read once.
        return h5py.File(stored.path, "r", rdcc_nbytes=0)
    except (OSError, RuntimeError, ValueError, LookupError, TypeError, MemoryError) as error:
        raise ArchiveError(
            f"is no HDF5 file, or damaged or cut short: {' '.join(str(error).split())}"
        ) from error


def _close_all(files: dict[StoredFile, OpenedHdf5]) -> None:
    while files:
        with suppress(Exception):  # at the end of the process, h5py may be gone
            files.popitem()[1].close()
