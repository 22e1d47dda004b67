"""The immutable values that pass from the plan to the workers and back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, NamedTuple

from rico_hdl.sources import Reads
from rico_hdl.spec import Modality
from rico_hdl.spec.containers import CONTAINER_SUFFIXES

if TYPE_CHECKING:
    from rico_hdl.decoding.geotags import KeptTags

MAX_KEY_BYTES: Final = 511
"""LMDB's own limit in every release with default build options (mdb_env_get_maxkeysize)."""


class Patch(NamedTuple):
    """One sample's raster, to be stored as one record."""

    key: str
    """Its name in the store."""
    modality: Modality
    """Its bands and their arrangement in files."""
    source: Reads
    """The source that its files are read from."""
    paths: tuple[str, ...]
    """Its files, relative to the source, in the order of the modality's ``band_files``: one per
    token of a band, or one with all bands."""

    @property
    def fields(self) -> dict[str, str]:
        """The values of its path's fields, also of those that its key lacks, such as a class."""
        return self.modality.fields_of(self.paths[0]) or {}


Layout = tuple[tuple[str, str, tuple[int, ...]], ...]
"""(band, numpy name of the dtype, shape) of each band of a record, sorted by band."""


class Origin(NamedTuple):
    """The modality and source of a record."""

    modality: str
    """The modality's name; empty if unknown."""
    location: str
    """The source's location; empty if unknown."""


class Record(NamedTuple):
    """A patch that was read and encoded."""

    key: bytes
    """The key in UTF-8."""
    origin: Origin
    """Its modality and the source it was read from."""
    data: bytes
    """The safetensors bytes."""
    digest: int
    """The 128-bit digest of key and bytes; see `rico_hdl.store.digest`."""
    layout: Layout
    """Its bands."""
    constant: bool
    """Whether each of its bands has one value in all pixels."""
    tags: KeptTags | None = None
    """What its files say beyond pixels; None if they are of a kind that says nothing."""
    time: int | None = None
    """Milliseconds since 1970 in UTC, if the path of its files tells a time that its key lacks."""


@dataclass(frozen=True, slots=True)
class PatchFailure:
    """A patch that was left out, and why."""

    kind: ClassVar[Literal["patch"]] = "patch"
    """The kind of failure, in reports and in the manifest."""
    key: str
    """The patch's key, as far as it is known."""
    modality: str
    """The modality's name."""
    path: str
    """The file or folder at fault, prefixed with the source's location."""
    band: str | None
    """The band at fault; None for the patch as a whole."""
    reason: str
    """What is wrong, what was expected and what was found."""

    def to_dict(self) -> dict[str, str | None]:
        """JSON-ready."""
        return json_ready({"kind": self.kind, **asdict(self)})

    def __str__(self) -> str:
        known = self.band is None or self.band in self.reason
        band = "" if known else f", band {self.band}"
        return f"{self.key}{band}: {self.reason} ({self.path})"


ArchiveFailureKind = Literal["damaged", "incomplete", "checksum", "unsupported"]


@dataclass(frozen=True, slots=True)
class ArchiveFailure:
    """An archive that can't be trusted as a whole, and why.

    Until the failure is settled, every patch from the archive is compared with the next source
    that has it. Patches that differ are replaced, unless they are not in doubt.
    """

    kind: ArchiveFailureKind
    """``damaged``: the archive can't be read to its end, or members may not be what they seem.
    ``incomplete``: it was read to its end and the patches read are not in doubt, but others may be
    missing, since parts of it can't be accounted for. ``checksum``: its MD5 sum is not the
    published one, or can't be computed. ``unsupported``: the patches read are not in doubt, but the
    rest is in a form that can't be read."""

    modality: str
    """The modality's name."""
    path: str
    """The archive's location."""
    reason: str
    """What is wrong, what was expected and what was found."""

    if not TYPE_CHECKING:
        # Scripts for version 0.1.0 read these from every failure. This package checks the type
        # instead, as mypy enforces: it does not see these two.
        key = ""
        band = None

    @property
    def state(self) -> str:
        """The state of the archive, for messages."""
        if self.kind == "unsupported":
            return "read in part"
        return "incomplete" if self.kind == "incomplete" else "damaged"

    @property
    def leaves_doubt(self) -> bool:
        """Whether the patches that were read from the archive are in doubt."""
        return self.kind not in {"incomplete", "unsupported"}

    def to_dict(self) -> dict[str, str | None]:
        """JSON-ready, with every field of a `PatchFailure`; the key is empty."""
        return json_ready(
            {
                "kind": self.kind,
                "key": "",
                "modality": self.modality,
                "path": self.path,
                "band": None,
                "reason": self.reason,
            }
        )

    def __str__(self) -> str:
        # Some sources already name themselves in the reason.
        return self.reason if self.reason.startswith(self.path) else f"{self.path}: {self.reason}"


Failure = PatchFailure | ArchiveFailure
"""Why a conversion is not complete."""


class Position(NamedTuple):
    """How far a source has been read; given several times a second."""

    modality: str
    """The modality's name."""
    location: str
    """The source's location."""
    n_passed: int = 0
    """Patches since the last position that are not wanted."""
    n_bytes_read: int = 0
    """Bytes of an archive's files read so far; 0 for a folder."""
    n_bytes: int = 0
    """Total bytes of an archive's files; 0 for a folder."""


class Repeated(NamedTuple):
    """A key that occurs more than once in the sources."""

    key: str
    """The key."""
    path: str
    """A file of the later patch, prefixed with the source's location."""
    is_whole: bool
    """Whether the later patch has all of its files. If so, it follows, to be compared with the
    first; otherwise it is left out."""
    first: str = ""
    """A file of the first patch, prefixed with the source's location; empty if unknown."""


class SourceRead(NamedTuple):
    """A source that was read to its end without signs of damage."""

    origin: Origin
    """Modality and location."""
    n_found: int
    """Patches of the modality, wanted or not."""
    n_unread: int = 0
    """Archive members that belong to no patch and can't be read: links, devices."""
    has_unknown_sum: bool = False
    """Whether its MD5 sum should have been checked, but none is published."""
    warnings: tuple[str, ...] = ()
    """Anything unusual about its contents, a sentence each."""


def place_of(failure: Failure) -> tuple[str, str, str]:
    """The sort key of a failure: (key, modality, path). Archives come first."""
    key = failure.key if isinstance(failure, PatchFailure) else ""
    return (key, failure.modality, failure.path)


def place_in(location: str, path: str) -> str:
    """Where a file of a source is, for messages.

    If the source is a file that holds many patches, the path begins with the file's name, which is
    then not repeated.

    Args:
        location: The source's location.
        path: The path of the file in it.
    """
    end = 0
    while (end := path.find("/", end + 1)) > 0:
        file = path[:end]
        if file.lower().endswith(CONTAINER_SUFFIXES) and location.endswith(f"/{file}"):
            return printable(location + path[end:])
    return printable(f"{location}/{path}")


def problem_of_key(key: str) -> str:
    """Why a key can't be stored; empty if it can be."""
    try:
        n_bytes = len(key.encode())
    except UnicodeEncodeError:
        return "its name is not UTF-8, so it can't be a key"
    if n_bytes > MAX_KEY_BYTES:
        return f"its key has {n_bytes} bytes, but LMDB allows at most {MAX_KEY_BYTES}"
    return ""


def incomplete(
    key: str, modality: str, path: str, missing: Sequence[str], why: str = ""
) -> PatchFailure:
    """The failure of a patch with missing files.

    Args:
        key: Its key.
        modality: The modality's name.
        path: One of its files, prefixed with the source's location.
        missing: The names of the bands without a file.
        why: Anything else that is known, appended to the reason.
    """
    reason = f"missing {'band' if len(missing) == 1 else 'bands'} {', '.join(missing)}{why}"
    band = missing[0] if len(missing) == 1 else None
    return PatchFailure(printable(key), modality, printable(path.rpartition("/")[0]), band, reason)


def json_ready(values: dict[str, Any]) -> dict[str, Any]:
    """The values of a report in which every text, at any depth, is `printable`."""
    found: dict[str, Any] = _json_ready(values)
    return found


def _json_ready(value: Any) -> Any:  # noqa: ANN401 - any value of a report
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, dict):
        return {_json_ready(key): _json_ready(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_json_ready(each) for each in value]
    return value


def printable(name: str) -> str:
    """A name as valid text, even if it holds surrogates for bytes that are not UTF-8 (PEP 383)."""
    try:
        return name.encode(errors="surrogateescape").decode(errors="replace")
    except UnicodeEncodeError:  # other surrogates, as JSON and file names of Windows may have them
        return name.encode("utf-16", "surrogatepass").decode("utf-16", errors="replace")
