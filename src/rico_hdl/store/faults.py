"""What goes wrong with a target, in terms of what the user can do.

In: an error of LMDB or of the system. Out: one of ours, with a hint.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Final

import lmdb

from rico_hdl.errors import StoreError

_SIGNS_OF_NO_SPACE: Final = [
    os.strerror(getattr(errno, name))
    for name in ("ENOSPC", "EDQUOT", "EIO", "EFBIG")
    if hasattr(errno, name)  # Windows has no quotas of this kind
]


def store_error(target: Path, what: str, error: Exception) -> StoreError:
    """The error to raise for one that a target has caused.

    Args:
        target: The folder.
        what: What could not be done.
        error: Why.
    """
    # LMDB reports a write that was cut short, as the last one on a disk that fills, as EIO.
    if any(sign in str(error) for sign in _SIGNS_OF_NO_SPACE):
        hint = (
            "The disk is full, a quota or limit is reached, or the disk fails. What was stored "
            "is safe. Free some space and run the same command again: it continues."
        )
    elif isinstance(error, lmdb.InvalidError | lmdb.CorruptedError | lmdb.VersionMismatchError):
        hint = "It is no LMDB that can be read here, or damaged. Choose another --target-dir."
    else:
        hint = "Check that the folder can be written, and that its disk is there."
    reason = getattr(error, "strerror", None) or str(error).removeprefix(f"{target}: ")
    return StoreError(f"{target}: {what}: {reason}", hint)
