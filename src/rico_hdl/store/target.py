"""The target folder: permission to write there and to remove an old store.

In: a folder. Out: the journal, open and locked, or an error that says why the folder can't be used.
"""

from __future__ import annotations

import errno
import os
import stat
import struct
from collections import deque
from io import FileIO
from pathlib import Path
from typing import Final

from rico_hdl.errors import StoreError
from rico_hdl.sources.files import KINDS, open_regular
from rico_hdl.store import georef
from rico_hdl.store.blocks import Gap
from rico_hdl.store.georef import GEOREF_NAME
from rico_hdl.store.journal import JOURNAL_NAME, JournalBlock, scan
from rico_hdl.store.labelling import LABELS_DRAFT_NAME, LABELS_NAME
from rico_hdl.store.locking import try_lock
from rico_hdl.store.manifest import DRAFT_NAME, MANIFEST_NAME
from rico_hdl.system.durable import sync_folder
from rico_hdl.values import printable

DATA_NAME: Final = "data.mdb"
LOCK_NAME: Final = "lock.mdb"
LABEL_FILES: Final = (LABELS_NAME, LABELS_DRAFT_NAME)
_OWN_NAMES: Final = (DATA_NAME, LOCK_NAME, JOURNAL_NAME, GEOREF_NAME, MANIFEST_NAME, DRAFT_NAME)

_LOCK_MAGIC: Final = struct.pack("=I", 0xBEEFC0DE)  # MDB_MAGIC, at the beginning of MDB_txninfo
_FLAGS: Final = (
    getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NONBLOCK", 0)
)
"""For files that were checked: nothing that appears since then is followed or waited for."""
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
    check_files(folder)
    path = folder / JOURNAL_NAME
    if path.exists() and os.access(path, os.R_OK | os.W_OK):
        # Otherwise a user would learn only after minutes of planning that another conversion is
        # writing. The file is open for writing, though nothing is written, because NFS gives
        # exclusive locks only to writers.
        with FileIO(os.open(path, os.O_RDWR | _FLAGS), "r+") as file:
            if not try_lock(file):
                raise _busy(folder)


def check_files(folder: Path) -> None:
    """Check that writing to a store touches no file but its own.

    A link would be followed and a pipe waited for; another tool's file would be overwritten.

    Raises:
        StoreError: The folder holds something else under the name of one of the store's files.
    """
    for name in (*_OWN_NAMES, *LABEL_FILES):
        found = _stranger(folder / name)
        if found:
            raise StoreError(
                f"{folder / name} is {found}, expected a file of rico-hdl's own",
                "It is neither followed nor overwritten. Move it away, or choose another "
                "--target-dir. To keep a store on another disk, make --target-dir itself a link.",
            )
    for name, is_own in (
        (LOCK_NAME, _is_lock),
        (JOURNAL_NAME, _is_own_journal),
        (GEOREF_NAME, _is_own_georef),
    ):
        if not is_own(folder / name):
            raise StoreError(
                f"{folder / name} was not written by rico-hdl or LMDB, so it is not overwritten",
                "Move it away, or choose another --target-dir.",
            )


def _stranger(path: Path) -> str:
    """What is at the path of a file, if it is not a regular file with this one name."""
    try:
        status = path.lstat()
    except OSError:
        return ""
    if stat.S_ISLNK(status.st_mode):
        return f"a symbolic link to {printable(str(path.readlink()))}"
    if not stat.S_ISREG(status.st_mode):
        return KINDS.get(stat.S_IFMT(status.st_mode), "no regular file")
    return f"a hard link: its file has {status.st_nlink} names" if status.st_nlink > 1 else ""


def _is_lock(path: Path) -> bool:
    """Whether a file may be LMDB's lock file; true if there is none, or if it can't be read."""
    head = _head(path)
    return head in (b"", bytes(len(head)), _LOCK_MAGIC)


def _is_own_journal(path: Path) -> bool:
    """Whether a file may be a journal, damaged or not; true if there is none."""
    if _head(path) == b"" or _is_journal(path):
        return True
    # A journal whose only block is damaged is known by the database next to it, even if a crash
    # took the manifest. Whatever it holds, blocks are only appended.
    return (path.parent / DATA_NAME).exists()


def _is_own_georef(path: Path) -> bool:
    """Whether a file may be a side-car, damaged or not; true if there is none."""
    if _head(path) == b"" or (path.parent / DATA_NAME).exists():
        return True
    return georef.is_own(path)


def _is_journal(path: Path) -> bool:
    """Whether a file holds a block of a journal, or what a crash may leave of one."""
    return any(isinstance(part, JournalBlock) or part.torn for part in scan(path))


def _is_manifest(path: Path) -> bool:
    """Whether a file may be a manifest, damaged or not."""
    try:
        with os.fdopen(open_regular(path), "rb") as file:
            return b"rico-hdl" in file.read()
    except OSError:
        return False


def _head(path: Path) -> bytes:
    """The first bytes of a file, as many as LMDB's magic number has; none if it can't be read."""
    try:
        with FileIO(open_regular(path)) as file:
            return file.read(len(_LOCK_MAGIC)) or b""
    except OSError:
        return b""


def open_journal(folder: Path) -> FileIO:
    """Open the journal for appending, and keep other writers out until it is closed.

    Raises:
        OSError: It can't be opened.
        StoreError: Another conversion is writing there.
    """
    check_files(folder)
    flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | _FLAGS
    file = FileIO(os.open(folder / JOURNAL_NAME, flags, 0o666), "a+")
    if not try_lock(file):
        file.close()
        raise _busy(folder)
    return file


def open_georef(folder: Path) -> FileIO:
    """Open the side-car for appending, and keep other writers out until it is closed.

    What follows the last intact block is cut off.

    Raises:
        OSError: It can't be opened.
        StoreError: Another process is writing to it.
    """
    path = folder / GEOREF_NAME
    flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | _FLAGS
    file = FileIO(os.open(path, flags, 0o666), "a+")
    if not try_lock(file):
        file.close()
        raise _busy(folder)
    try:
        (last,) = deque(georef.raw_parts(path), 1) or (None,)
        if isinstance(last, Gap):
            file.truncate(last.start)
    except BaseException:
        file.close()
        raise
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
    return _is_manifest(folder / MANIFEST_NAME) or _is_journal(folder / JOURNAL_NAME)


def remove_store(folder: Path, journal: FileIO) -> None:
    """Remove a store that rico-hdl wrote, and empty its journal.

    Raises:
        OSError: A file can't be removed. The rest is still recognised as rico-hdl's.
    """
    for name in (*LABEL_FILES, MANIFEST_NAME, DATA_NAME, LOCK_NAME, GEOREF_NAME):
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
    file = os.open(folder / LOCK_NAME, os.O_RDWR | os.O_CREAT | _FLAGS, 0o644)
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
