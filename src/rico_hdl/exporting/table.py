"""A table of a store's patches as GeoParquet: where they are, what they are, where they came from.

In: a store. Out: a parquet file that follows GeoParquet 1.1 (https://geoparquet.org), with one row
for each patch, sorted by key. It is written by pyarrow, which the extra ``rico-hdl[geo]`` installs:
the project itself only reads parquet.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from rico_hdl.errors import UsageError
from rico_hdl.exporting.geometry import outlines
from rico_hdl.reading import Keys, Store
from rico_hdl.store import JOURNAL_NAME, NewestEntries
from rico_hdl.values import json_ready

if TYPE_CHECKING:
    import numpy.typing as npt

    from rico_hdl.georef import Georefs

_AT_ONCE: Final = 2**16  # rows of a row group
_SPLIT: Final = "split"


@dataclass
class TableSummary:
    """What was written."""

    output: str
    """The file."""
    n_patches: int = 0
    """Its rows."""
    n_unplaced: int = 0
    """Rows without a geometry: nothing is known about these patches, or they have no place."""
    n_disagreeing: int = 0
    """Of these, patches whose files are in different places."""

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return json_ready(asdict(self))


def write_table(
    target: str | os.PathLike[str],
    output: str | os.PathLike[str],
    *,
    modalities: Sequence[str] = (),
) -> TableSummary:
    """Write a table of a store's patches as GeoParquet.

    Its columns are described in ``docs/georeferencing.md``.

    Args:
        target: The folder that holds ``data.mdb``.
        output: The parquet file; it must not exist.
        modalities: The modalities whose patches are listed; all by default.

    Raises:
        UsageError: The file exists or can't be written, pyarrow or pyproj is not installed, or the
            store has no such modality.
        StoreError: There is no store, or it can't be read.
    """
    pyarrow = _pyarrow()
    path = Path(output)
    if path.exists():
        raise UsageError(f"{path} exists already", "Give another name, or remove it first.")
    draft = path.with_name(path.name + ".part")
    with closing(Store(target)) as store:
        keys, names = _keys(store, modalities)
        summary = TableSummary(str(path), len(keys))
        georefs = store.georefs(keys)
        summary.n_disagreeing = int(georefs.disagree.sum())
        polygons, bounds = outlines(georefs)
        summary.n_unplaced = sum(polygon is None for polygon in polygons)
        columns = _TableColumns(store, keys, names, georefs)
        schema = columns.schema(_geo(polygons, bounds))
        try:
            with pyarrow.parquet.ParquetWriter(draft, schema, compression="zstd") as writer:
                for start in range(0, len(keys), _AT_ONCE):
                    some = slice(start, start + _AT_ONCE)
                    arrays = columns.arrays(some, polygons[some], bounds[some])
                    writer.write_table(pyarrow.Table.from_arrays(arrays, schema=schema))
            draft.replace(path)
        except OSError as error:
            draft.unlink(missing_ok=True)
            raise UsageError(f"{path}: can't be written: {error.strerror or error}") from error
    return summary


def _pyarrow() -> Any:  # noqa: ANN401 - a module that may be missing
    try:
        import pyarrow  # noqa: PLC0415, ICN001 - optional; the whole name, for messages
        import pyarrow.parquet  # noqa: PLC0415
    except ImportError as error:
        raise UsageError(
            "writing parquet files needs pyarrow, which is not installed",
            "Install it: pip install 'rico-hdl[geo]'",
        ) from error
    return pyarrow


def _keys(store: Store, modalities: Sequence[str]) -> tuple[Keys, list[str | None]]:
    """The keys to list, sorted, and the modality of each."""
    keys = store.keys()
    names: npt.NDArray[np.object_] = np.full(len(keys), None, object)
    for modality in store.modalities:
        chosen = np.isin(keys.places[:, 0], store.keys(modality).places[:, 0])
        names[chosen] = modality
    if modalities:
        for modality in modalities:
            store.keys(modality)  # raises if there is none
        rows = np.flatnonzero(np.isin(names.astype(str), list(modalities)))
        return keys[rows], names[rows].tolist()
    return keys, names.tolist()


def _sources(store: Store, keys: Keys) -> Iterator[str | None]:
    """The location of the source that each key came from, as far as the journal says."""
    entries = iter(NewestEntries(store.path / JOURNAL_NAME))
    entry = next(entries, None)
    for key in keys:
        name = key.encode()
        while entry is not None and entry.key < name:
            entry = next(entries, None)
        same = entry is not None and entry.key == name
        yield (entry.origin.location or None) if same and entry is not None else None


def _geo(polygons: Sequence[bytes | None], bounds: npt.NDArray[np.float64]) -> dict[str, Any]:
    """The metadata of GeoParquet 1.1."""
    kinds = {polygon[1] for polygon in polygons if polygon is not None}
    geometry: dict[str, Any] = {
        "encoding": "WKB",
        "geometry_types": [
            name for code, name in ((3, "Polygon"), (6, "MultiPolygon")) if code in kinds
        ],
        "orientation": "counterclockwise",
        "edges": "planar",
        "covering": {"bbox": {side: ["bbox", side] for side in _SIDES}},
    }
    placed = bounds[~np.isnan(bounds).any(axis=1)]
    if len(placed):
        low, high = placed.min(axis=0).tolist(), placed.max(axis=0).tolist()
        geometry["bbox"] = [low[0], low[1], high[2], high[3]]
    return {"version": "1.1.0", "primary_column": "geometry", "columns": {"geometry": geometry}}


_SIDES: Final = ("xmin", "ymin", "xmax", "ymax")


class _TableColumns:
    """The columns of the table."""

    def __init__(
        self,
        store: Store,
        keys: Keys,
        names: list[str | None],
        georefs: Georefs,
    ) -> None:
        self._pyarrow = _pyarrow()
        self._store = store
        self._keys = keys
        self._names = names
        self._georefs = georefs
        self._sources = _sources(store, keys)
        labelled = store.keys(labelled=True) if store.classes else []
        self._labelled = self._among(labelled) if isinstance(labelled, Keys) and labelled else None
        self._splits = {name: self._among(store.keys(split=name)) for name in store.splits}
        some = keys[np.flatnonzero(self._labelled)[:1]] if self._labelled is not None else []
        self._has_many = bool(len(some)) and store.labels(some).ndim > 1

    def _among(self, chosen: Keys) -> npt.NDArray[np.bool_]:
        """Whether each key of the table is one of some others."""
        return np.isin(self._keys.places[:, 0], chosen.places[:, 0])

    def schema(self, geo: dict[str, Any]) -> Any:  # noqa: ANN401 - pyarrow's class
        """The schema of the table."""
        pa = self._pyarrow
        text = pa.dictionary(pa.int32(), pa.string())
        fields = [
            pa.field("key", pa.string(), nullable=False),
            pa.field("modality", text),
            pa.field("geometry", pa.binary()),
            pa.field("bbox", pa.struct([(side, pa.float64()) for side in _SIDES])),
            pa.field("crs", text),
            pa.field("time", pa.timestamp("ms", tz="UTC")),
            pa.field("rows", pa.int32()),
            pa.field("columns", pa.int32()),
            pa.field("n_bytes", pa.int64(), nullable=False),
            pa.field("source", text),
        ]
        if self._labelled is not None:
            fields.append(pa.field("label", pa.list_(pa.string()) if self._has_many else text))
        if self._splits:
            fields.append(pa.field(_SPLIT, text))
        return pa.schema(fields, metadata={"geo": json.dumps(geo)})

    def arrays(
        self, some: slice, polygons: Sequence[bytes | None], bounds: npt.NDArray[np.float64]
    ) -> list[Any]:
        """The columns of some rows."""
        pa, georefs, keys = self._pyarrow, self._georefs, self._keys[some]
        names = self._names[some]
        unknown = np.isnan(bounds).any(axis=1)
        parts = [pa.array(bounds[:, i], mask=unknown) for i in range(4)]
        box = pa.StructArray.from_arrays(parts, _SIDES, mask=pa.array(unknown))
        crs = [georefs.crs[i] if i >= 0 else None for i in georefs.crs_index[some].tolist()]
        no_size = georefs.shapes[some, 0] == 0
        text = pa.dictionary(pa.int32(), pa.string())
        sources = [next(self._sources) for _ in keys]
        found = [
            pa.array(list(keys)),
            pa.array(names, text),
            pa.array(polygons, pa.binary()),
            box,
            pa.array(crs, text),
            pa.array(georefs.times[some], pa.timestamp("ms", tz="UTC")),
            pa.array(georefs.shapes[some, 0], mask=no_size),
            pa.array(georefs.shapes[some, 1], mask=no_size),
            pa.array(keys.places[:, 1] - keys.places[:, 0]),
            pa.array(sources, text),
        ]
        if self._labelled is not None:
            kind = pa.list_(pa.string()) if self._has_many else text
            found.append(pa.array(self._labels(keys, self._labelled[some]), kind))
        if self._splits:
            splits: npt.NDArray[np.object_] = np.full(len(keys), None, object)
            for name, rows in self._splits.items():
                splits[rows[some]] = name
            found.append(pa.array(splits.tolist(), text))
        return found

    def _labels(self, keys: Keys, labelled: npt.NDArray[np.bool_]) -> list[Any]:
        """The class of each patch, or its classes; None if it has no label."""
        found: list[Any] = [None] * len(keys)
        rows, classes = np.flatnonzero(labelled), self._store.classes
        for row, label in zip(rows.tolist(), self._store.labels(keys[rows]), strict=True):
            if self._has_many:
                found[row] = [classes[i] for i in np.flatnonzero(label).tolist()]
            else:
                found[row] = classes[int(label)]
        return found
