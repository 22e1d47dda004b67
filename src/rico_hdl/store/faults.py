"""Errors of LMDB and of the operating system, translated into ours with a hint."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Final

import lmdb

from rico_hdl.errors import LimitError, RicoError, StoreError

_SIGNS_OF_NO_SPACE: Final = [
    os.strerror(getattr(errno, name))
    for name in ("ENOSPC", "EDQUOT", "EIO", "EFBIG")
    if hasattr(errno, name)  # Windows has no quotas of this kind
]


def store_error(target: Path, what: str, error: Exception) -> RicoError:
    """The error to raise for one caused by a target.

    Args:
        target: The folder.
        what: The action that failed, such as "can't be opened".
        error: The cause.
    """
    if is_out_of_memory(error):
        return LimitError(f"{target}: {what}: {os.strerror(errno.ENOMEM)}")
    # LMDB reports a short write, such as the last one before a disk is full, as EIO.
    if any(sign in str(error) for sign in _SIGNS_OF_NO_SPACE):
        hint = (
            "The disk is full or failing, or a quota or limit is reached. The records stored so "
            "far are safe. Free some space and run the same command again: it continues."
        )
    elif isinstance(error, lmdb.InvalidError | lmdb.CorruptedError | lmdb.VersionMismatchError):
        hint = "It is damaged, or not an LMDB that can be read here. Choose another --target-dir."
    else:
        hint = "Check that the folder is writable and that its disk is available."
    reason = getattr(error, "strerror", None) or str(error).removeprefix(f"{target}: ")
    return StoreError(f"{target}: {what}: {reason}", hint)


def is_out_of_memory(error: Exception) -> bool:
    """Whether an error of LMDB or Python says that there is no memory or address space."""
    return isinstance(error, MemoryError) or os.strerror(errno.ENOMEM) in str(error)
