"""The protocol of a file with records: ``data.mdb``, or copies of some of its records."""

from __future__ import annotations

import mmap
from typing import Protocol


class File(Protocol):
    """Memory that holds records."""

    data: mmap.mmap
    """All its bytes."""

    @property
    def certain(self) -> bool:
        """Whether all bytes copied from it so far are those of one committed state."""
        ...

    def will_need(self, start: int, n_bytes: int) -> None:
        """Ask the system to read a part of it into its cache, without waiting for it."""
        ...
