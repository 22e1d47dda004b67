"""The patches of one file as members of an archive."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Final

from rico_hdl.decoding.raster import Raster
from rico_hdl.errors import ArchiveError, DecodingError, MemberError
from rico_hdl.sources.arrays.handles import Hdf5Handles
from rico_hdl.sources.arrays.hdf5 import Hdf5File
from rico_hdl.sources.arrays.npy import NpyFile
from rico_hdl.sources.arrays.npz import NpzFile
from rico_hdl.sources.arrays.series import PatchSeries
from rico_hdl.sources.arrays.stored import ArrayFile, StoredFile
from rico_hdl.sources.blocks import Blocks, Place
from rico_hdl.sources.protocol import Member
from rico_hdl.spec import Arrays, Modality, Template
from rico_hdl.spec.arrays import HDF5_SUFFIXES, NPY_SUFFIX, NPZ_SUFFIX
from rico_hdl.spec.containers import suffix_of
from rico_hdl.spec.template import Field, Segment

KEPT_BYTES: Final = 128 * 2**20
"""Maximum bytes of pixels that are decoded and kept for other patches; those that are decoded at
once may be more."""


class ContainerReader:
    """Reads the files of a modality that hold many patches each.

    Args:
        modality: The modality.

    Raises:
        TypeError: Its files hold one patch each.
    """

    def __init__(self, modality: Modality) -> None:
        if modality.container is None or modality.arrays is None:
            raise TypeError(f"files of {modality.name!r} hold one patch each")
        self.container: Template = modality.container
        self.arrays: Arrays = modality.arrays
        self.handles = Hdf5Handles()
        self._modality = modality
        self._suffix = suffix_of(modality.container)
        self._inner = _without_patterns(modality.files, len(self.container.segments))
        self._blocks = Blocks(KEPT_BYTES)

    def forget(self, stored: StoredFile) -> None:
        """Close a file whose patches are not read any more, and drop what is decoded of it."""
        self.handles.close(stored)
        self._blocks = Blocks(KEPT_BYTES)

    def opened(self, stored: StoredFile) -> ArrayFile:
        """A file.

        Raises:
            ArchiveError, SourceError, DecodingError, OSError: See `ArrayFile`.
        """
        if self._suffix == NPY_SUFFIX:
            return NpyFile(stored)
        if self._suffix == NPZ_SUFFIX:
            return NpzFile(stored)
        if self._suffix in HDF5_SUFFIXES:
            return Hdf5File(stored, self.handles)
        from rico_hdl.sources.arrays.zarr import ZarrFile  # noqa: PLC0415 - others don't need it

        return ZarrFile(stored, list(self.arrays.axis_names))

    def series(self, file: ArrayFile) -> Iterator[PatchSeries]:
        """The arrays of a file; several if their path has fields.

        Raises:
            DecodingError: It has none.
        """
        n_found = 0
        for values in file.places(self.arrays.path):
            n_found += 1
            yield PatchSeries(file, self.arrays, self._modality.bands, values, self._blocks)
        if n_found == 0:
            raise DecodingError(f"it has no array like {self.arrays.path}")

    def members(self, stored: StoredFile, name: str) -> Iterator[tuple[Member, float]]:
        """The patches of a file, each with the share of the file's patches up to it.

        Args:
            stored: The file.
            name: The path of the file that paths of members begin with.

        Raises:
            ArchiveError, SourceError, DecodingError, OSError: See `ArrayFile`.
        """
        for series in self.series(self.opened(stored)):
            for number, place in enumerate(series.places(), 1):
                member = self._member(stored, series, place, name)
                yield member, number / series.n_members

    def path_of(self, fields: dict[str, str]) -> str:
        """The path of a patch in a file."""
        return "/".join(segment.format(fields) for segment in self._inner.segments)

    def padded(self, fields: dict[str, str]) -> dict[str, str]:
        """The fields of a patch, with as many digits as the template says."""
        widths = self._widths
        return {name: value.zfill(widths.get(name, 0)) for name, value in fields.items()}

    @property
    def _widths(self) -> dict[str, int]:
        parts = [part for segment in self._inner.segments for part in segment.parts]
        fields = [part for part in parts if isinstance(part, Field)]
        return {field.name: _width(field) for field in fields}

    def _member(self, stored: StoredFile, series: PatchSeries, place: Place, name: str) -> Member:
        fields, problem = self.padded(series.fields(place)), ""
        wrong = [value for value in fields.values() if not _is_file_name(value)]
        if wrong or self._inner.match(self.path_of(fields)) is None:
            called = ", ".join(map(ascii, wrong)) if wrong else self.path_of(fields)
            problem = f"it is called {called}, expected a name like {self._inner}"
            fields = self.padded(series.numbers(place))
            if self._inner.match(self.path_of(fields)) is None:
                raise DecodingError(f"a patch is called {called}, expected {self._inner}")
        path = f"{name}/{self.path_of(fields)}"
        return Member(path, partial(_read, series, place, stored), problem, 2 * series.member_bytes)


def _read(series: PatchSeries, place: Place, stored: StoredFile) -> tuple[Raster, ...]:
    """The bands of a patch; see `Member.read`."""
    try:
        return series.read(place)
    except (DecodingError, OSError) as error:
        reason = getattr(error, "message", None) or getattr(error, "strerror", None) or str(error)
        raise MemberError(f"{stored.path}: {reason}") from error
    except ArchiveError as error:
        raise MemberError(f"{stored.path}: {error.message}", error.hint) from error


def _without_patterns(files: Template, n_outer: int) -> Template:
    """The part of a template after the name of a file, without the patterns that users give."""
    plain = Template.parse(files.text)
    segments: tuple[Segment, ...] = plain.segments[n_outer:]
    text = "/".join(plain.text.split("/")[n_outer + plain.any_depth :])
    return Template(text, any_depth=False, segments=segments)


def _width(field: Field) -> int:
    """The number of digits of a field; 0 if it may have any."""
    digits = field.pattern.removeprefix("[0-9]{").removesuffix("}")
    return int(digits) if digits.isdigit() else 0


def _is_file_name(name: str) -> bool:
    return "/" not in name and "\0" not in name and name not in {"", ".", ".."}
