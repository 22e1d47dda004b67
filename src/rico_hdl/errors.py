"""The errors that rico-hdl raises on purpose.

Every message says what is wrong, where, and what was expected and found; the hint says what to do
next. The command line prints both and exits with the class's exit code; it never shows a traceback
for one of these.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

_EMPTY: Mapping[str, object] = MappingProxyType({})


class RicoError(Exception):
    """The base of every error raised on purpose.

    Args:
        message: What is wrong, where, and what was expected and found.
        hint: What the user can do about it; may span several lines.
    """

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n{self.hint}" if self.hint else self.message

    @property
    def message(self) -> str:
        """The message without the hint."""
        return str(self.args[0])


class UsageError(RicoError):
    """A call or command line that can't be carried out as it stands."""

    exit_code = 2


class UnknownKeyError(UsageError, KeyError):
    """A key that a store does not have."""


class UnknownBandError(UsageError):
    """A band or preset that a patch does not have."""


class SizeError(UsageError):
    """Patches whose bands are not of the size that was asked for, or not all of one size."""

    def __init__(self, message: str, hint: str = "", keys: Sequence[str] = ()) -> None:
        super().__init__(message, hint)
        self.keys = tuple(keys)
        """The patches at fault."""


class SpecError(RicoError):
    """A dataset spec or a template that contradicts itself."""

    exit_code = 3


class SourceError(RicoError):
    """A source that can't be used: missing, empty, or not what the spec describes."""

    exit_code = 3


class StoreError(RicoError):
    """A target that can't be used: not writable, full, damaged, or somebody else's."""

    exit_code = 4


class ArchiveError(RicoError):
    """An archive, or a member of it, that is damaged or beyond a bound."""


class IncompleteArchiveError(ArchiveError):
    """An archive that was read to its end, and of which something can't be accounted for.

    Whatever it gave is as sound as its format can tell, but members may be missing.
    """


class TiffError(RicoError):
    """A file that can't be decoded without doubt about its pixels."""


class RecordError(RicoError):
    """Bytes that are no record, or arrays that can't be stored as one."""


class InterruptedRunError(RicoError):
    """A conversion or verification stopped by a signal; the same call continues a conversion."""

    exit_code = 130

    def __init__(
        self, message: str, hint: str = "", summary: Mapping[str, object] = _EMPTY
    ) -> None:
        super().__init__(message, hint)
        self.summary = summary
        """What was done until then: the JSON-ready form of `rico_hdl.Summary`."""
