"""Joining rows that name the same sample.

In: the rows of all tables, or samples from earlier. Out: `SampleTable`, sorted, each once.
Rows that contradict each other are an error; new rows take precedence over stored samples.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from rico_hdl.errors import SourceError
from rico_hdl.labels.collecting import NONE, Collector
from rico_hdl.labels.names import Names, Positions
from rico_hdl.labels.samples import SampleTable
from rico_hdl.spec.labels import LabelKind

_TWICE = "Correct one of the rows, or leave out one of the files."
_SPLIT, _LABEL = "(split)", "(label)"
"""What rows have besides patches of modalities, which may be called split or label."""


def joined(collector: Collector, classes: tuple[str, ...]) -> tuple[SampleTable, int]:
    """All samples, and the number of rows that only repeat others.

    Args:
        collector: The rows.
        classes: The classes in order; if empty, those that occur, sorted.

    Raises:
        SourceError: Two rows contradict each other.
    """
    table = _AllRows([collector.samples()], collector.modalities, classes)
    leaders, group = _groups(table)
    chosen = {name: _chosen(group, len(leaders), has) for name, has in table.present.items()}
    n_repeated = _check(table, collector, group, chosen)
    return table.pick(leaders, chosen), n_repeated


def merged(
    new: SampleTable, stored: SampleTable, modalities: tuple[str, ...], classes: tuple[str, ...]
) -> SampleTable:
    """New samples, and what is known of them and of others from earlier.

    Args:
        new: The new samples, which take precedence.
        stored: The samples in the store.
        modalities: The names of the dataset's modalities.
        classes: See `joined`.

    Raises:
        SourceError: The labels are of another kind than those in the store.
    """
    if None not in (new.kind, stored.kind) and new.kind != stored.kind:
        raise SourceError(
            f"the labels are of kind {new.kind}, and those in the store of kind {stored.kind}",
            "Remove the store's labels.safetensors to start over, or say in the spec which kind "
            "it is: kind = ...",
        )
    rest = _not_in(stored, new, modalities)
    if not len(rest):
        return new
    both = _AllRows([new, rest], modalities, classes)
    leaders, group = _groups(both)
    chosen = {name: _chosen(group, len(leaders), has) for name, has in both.present.items()}
    return both.pick(leaders, chosen)


def _not_in(stored: SampleTable, new: SampleTable, modalities: tuple[str, ...]) -> SampleTable:
    """The stored samples that have something which the new samples lack."""
    mine, theirs = _AllRows([new], modalities, ()), _AllRows([stored], modalities, ())
    needed = np.ones(len(stored), np.bool_)
    for anchor in np.unique(stored.anchors):
        rows = np.flatnonzero(stored.anchors == anchor)
        others = np.flatnonzero(new.anchors == anchor)
        name = modalities[anchor]
        if not len(others):
            continue
        found = mine.names[name].take(others).find(theirs.names[name].take(rows))
        rows, found = rows[found >= 0], others[found[found >= 0]]
        needed[rows] = False
        for what, has in theirs.present.items():
            has_new = mine.present.get(what, np.zeros(len(new), np.bool_))
            needed[rows] |= has[rows] & ~has_new[found]
    return stored.take(np.flatnonzero(needed))


class _AllRows:
    """Rows of several parts as if they were one."""

    def __init__(
        self, parts: list[SampleTable], modalities: tuple[str, ...], classes: tuple[str, ...]
    ) -> None:
        self.parts = parts
        self.modalities = modalities
        self.n = sum(map(len, parts))
        self.kind: LabelKind | None = next(
            (part.kind for part in parts if part.kind is not None), None
        )
        found = {name for part in parts for name in part.classes}
        self.classes = classes if self.kind != "number" else ()
        self.classes += tuple(sorted(found - {*classes}))
        self.splits = tuple(sorted({name for part in parts for name in part.splits}, key=_usual))
        self.anchors = np.concatenate([part.anchors for part in parts])
        self.split = np.concatenate([_mapped(p.split, p.splits, self.splits) for p in parts])
        self.names = {
            name: _joined_names([part.names.get(name, len(part)) for part in parts])
            for name in modalities
            if any(name in part.names for part in parts)
        }
        self._values()
        self.present: dict[str, npt.NDArray[np.bool_]] = {
            name: names.ends > names.begins for name, names in self.names.items()
        }
        self.present[_SPLIT] = self.split != NONE
        self.present[_LABEL] = np.concatenate([part.is_labelled for part in parts])

    def _values(self) -> None:
        """Join the labels; `begins` and `ends` are offsets in `values` of each row."""
        values, ends, n = [], [], 0
        for part in self.parts:
            if part.kind is None:
                values.append(np.full(len(part), NONE if self.kind != "number" else np.nan))
                own = np.arange(1, len(part) + 1)
            else:
                own = np.arange(1, len(part) + 1) if part.ends is None else part.ends
                given = part.values
                if part.kind != "number":
                    given = _mapped(given, part.classes, self.classes)
                values.append(given)
            ends.append(own + n)
            n += len(values[-1])
        dtype = np.float64 if self.kind == "number" else np.int32
        self.values = np.concatenate(values).astype(dtype)
        self.ends = np.concatenate(ends).astype(np.int64)
        self.begins = np.concatenate([[0], self.ends[:-1]]).astype(np.int64)

    def label(self, row: int) -> tuple[Any, ...]:
        """The label of a row, for comparisons and messages."""
        values = self.values[self.begins[row] : self.ends[row]].tolist()
        if self.kind == "number":
            return tuple(values)
        return tuple(sorted(self.classes[value] for value in values if value != NONE))

    def anchor_names(self) -> Names:
        """The name of each row's own modality."""
        blocks: list[npt.NDArray[np.uint8]] = []
        begins, ends, offset = np.zeros(self.n, np.int64), np.zeros(self.n, np.int64), 0
        for position, name in enumerate(self.modalities):
            rows = self.anchors == position
            if not rows.any():
                continue
            names = self.names[name]
            begins[rows], ends[rows] = names.begins[rows] + offset, names.ends[rows] + offset
            blocks += names.blocks
            offset += names.n_bytes
        return Names(blocks, ends, begins)

    def pick(self, leaders: Positions, chosen: dict[str, Positions]) -> SampleTable:
        """The samples: of each, the row of each value; sorted by name."""
        names = self.anchor_names().take(leaders)
        order = np.lexsort([self.anchors[leaders], _ranks(names)])
        found = {name: _with_gaps(self.names[name], chosen[name][order]) for name in self.names}
        rows = chosen[_SPLIT][order]
        split = np.where(rows < 0, NONE, self.split[rows]).astype(np.int16)
        rows = chosen[_LABEL][order]
        if self.kind is None:
            return SampleTable(found, self.anchors[leaders][order], self.splits, split, None)
        lengths = np.where(rows < 0, 1, self.ends[rows] - self.begins[rows])
        ends = np.cumsum(lengths)
        at = np.repeat(self.begins[rows] - (ends - lengths), lengths) + np.arange(lengths.sum())
        none = np.nan if self.kind == "number" else NONE
        at[np.repeat(rows < 0, lengths)] = 0
        values: Any = self.values[at] if len(self.values) else self.values
        values[np.repeat(rows < 0, lengths)] = none
        return SampleTable(
            found,
            self.anchors[leaders][order],
            self.splits,
            split,
            self.kind,
            self.classes,
            values,
            ends if self.kind == "multi" else None,
        )


def _usual(name: str) -> tuple[int, str]:
    """The order of splits: the usual ones first."""
    usual = ("train", "validation", "test")
    return (usual.index(name) if name in usual else len(usual), name)


def _mapped(indexes: Any, old: tuple[str, ...], new: tuple[str, ...]) -> npt.NDArray[Any]:  # noqa: ANN401
    """Indexes into other names; `NONE` stays."""
    place = {name: i for i, name in enumerate(new)}
    table = np.array([*(place[name] for name in old), NONE], np.int32)
    found: npt.NDArray[Any] = table[indexes]  # NONE is the last position
    return found


def _joined_names(parts: list[Names | int]) -> Names:
    """Names of several parts; a number stands for so many rows without a name."""
    begins, ends, offset = [], [], 0
    blocks: list[npt.NDArray[np.uint8]] = []
    for part in parts:
        if isinstance(part, int):
            begins.append(np.zeros(part, np.int64))
            ends.append(np.zeros(part, np.int64))
            continue
        begins.append(part.begins + offset)
        ends.append(part.ends + offset)
        blocks += part.blocks
        offset += part.n_bytes
    return Names(blocks, np.concatenate(ends), np.concatenate(begins))


def _with_gaps(names: Names, rows: Positions) -> Names:
    """The names at some positions; an empty one where the position is -1."""
    if not len(names):
        return names
    gaps = rows < 0
    begins, ends = names.begins[rows], names.ends[rows]
    begins[gaps] = ends[gaps] = 0
    return Names(names.blocks, ends, begins)


def _ranks(names: Names) -> Positions:
    """The place of each name in the order of their bytes; equal names have equal ranks."""
    order = names.in_order()
    ranks = np.empty(len(names), np.int64)
    ranks[order] = np.arange(len(names))
    return ranks


def _groups(table: _AllRows) -> tuple[Positions, Positions]:
    """The first row of each sample, and the sample of each row."""
    first = np.arange(table.n)
    names = table.anchor_names()
    for anchor in np.unique(table.anchors):
        rows = np.flatnonzero(table.anchors == anchor)
        own = names.take(rows)
        first[rows] = rows[own.find(own)]
    leaders, group = np.unique(first, return_inverse=True)
    return leaders, group.reshape(-1)


def _chosen(group: Positions, n: int, has: npt.NDArray[np.bool_]) -> Positions:
    """For each sample, the first row that has a value; -1 if none has."""
    found = np.full(n, -1, np.int64)
    rows = np.flatnonzero(has)[::-1]
    found[group[rows]] = rows  # of several rows, the last assignment counts: the first row
    return found


def _check(
    table: _AllRows, collector: Collector, group: Positions, chosen: dict[str, Positions]
) -> int:
    """Make sure that rows of the same sample agree; returns the number of mere repetitions.

    Raises:
        SourceError: They don't.
    """
    adds = np.zeros(table.n, np.bool_)
    for what, rows in chosen.items():
        adds[rows[rows >= 0]] = True
        others = np.flatnonzero(table.present[what])
        others = others[rows[group[others]] != others]
        for row in others.tolist():
            _check_pair(table, collector, what, row, int(rows[group[row]]))
    return int((~adds).sum())


def _check_pair(table: _AllRows, collector: Collector, what: str, row: int, other: int) -> None:
    """Compare a value of two rows of the same sample."""
    found: Any
    expected: Any
    if what == _SPLIT:
        found, expected = (table.splits[table.split[i]] for i in (row, other))
    elif what == _LABEL:
        found, expected = (", ".join(map(str, table.label(i))) or "no class" for i in (row, other))
    else:
        found, expected = (table.names[what][i].decode(errors="replace") for i in (row, other))
    if found == expected:
        return
    modality = table.modalities[table.anchors[row]]
    key = table.names[modality][row].decode(errors="replace")
    what = {_SPLIT: "split", _LABEL: "label"}.get(what, f"{what} patch")
    raise SourceError(
        f"{collector.where(row)}: the {what} of {key} is {found}, but {expected} in "
        f"{collector.where(other)}",
        _TWICE,
    )
