"""The table of samples at the end of a tortilla.

In: a tortilla's place in a file. Out: the name, kind and place of each of its samples, checked:
each is inside, none overlaps another. Names are safe as names of files.

The footer is a parquet table with a row for each sample. `pytortilla/datamodel/main.py` gives the
columns; formats are the names of GDAL's drivers, ``BYTES`` for anything else, and ``TORTILLA``.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from itertools import starmap
from pathlib import Path
from typing import Any, Final, NamedTuple

from rico_hdl.errors import ArchiveError, RicoError, SourceError
from rico_hdl.sources.parquet.table import Leaf, ParquetTable
from rico_hdl.sources.parquet.values import ColumnValues, has_values
from rico_hdl.sources.protocol import MAX_MEMBER_BYTES
from rico_hdl.sources.tortilla.header import HEADER_BYTES, TortillaHeader, parse_header
from rico_hdl.sources.volumes import Volumes

MAX_FOOTER_BYTES: Final = 2**26
"""Largest footer that is read: published ones take less than 100 bytes for each sample."""
MAX_COLLECTION_BYTES: Final = 2**22
"""Largest collection that is read."""
MAX_TEXT_BYTES: Final = 2**26
"""Maximum length of all ids of a tortilla together: they are kept."""
MAX_SAMPLES: Final = 500_000
"""Maximum number of samples in a tortilla, each of which takes about 100 bytes of memory."""

_FORMAT: Final = "tortilla:file_format"
_INTEGERS: Final = frozenset({"int32", "int64", "uint32", "uint64"})
_REQUIRED: Final[dict[str, frozenset[str]]] = {
    "tortilla:id": frozenset({"text"}),
    _FORMAT: frozenset({"text"}),
    "tortilla:offset": _INTEGERS,
    "tortilla:length": _INTEGERS,
}
"""The columns that every footer has, and the forms of their values."""
NESTED: Final = "TORTILLA"
_EXTENSIONS: Final = {
    "GTiff": "tif", "COG": "tif", "HDF5": "h5", "HDF5Image": "h5", "JPEG": "jpg", "netCDF": "nc",
    "JP2OpenJPEG": "jp2", "BYTES": "", NESTED: "",
}  # fmt: skip
"""Extensions by format; those of other formats are their names in lower case. ``BYTES`` says
nothing about the contents, so its names are taken as they are."""
_OTHER_FORMATS: Final = frozenset(
    """
    AAIGrid ACE2 ADRG AIG ARG AirSAR BAG BIGGIF BLX BMP BSB BT BYN CAD CALS CEOS COASP COSAR CPG
    CTG CTable2 DAAS DERIVED DIMAP DIPEx DOQ1 DOQ2 DTED ECRGTOC EEDAI EHdr EIR ELAS ENVI ERS
    ESAT ESRIC FAST FIT FITS GFF GIF GPKG GRASSASCIIGrid GRIB GS7BG GSAG GSBG GSC GTX GXF GenBin
    HDF4 HDF4Image HEIF HF2 HFA HTTP ILWIS IRIS ISCE ISG ISIS2 ISIS3 JAXAPALSAR JDEM
    KMLSUPEROVERLAY KRO L1B LAN LCP LOSLAS Leveller MAP MBTiles MEM MFF MFF2 MRF MSGN NDF
    NGSGEOID NGW NITF NOAA_B NSIDCbin NTv2 NWT_GRC NWT_GRD OGCAPI OZI OpenFileGDB PAux PCIDSK
    PCRaster PDF PDS PDS4 PLMOSAIC PLSCENES PNG PNM PRF PostGISRaster R RIK RMF ROI_PAC RPFTOC
    RRASTER RS2 RST Rasterlite S102 SAFE SAGA SAR_CEOS SDTS SENTINEL2 SGI SIGDEM SNODAS SRP
    SRTMHGT STACIT STACTA TGA TIL TSX Terragen USGSDEM VICAR VRT WCS WEBP WMS WMTS XPM XYZ ZMap
    Zarr
    """.split()  # noqa: SIM905 - a list of strings would take a screen
)
"""The other formats that pytortilla accepts (`pytortilla/datamodel/utils.py`)."""
_NO_NAMES: Final = frozenset({"", ".", ".."})
_SEPARATORS: Final = frozenset("/\\\0")


class TortillaSample(NamedTuple):
    """A sample of a tortilla."""

    name: str
    """Its name as a file or, if it is itself a tortilla, as a folder."""
    is_nested: bool
    """Whether it is itself a tortilla."""
    start: int
    """Its offset from the tortilla's start, in bytes."""
    n_bytes: int
    problem: str
    """Why it can't be used, if so."""


class Tortilla:
    """The header and the footer of a tortilla.

    Args:
        volumes: The file.
        start: Where the tortilla starts, in bytes.
        n_bytes: The bytes of the tortilla.
        where: What to call it in messages.

    Raises:
        ArchiveError: It is damaged. The message doesn't name it.
        OSError: The file can't be read.
    """

    def __init__(self, volumes: Volumes, start: int, n_bytes: int, where: str) -> None:
        self._where = Path(where)
        self.header = parse_header(volumes.pread(start, min(HEADER_BYTES, n_bytes)))
        """Its header."""
        _check_size(self.header, n_bytes)
        self._footer = volumes.pread(start + self.header.footer_start, self.header.footer_bytes)
        with self._reading() as table:
            ids, self._formats, offsets, lengths = _columns(table)
            self._offsets, self._lengths = array("q", offsets), array("q", lengths)
        self.unknown: list[str] = []
        """What contradicts the format, but costs no other sample."""
        if self.header.n_unknown:
            self.unknown.append(f"{self.header.n_unknown} bytes of its header are unknown")
        self._problems: dict[int, str] = {}
        self._names = list(starmap(self._name_of, enumerate(zip(ids, self._formats, strict=True))))
        self._note_repeated()
        self._check_places()

    def __len__(self) -> int:
        return len(self._names)

    def __iter__(self) -> Iterator[TortillaSample]:
        """The samples in the order of the footer."""
        for i, (name, kind) in enumerate(zip(self._names, self._formats, strict=True)):
            yield TortillaSample(
                name, kind == NESTED, self._offsets[i], self._lengths[i], self._problems.get(i, "")
            )

    def rows(self) -> Iterator[dict[str, object]]:
        """The rows of the footer, by column; columns of structs or bytes are left out.

        Raises:
            ArchiveError: The footer is damaged. The message doesn't name the tortilla.
        """
        with self._reading() as table:
            columns = _readable(table)
            for group in table.groups():
                values = [iter(ColumnValues(table, group, leaf)) for leaf in columns]
                for row in zip(*values, strict=True):
                    yield {leaf.name: value for leaf, value in zip(columns, row, strict=True)}

    @contextmanager
    def _reading(self) -> Iterator[ParquetTable]:
        try:
            with closing(ParquetTable(self._where, self._footer)) as table:
                yield table
        except (ArchiveError, SourceError, OverflowError) as error:
            reason = error.message if isinstance(error, RicoError) else str(error)
            reason = reason.removeprefix(f"{self._where}: ")
            raise ArchiveError(f"has a footer that can't be read: {reason}") from error

    def _name_of(self, position: int, sample: tuple[str, str]) -> str:
        """The name of a sample's file, or of its folder."""
        name, kind = sample
        if kind not in _EXTENSIONS and kind not in _OTHER_FORMATS:
            self._problems[position] = f"its format {kind!r} is unknown"
            self.unknown.append(f"the format of sample {name!r}, {kind!r}, is unknown")
        extension = _EXTENSIONS.get(kind, kind.lower())
        if extension and not name.lower().endswith(f".{extension}"):
            name += f".{extension}"
        if _SEPARATORS & set(name) or name in _NO_NAMES:
            self._problems[position] = f"{name!r} is not a valid file or folder name"
            for character in _SEPARATORS:
                name = name.replace(character, "_")
            name = "_" if name in _NO_NAMES else name
        return name

    def _note_repeated(self) -> None:
        """Note the samples whose names occur more than once: none of them is the right one."""
        if len(set(self._names)) == len(self._names):
            return
        counts = Counter(self._names)
        for i, name in enumerate(self._names):
            if counts[name] > 1:
                self._problems.setdefault(i, f"several samples are called {name!r}")

    def _check_places(self) -> None:
        """Check that samples follow each other from the header to the footer.

        Neither program leaves gaps, not even zeros.

        Raises:
            ArchiveError: A sample is not inside, or two overlap.
        """
        before: int | None = None
        stop, limit = HEADER_BYTES, self.header.footer_start
        for i in sorted(range(len(self)), key=self._offsets.__getitem__):
            start, n_bytes = self._offsets[i], self._lengths[i]
            if start < stop or n_bytes < 0 or start + n_bytes > limit:
                raise ArchiveError(
                    f"has a damaged footer: sample {self._names[i]!r} takes {n_bytes:,} bytes from "
                    f"byte {start:,} on, expected a place between byte {stop:,} and {limit:,}"
                )
            if start > stop:
                self._doubt(before, stop, start)
            if n_bytes > MAX_MEMBER_BYTES and self._formats[i] != NESTED:
                self._problems.setdefault(
                    i, f"takes {n_bytes:,} bytes, expected at most {MAX_MEMBER_BYTES:,}"
                )
            stop, before = start + n_bytes, i
        if stop < limit:
            self._doubt(before, stop, limit)

    def _doubt(self, position: int | None, start: int, stop: int) -> None:
        """Note bytes without a sample: the sample before them may have been longer."""
        n_bytes = stop - start
        self.unknown.append(f"{n_bytes:,} bytes from byte {start:,} on have no sample")
        if position is not None:
            self._problems.setdefault(
                position,
                f"is followed by {n_bytes:,} bytes that belong to no sample: its length, of "
                f"{self._lengths[position]:,} bytes, may be damaged",
            )


def _check_size(header: TortillaHeader, n_bytes: int) -> None:
    if header.stop > n_bytes:
        raise ArchiveError(
            f"is cut short at byte {n_bytes:,}, expected {header.stop:,} bytes: its footer, with "
            "the places of all samples, is at the end"
        )
    if header.stop < n_bytes:
        raise ArchiveError(f"has {n_bytes:,} bytes, but its header states {header.stop:,}")
    for what, n, limit in (
        ("footer", header.footer_bytes, MAX_FOOTER_BYTES),
        ("collection", header.collection_bytes, MAX_COLLECTION_BYTES),
    ):
        if n > limit:
            raise ArchiveError(f"has a {what} of {n:,} bytes, expected at most {limit:,}")


def _columns(table: ParquetTable) -> tuple[list[str], list[str], list[int], list[int]]:
    """The names, formats, offsets and lengths of all samples.

    Raises:
        ArchiveError: A column or a value is missing.
    """
    if table.n_rows > MAX_SAMPLES:
        raise ArchiveError(f"it lists {table.n_rows:,} samples, expected at most {MAX_SAMPLES:,}")
    leaves = {leaf.name: leaf for leaf in _readable(table)}
    found: dict[str, list[Any]] = {name: [] for name in _REQUIRED}
    for name, forms in _REQUIRED.items():
        if name not in leaves or leaves[name].n_repetitions or leaves[name].form not in forms:
            shown = ", ".join(list(leaves)[:20])
            raise ArchiveError(
                f"expected a column {name} of {'text' if 'text' in forms else 'integers'}, found "
                f"the columns {shown or '(none)'}"
            )
    for group in table.groups():
        for name in found:
            found[name] += _bounded(ColumnValues(table, group, leaves[name]))
    for name, values in found.items():
        if None in values:
            raise ArchiveError(f"sample {values.index(None) + 1} has no {name}")
    ids, formats, offsets, lengths = found.values()
    return ids, formats, offsets, lengths


def _bounded(values: Iterable[Any]) -> Iterator[Any]:
    """The values, each text once, as long as they fit into memory.

    Raises:
        ArchiveError: They don't.
    """
    known: dict[str, str] = {}  # formats recur; ids don't
    n_left = MAX_TEXT_BYTES
    for value in values:
        if isinstance(value, str):
            n_left -= len(value) if value not in known else 0
            if n_left < 0:
                raise ArchiveError(f"its texts take more than {MAX_TEXT_BYTES:,} bytes")
            yield known.setdefault(value, value)
        else:
            yield value


def _readable(table: ParquetTable) -> list[Leaf]:
    """The columns whose values can be read, each of another name."""
    counts = Counter(leaf.name for leaf in table.columns)  # structs and maps are several leaves
    return [leaf for leaf in table.columns if counts[leaf.name] == 1 and has_values(leaf)]
