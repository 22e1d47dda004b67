"""The errors that rico-hdl raises on purpose.

Every message says what is wrong, where, and what was expected and found; the hint says what to do
next. The command line prints both, exits with the class's exit code, and never shows a traceback.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

_EMPTY: Mapping[str, object] = MappingProxyType({})


class RicoError(Exception):
    """Base class of every error raised on purpose.

    Args:
        message: What is wrong, where, and what was expected and found.
        hint: What the user can do about it; may have several lines.
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
    """A call or command line that can't be carried out as given."""

    exit_code = 2


class UnknownKeyError(UsageError, KeyError):
    """A key that a store does not have."""


class UnknownBandError(UsageError):
    """A band or preset that a patch does not have."""


class SizeError(UsageError):
    """Patches whose bands differ in size, from the requested size or from each other."""

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
    """A target that can't be used: not writable, full, damaged, or another tool's."""

    exit_code = 4


class LimitError(RicoError):
    """A limit of the system or of this process: memory, address space, threads, open files."""

    exit_code = 71  # EX_OSERR of sysexits.h

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"the system refuses memory, a thread or a file: {reason}",
            "Raise the limit (ulimit -v, -u, -n, a container's or a job's memory), or use fewer "
            "threads: --num-workers. Everything that was committed is kept, and the same command "
            "continues.",
        )


class ArchiveError(RicoError):
    """An archive or archive member that is damaged or exceeds a limit."""


class IncompleteArchiveError(ArchiveError):
    """An archive that was read to its end, but not fully accounted for.

    Its members are intact as far as its format can show, but some may be missing.
    """


class UnsupportedArchiveError(ArchiveError):
    """An archive that is intact but, from some place on, in a form that is not supported.

    The members before that place are intact as far as its format can show.
    """


class MemberError(ArchiveError):
    """A member that can't be read, in an archive that goes on behind it."""


class DecodingError(RicoError):
    """A file that can't be decoded without doubt about its pixels."""


class TiffError(DecodingError):
    """A TIFF file that can't be decoded without doubt about its pixels."""


class MemoryLimitError(RicoError):
    """A file or patch that would take more memory than it may.

    Args:
        n_bytes: The memory that it would take, in bytes.
    """

    def __init__(self, n_bytes: int) -> None:
        super().__init__(f"needs about {n_bytes:,} bytes of memory")
        self.n_bytes = n_bytes
        """The memory that it would take, in bytes."""


class RecordError(RicoError):
    """Bytes that are not a record, or arrays that can't be stored as one."""


class InterruptedRunError(RicoError):
    """A conversion or verification stopped by a signal; the same call continues a conversion."""

    exit_code = 130

    def __init__(
        self, message: str, hint: str = "", summary: Mapping[str, object] = _EMPTY
    ) -> None:
        super().__init__(message, hint)
        self.summary = summary
        """What was done before the interruption: the JSON-ready form of `rico_hdl.Summary`."""
