"""Opening a store."""

from __future__ import annotations

import os

from rico_hdl.reading.records import MappedRecords
from rico_hdl.reading.store import Store


def open(path: str | os.PathLike[str]) -> Store:  # noqa: A001 - as gzip.open and others
    """Open a store for reading, including one that the original rico-hdl wrote.

    Args:
        path: The folder that holds ``data.mdb``.

    Raises:
        StoreError: There is no store.
    """
    MappedRecords(path).check()
    return Store(path)
