"""What a file with records can be asked, be it ``data.mdb`` or copies of some records."""

from __future__ import annotations

import mmap
from typing import Protocol


class File(Protocol):
    """Memory that holds records."""

    data: mmap.mmap
    """All its bytes."""

    @property
    def certain(self) -> bool:
        """Whether all that was copied out of it until now is as it was after one commit."""
        ...

    def will_need(self, start: int, n_bytes: int) -> None:
        """Have the system read a part of it into its cache, without waiting for it."""
        ...
