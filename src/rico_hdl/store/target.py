"""The target folder: permission to write there and to remove an old store.

In: a folder. Out: the journal, open and locked, or an error that says why the folder can't be used.
"""

from __future__ import annotations

import errno
import os
from io import FileIO
from pathlib import Path
from typing import Final

from rico_hdl.errors import StoreError
from rico_hdl.store.journal import JOURNAL_NAME
from rico_hdl.store.locking import try_lock
from rico_hdl.store.manifest import MANIFEST_NAME, sync_folder

DATA_NAME: Final = "data.mdb"
LOCK_NAME: Final = "lock.mdb"

_LOCK_BYTES: Final = 8192  # LMDB's lock file for its default of 126 readers


def check_target(folder: Path) -> None:
    """Check, before a long plan, that a target can be written to. Nothing is changed.

    Raises:
        StoreError: The target or one of its parents is a file, or may not be written to.
    """
    there = next(path for path in (folder, *folder.parents) if path.exists())
    if not there.is_dir():
        what = "is a file" if there == folder else f"can't be created: {there} is a file"
        raise StoreError(f"{folder} {what}, expected a folder", "Choose another --target-dir.")
    if not os.access(there, os.W_OK | os.X_OK):
        raise StoreError(
            f"{folder} can't be written: no permission in {there}, or its disk is read-only",
            "Choose another --target-dir, or change the permissions.",
        )
    path = folder / JOURNAL_NAME
    if path.exists() and os.access(path, os.R_OK | os.W_OK):
        # Otherwise a user would learn only after minutes of planning that another conversion is
        # writing. The file is open for writing, though nothing is written, because NFS gives
        # exclusive locks only to writers.
        with path.open("r+b", buffering=0) as file:
            if not try_lock(file):
                raise _busy(folder)


def open_journal(folder: Path) -> FileIO:
    """Open the journal for appending, and keep other writers out until it is closed.

    Raises:
        OSError: It can't be opened.
        StoreError: Another conversion is writing there.
    """
    file = (folder / JOURNAL_NAME).open("a+b", buffering=0)
    if not try_lock(file):
        file.close()
        raise _busy(folder)
    return file


def check_ours(folder: Path) -> None:
    """Check that a store may be removed, before opening its journal creates one.

    Raises:
        StoreError: Another tool wrote the store.
    """
    path = folder / DATA_NAME
    if path.exists() and not is_ours(folder):
        raise StoreError(
            f"{path} was not written by this rico-hdl, so it is not overwritten",
            "Choose another --target-dir, or remove the file yourself.",
        )


def is_ours(folder: Path) -> bool:
    """Whether rico-hdl has left its notes in a folder."""
    note = folder / JOURNAL_NAME
    return (note.exists() and note.stat().st_size > 0) or (folder / MANIFEST_NAME).exists()


def remove_store(folder: Path, journal: FileIO) -> None:
    """Remove a store that rico-hdl wrote, and empty its journal.

    Raises:
        OSError: A file can't be removed. The rest is still recognised as rico-hdl's.
    """
    for name in (MANIFEST_NAME, DATA_NAME, LOCK_NAME):
        (folder / name).unlink(missing_ok=True)
    # The journal is emptied last, even if the power fails: without it, records that reappear would
    # be taken for those of another tool.
    sync_folder(folder)
    journal.truncate(0)


def reserve_lock(folder: Path) -> None:
    """Reserve disk space for LMDB's lock file.

    LMDB creates it as a sparse file and writes through a map, which on a full disk ends the
    process.

    Raises:
        OSError: There is not enough space.
    """
    if not hasattr(os, "posix_fallocate"):
        return
    file = os.open(folder / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        os.posix_fallocate(file, 0, _LOCK_BYTES)
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
            raise
    finally:
        os.close(file)


def _busy(folder: Path) -> StoreError:
    return StoreError(
        f"{folder}: another conversion is writing there",
        "Wait until it is done, or choose another --target-dir.",
    )
