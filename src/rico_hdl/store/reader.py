"""Reading an LMDB that is not being written.

In: a target folder. Out: keys and values, as views into the file. It takes no lock and writes
nothing, so it works on read-only disks and network mounts.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import lmdb

from rico_hdl.errors import StoreError
from rico_hdl.store.length import check_length
from rico_hdl.store.target import DATA_NAME


class StoreReader:
    """An LMDB open for reading, possibly written by the original rico-hdl. A context manager.

    May be used from several threads, each with its own transaction.

    Args:
        target: The folder that holds ``data.mdb``.

    Raises:
        StoreError: There is no such file, or it is not an LMDB.
    """

    def __init__(self, target: Path) -> None:
        self.target = target
        path = target / DATA_NAME
        if not path.is_file():
            what = f"there is no {DATA_NAME}" if target.is_dir() else "no such folder"
            raise StoreError(
                f"{target}: {what}", "Give the folder that the conversion wrote: its --target-dir."
            )
        self.n_file_bytes = path.stat().st_size
        try:
            check_length(path)
            self._env = lmdb.open(
                os.fspath(target), readonly=True, lock=False, create=False, max_dbs=0
            )
        except (lmdb.Error, OSError) as error:
            reason = str(error).removeprefix(f"{target}: ")
            raise StoreError(f"{target}: {DATA_NAME} can't be read: {reason}") from error
        self.n_entries = int(self._env.stat()["entries"])

    @contextmanager
    def transaction(self) -> Iterator[Callable[[bytes], memoryview | None]]:
        """A function for one thread that returns the record of a key, or None.

        Its results are views into the file that are valid as long as the context lasts. It raises a
        StoreError if the file is damaged.
        """
        with self._guarded(), self._env.begin(buffers=True) as txn:

            def get(key: bytes) -> memoryview | None:
                with self._guarded():
                    return txn.get(key)

            yield get

    def records(self) -> Iterator[tuple[bytes, memoryview]]:
        """All keys and values, sorted by key; a value is valid until the next iteration.

        Raises:
            StoreError: The file is damaged.
        """
        with self._guarded(), self._env.begin(buffers=True) as txn, txn.cursor() as cursor:
            for key, value in cursor:
                yield bytes(key), value

    def keys(self) -> Generator[bytes, None, None]:
        """All keys, sorted.

        Raises:
            StoreError: The file is damaged.
        """
        with self._guarded(), self._env.begin() as txn, txn.cursor() as cursor:
            yield from cursor.iternext(keys=True, values=False)

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            yield
        except lmdb.Error as error:
            raise StoreError(f"{DATA_NAME} has a damaged structure: {error}") from error

    def close(self) -> None:
        """Close the file; views into it must no longer be used."""
        self._env.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
