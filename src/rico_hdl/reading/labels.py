"""Labels and splits of patches, from a store's labels or from what keys say.

In: the labels of a store, its spec, and keys. Out: numpy arrays. No record is read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, NamedTuple, NoReturn

import numpy as np
import numpy.typing as npt

from rico_hdl.errors import StoreError, UsageError
from rico_hdl.labels.collecting import NONE
from rico_hdl.labels.names import Names, Positions
from rico_hdl.labels.samples import SampleTable
from rico_hdl.labels.stored import load
from rico_hdl.reading.classes import class_indexes, classes_in
from rico_hdl.reading.keys import Keys
from rico_hdl.spec import DatasetSpec, Modality
from rico_hdl.spec.labels import TABLE_SUFFIXES, split_name
from rico_hdl.store.labelling import read_labels

What = Literal["label", "split"]


class _LabelIndex(NamedTuple):
    """The samples of one modality that have a label, or a split."""

    names: Names
    rows: Positions
    """The position of each among all samples."""
    is_ambiguous: npt.NDArray[np.bool_] | None
    """Whether other samples of the same patch say something else; None if there are none."""


class StoreLabels:
    """The labels and splits of a store.

    Args:
        path: The store.
        spec: The description of its dataset, if it is known.
    """

    def __init__(self, path: Path, spec: DatasetSpec | None) -> None:
        self._path = path
        self._spec = spec
        self._indexes: dict[tuple[str, What], _LabelIndex] = {}

    @cached_property
    def samples(self) -> SampleTable | None:
        """The samples of the store's labels; None without any.

        Raises:
            StoreError: The labels are damaged.
        """
        try:
            data = read_labels(self._path)
            return None if data is None else load(data)
        except ValueError as error:
            raise StoreError(
                f"{self._path}: its labels are damaged: {error}",
                "Run rico-hdl verify. Restore them from a copy, or run the conversion's command "
                "again with --labels.",
            ) from error

    @property
    def _has_labels(self) -> bool:
        return self.samples is not None and self.samples.kind is not None

    @property
    def _has_splits(self) -> bool:
        return self.samples is not None and bool(self.samples.splits)

    def classes(self, keys: Iterable[str]) -> tuple[str, ...]:
        """The names of the classes, by index; see `Store.classes`.

        Args:
            keys: All keys of the store.
        """
        if self._has_labels and self.samples is not None:
            return self.samples.classes
        return classes_in(self._spec, keys)

    def labels(self, keys: Iterable[str], all_keys: Keys) -> npt.NDArray[Any]:
        """The labels of some keys; see `Store.labels`."""
        samples = self.samples
        if samples is None or samples.kind is None:
            if self._spec is not None and self._spec.labels and not self._spec.labelled:
                raise UsageError(
                    f"{self._path}: it has no labels",
                    "Add the publisher's: rico-hdl DATASET --labels FILE --target-dir STORE. For "
                    "your own dataset, [labels] in its description says where they are.",
                )
            return class_indexes(self._spec, self.classes(all_keys), keys, str(self._path))
        names = names_of(keys)
        rows = self.find(names, "label")
        self._refuse_missing(names, rows)
        if samples.kind == "number":
            return np.asarray(samples.values[rows], np.float64)
        if samples.ends is None:
            return samples.values[rows].astype(np.int64)
        found = np.zeros((len(rows), len(samples.classes)), np.uint8)
        begins = np.concatenate([[0], samples.ends[:-1]]).astype(np.int64)
        lengths = samples.ends[rows] - begins[rows]
        ends = np.cumsum(lengths)
        at = np.repeat(begins[rows] - (ends - lengths), lengths) + np.arange(lengths.sum())
        found[np.repeat(np.arange(len(rows)), lengths), samples.values[at]] = 1
        return found

    def _refuse_missing(self, names: Names, rows: Positions) -> None:
        missing = np.flatnonzero(rows < 0)
        if len(missing):
            one = names[int(missing[0])].decode(errors="replace")
            raise UsageError(
                f"{self._path}: {len(missing)} of {len(names)} patches have no label, such as "
                f"{one!r}",
                "Pass labelled patches only: store.keys(modality, labelled=True).",
            )

    def is_labelled(self, keys: Keys) -> npt.NDArray[np.bool_]:
        """Whether each key has a label."""
        if self._has_labels:
            return self.find(names_of(keys), "label") >= 0
        known = {name: i for i, name in enumerate(self.classes(keys))}
        finders = []
        if self._spec is not None and self._spec.labels is not None:
            labels = self._spec.labels
            finders = [labels.finder(one.keys) for one in self._spec.labelled]
        found = (any(find(key) in known for find in finders) for key in keys)
        return np.fromiter(found, np.bool_, len(keys))

    # Splits

    def splits(self, keys: Iterable[str]) -> tuple[str, ...]:
        """The names of the splits; see `Store.splits`.

        Args:
            keys: All keys of the store.
        """
        if self._has_splits and self.samples is not None:
            return self.samples.splits
        found = {*self._splits_of_keys(keys)} - {""}
        usual = [name for name in ("train", "validation", "test") if name in found]
        return (*usual, *sorted(found - {*usual}))

    def in_split(self, keys: Keys, split: str) -> npt.NDArray[np.bool_]:
        """Whether each key is in a split, or named in a publisher's split file.

        Raises:
            UsageError: There is no such split, or the dataset has no such file.
            SourceError: The file can't be read.
        """
        if Path(split).suffix.lower() in TABLE_SUFFIXES:
            return self._in_file(keys, Path(split))
        name = split_name(split)
        samples = self.samples
        if samples is not None and samples.splits:
            if name not in samples.splits:
                self._refuse_split(split, samples.splits)
            rows = self.find(names_of(keys), "split")
            found = samples.split[rows] == samples.splits.index(name)
            return np.asarray(found & (rows >= 0))
        names = self._splits_of_keys(keys)
        if name not in names:
            self._refuse_split(split, tuple(sorted({*names} - {""})))
        return np.fromiter((one == name for one in names), np.bool_, len(keys))

    def _in_file(self, keys: Keys, path: Path) -> npt.NDArray[np.bool_]:
        """Whether each key is named in a file of the form that the dataset's spec describes."""
        if self._spec is None:
            raise UsageError(
                f"{self._path}: nothing describes its dataset, so {path} can't be read"
            )
        from rico_hdl.labels.gathering import Gathering  # noqa: PLC0415 - readers of tables

        gathering = Gathering(self._spec)
        gathering.read_given([path])
        wanted = names_of(keys)
        found = [names.find(wanted) >= 0 for names in gathering.samples().names.values()]
        return np.asarray(np.any(found, axis=0))

    def _refuse_split(self, split: str, known: Sequence[str]) -> NoReturn:
        raise UsageError(
            f"{self._path} has no split {split!r}"
            + (f", only {', '.join(known)}" if known else ": it has no splits"),
            ""
            if known
            else "Add them: rico-hdl DATASET --labels FILE --target-dir STORE, with the "
            "publisher's split files.",
        )

    def _splits_of_keys(self, keys: Iterable[str]) -> list[str]:
        """The split that each key names; empty if it names none."""
        labels = None if self._spec is None else self._spec.labels
        if self._spec is None or labels is None or not labels.split:
            return [""] * len(list(keys))
        field = labels.split
        templates = [one.keys for one in self._spec.modalities if field in one.key.fields]
        found = []
        for key in keys:
            matches = (template.match(key) for template in templates)
            values = next((match for match in matches if match is not None), None)
            found.append(split_name(values[field]) if values else "")
        return found

    # Positions

    def find(self, names: Names, what: What) -> Positions:
        """The sample of each key that says something about it; -1 if none does.

        Raises:
            UsageError: Samples of the same patch contradict each other.
        """
        found = np.full(len(names), -1, np.int64)
        for name in self._likely_first(names):
            self._look_up(names, found, name, what)
        for name, companions in self.companions(names, found < 0):
            self._look_up(companions, found, name, what)
        return found

    def companions(
        self, names: Names, is_wanted: npt.NDArray[np.bool_]
    ) -> Iterator[tuple[str, Names]]:
        """Yield patches that belong to others of which there are several, such as times.

        A patch of a modality that no sample names, and whose key has all fields of the key of a
        modality that samples name, belongs to that one's patch: the images of a series to their
        mask.

        Args:
            names: Keys.
            is_wanted: The keys to consider.

        Yields:
            The modality that samples name, and its patch for each key, empty if there is none.
        """
        known = self.samples.names if self.samples is not None else {}
        modalities = self._spec.modalities if self._spec is not None else ()
        for other in modalities:
            base = next((m for m in modalities if m.name in known and _is_within(m, other)), None)
            if other.name in known or base is None or not is_wanted.any():
                continue
            found = []
            for name, wanted in zip(names, is_wanted.tolist(), strict=True):
                values = other.keys.match(name.decode(errors="replace")) if wanted else None
                found.append("" if values is None else base.key.format(values))
            yield base.name, Names.of(found)

    def _look_up(self, names: Names, found: Positions, modality: str, what: What) -> None:
        """Note the sample of each name that has none yet."""
        missing = np.flatnonzero(found < 0)
        if not len(missing):
            return
        index = self._index(modality, what)
        at = index.names.find(names.take(missing))
        met = at >= 0
        found[missing[met]] = index.rows[at[met]]
        if index.is_ambiguous is not None and bool(index.is_ambiguous[at[met]].any()):
            i = int(np.flatnonzero(index.is_ambiguous[at[met]])[0])
            key = index.names[int(at[met][i])].decode(errors="replace")
            raise UsageError(
                f"{self._path}: the patch {key!r} belongs to samples with different {what}s",
                "Ask for those of the patches that name the samples: another modality.",
            )

    def _likely_first(self, names: Names) -> list[str]:
        """The modalities that have labels, first those whose keys look like the first name."""
        known = list(self.samples.names) if self.samples is not None else []
        if self._spec is None or not len(names):
            return known
        key = names[0].decode(errors="replace")
        alike = {one.name for one in self._spec.modalities if one.may_have(key)}
        return sorted(known, key=lambda name: name not in alike)

    def _index(self, name: str, what: What) -> _LabelIndex:
        found = self._indexes.get((name, what))
        if found is None:
            assert self.samples is not None  # noqa: S101 - only modalities of the samples
            samples, names = self.samples, self.samples.names[name]
            has = samples.is_labelled if what == "label" else samples.split != NONE
            rows = np.flatnonzero((names.ends > names.begins) & has)
            own = names.take(rows)
            found = _LabelIndex(own, rows, _ambiguous(samples, own, rows, what))
            self._indexes[name, what] = found
        return found


def names_of(keys: Iterable[str]) -> Names:
    """Keys as names, without a copy if they are `Keys`."""
    if isinstance(keys, Keys):
        return Names(*keys.block())
    return Names.of(keys)


def _is_within(modality: Modality, other: Modality) -> bool:
    """Whether another modality's keys have all fields of a modality's, and more."""
    return {*modality.key.fields} < {*other.key.fields}


def _ambiguous(
    samples: SampleTable, names: Names, rows: Positions, what: What
) -> npt.NDArray[np.bool_] | None:
    """Whether other samples with the same name say something else; None if no name recurs."""
    if len(np.unique(names.hashes)) == len(names):
        return None
    first = names.find(names)
    found = np.zeros(len(names), np.bool_)
    for i in np.flatnonzero(first != np.arange(len(names))).tolist():
        one, other = int(rows[i]), int(rows[first[i]])
        if what == "split":
            found[first[i]] |= samples.split[one] != samples.split[other]
        else:
            found[first[i]] |= samples.label_of(one) != samples.label_of(other)
    return found
