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

_SIGNS_OF_LIMITS: Final = [os.strerror(n) for n in (errno.ENOMEM, errno.EMFILE, errno.ENFILE)]


def store_error(target: Path, what: str, error: Exception) -> RicoError:
    """The error to raise for one caused by a target.

    Args:
        target: The folder.
        what: The action that failed, such as "can't be opened".
        error: The cause.
    """
    if is_limit(error):
        return LimitError(f"{target}: {what}: {_reason(target, error)}")
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
    return StoreError(f"{target}: {what}: {_reason(target, error)}", hint)


def _reason(target: Path, error: Exception) -> str:
    """What an error says, without the target's name in front."""
    said = getattr(error, "strerror", None) or str(error).removeprefix(f"{target}: ")
    return said or "out of memory"


def is_limit(error: Exception) -> bool:
    """Whether an error of LMDB or Python says that the system gives no more memory or files."""
    return isinstance(error, MemoryError) or any(sign in str(error) for sign in _SIGNS_OF_LIMITS)
