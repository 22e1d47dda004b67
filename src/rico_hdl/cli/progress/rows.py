"""Counts of one source, and what follows from them: a share, a rate, a time left.

In: counts, and the time whenever they are sampled. Out: numbers. Nothing is shown here.
"""

from __future__ import annotations

from collections import deque
from typing import Final

RATE_SECONDS: Final = 10.0
"""The moving window of rates."""
LEFT_SECONDS: Final = 30.0
"""The moving window of the time left: longer, because a time that jumps can't be trusted."""
_ENOUGH_SECONDS: Final = 1.0
"""A rate over less time says more about buffers than about speed."""
_ENOUGH_SECONDS_LEFT: Final = 3.0
_SAMPLED: Final = ("n_new", "n_present", "n_bytes", "position")


class Row:
    """One modality of a conversion, or all records of a verification.

    One thread changes the counts, and another may sample them.
    """

    def __init__(self, n_total: int | None = None, unit: str = "patches") -> None:
        self.n_total = n_total
        """Patches to come, or None where they are unknown, as in archives."""
        self.unit = unit
        self.n_new = 0
        """Patches stored, or records read."""
        self.n_present = 0
        """Patches that were stored before."""
        self.n_failed = 0
        """Patches of ``n_total`` that were left out, minus those that ``n_total`` does not count
        and that are still to be reported as failures."""
        self.n_bytes = 0
        """Bytes of the new ones' records."""
        self.archive = ""
        """The path of the archive that is being read."""
        self.n_archive_bytes = self.n_archive_bytes_read = 0
        self.began: float | None = None
        """When its first patch was begun."""
        self.changed = 0.0
        """When its counts last changed."""
        self._samples: deque[dict[str, float]] = deque()
        self._sampled_archive = ""
        self._new_since: float | None = None

    @property
    def n_done(self) -> int:
        """Patches that are stored."""
        return self.n_new + self.n_present

    @property
    def position(self) -> int:
        """How far it is: bytes of the archive, or patches."""
        return self.n_archive_bytes_read if self.archive else self.n_done + max(0, self.n_failed)

    @property
    def size(self) -> int | None:
        """How far it goes; None if that is unknown."""
        return self.n_archive_bytes if self.archive else self.n_total

    @property
    def share(self) -> float | None:
        """The part that is done, from 0 to 1; None if that is unknown."""
        if self.size is None:
            return None
        return min(1.0, self.position / self.size) if self.size else 1.0

    @property
    def is_finished(self) -> bool:
        """Whether all patches, or all bytes of the archive, are done."""
        return self.share == 1.0 and self.began is not None

    @property
    def seconds(self) -> float:
        """How long it has been worked on."""
        return 0.0 if self.began is None else self.changed - self.began

    def change(self, now: float, since: float) -> None:
        """Note that the counts have changed, and that work on them began at ``since`` or before."""
        if self.began is None:
            self.began = since
        self.changed = now

    def sample(self, now: float) -> None:
        """Remember the counts as they are now, for rates."""
        if self.began is None:
            return
        if self._sampled_archive != self.archive:  # positions in another one can't be compared
            self._sampled_archive, self._new_since = self.archive, None
        before = self._samples[-1]["n_new"] if self._samples else self.n_new
        self._samples.append({"time": now} | {count: getattr(self, count) for count in _SAMPLED})
        # Patches that are there already take next to no time: what they say about the speed is
        # forgotten with the first new one.
        if self._new_since is None and self.n_new > before:
            self._new_since = now
        while self._samples[0]["time"] < now - LEFT_SECONDS:
            self._samples.popleft()

    def _recent(self, count: str, window: float, enough: float) -> float | None:
        """How much a count grew per second; None if there is too little to say."""
        if not self._samples:
            return None
        last = self._samples[-1]
        since = max(last["time"] - window, self._new_since or 0.0)
        first = next(sample for sample in self._samples if sample["time"] >= since)
        elapsed = last["time"] - first["time"]
        return (last[count] - first[count]) / elapsed if elapsed >= enough else None

    def per_second(self, count: str) -> float | None:
        """The rate over the last seconds, or over all the time of a row that is finished."""
        if not self.is_finished:
            return self._recent(count, RATE_SECONDS, _ENOUGH_SECONDS)
        total: int = getattr(self, count)
        return total / self.seconds if self.seconds >= _ENOUGH_SECONDS else None

    @property
    def is_checking(self) -> bool:
        """Whether most of what it comes to is stored already."""
        return (self.per_second("n_present") or 0.0) > (self.per_second("n_new") or 0.0)

    @property
    def rate(self) -> float | None:
        """Patches per second: new ones, or those that are there already if they are more."""
        return self.per_second("n_present" if self.is_checking else "n_new")

    @property
    def seconds_left(self) -> float | None:
        """How long the rest takes; None where there is too little to say."""
        if self.size is None or self.is_finished or self._new_since is None:
            return None
        speed = self._recent("position", LEFT_SECONDS, _ENOUGH_SECONDS_LEFT)
        return max(0, self.size - self.position) / speed if speed and speed > 0 else None
