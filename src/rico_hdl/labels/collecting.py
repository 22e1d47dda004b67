"""Collecting the rows of label tables.

In: rows, one after another. Out: a `SampleTable`. numpy is imported only if there are rows: a
conversion that meets none needs neither the time nor the memory.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from rico_hdl.errors import SourceError
from rico_hdl.spec.labels import LabelKind

if TYPE_CHECKING:
    from rico_hdl.labels.samples import SampleTable

MAX_CLASSES: Final = 2**16
"""The most classes and splits; a column with more values holds something else."""
NONE: Final = -1
"""The index of a sample without a split, and of one without a class."""


class Collector:
    """Collects rows.

    Args:
        modalities: The names of the dataset's modalities.
        kind: What labels are; None if their values decide.
        classes: The classes; empty if any may occur.
    """

    def __init__(
        self, modalities: Sequence[str], kind: LabelKind | None, classes: Sequence[str]
    ) -> None:
        self.modalities = tuple(modalities)
        """The names of the dataset's modalities."""
        self.kind = kind
        """What labels are, as far as rows have shown."""
        self.places: list[str] = []
        """The files of the rows."""
        self.place_of = array("i")
        """The position of each row's file in `places`."""
        self.number_of = array("i")
        """The one-based number of each row in its file."""
        self._data = [bytearray() for _ in modalities]
        self._ends = [array("q") for _ in modalities]
        self._anchors = bytearray()
        self._known = frozenset(classes)
        self._class_of = {name: i for i, name in enumerate(classes)}
        self._split_of: dict[str, int] = {}
        self._splits = array("h")
        self._values = array("i")
        self._value_ends = array("q")
        self._numbers = array("d")
        self._n_labelled = 0

    def __len__(self) -> int:
        return len(self._splits)

    def add(
        self,
        keys: Sequence[str],
        anchor: int,
        label: float | Sequence[str] | None,
        split: str,
        place: tuple[int, int],
    ) -> None:
        """Add a row.

        Args:
            keys: The key of its patch in each modality; empty if it has none there.
            anchor: The zero-based position of the modality that names the sample.
            label: A number, the names of its classes, or None.
            split: The name of its split; empty if it has none.
            place: The position of its file in `places`, and its one-based number there.

        Raises:
            SourceError: The label does not fit the classes or the other rows.
        """
        for data, ends, key in zip(self._data, self._ends, keys, strict=True):
            data.extend(key.encode(errors="surrogateescape"))
            ends.append(len(data))
        self._anchors.append(anchor)
        self._splits.append(self._index(self._split_of, split, "splits") if split else NONE)
        self.place_of.append(place[0])
        self.number_of.append(place[1])
        self._n_labelled += label is not None
        if isinstance(label, float):
            self._numbers.extend([float("nan")] * (len(self) - 1 - len(self._numbers)))
            self._numbers.append(label)
        elif label is None:
            self._values.append(NONE)
        else:
            for name in dict.fromkeys(label):
                if self._known and name not in self._known:
                    raise SourceError(
                        f"{self.where(-1)}: class {name!r} is unknown, expected one of "
                        f"{', '.join(sorted(self._known)[:50])}",
                        "Correct the row, or the classes or the mapping of labels in the spec.",
                    )
                self._values.append(self._index(self._class_of, name, "classes"))
        self._value_ends.append(len(self._values))

    def settle(self, kind: LabelKind) -> LabelKind:
        """The kind of the labels, given the kind that a value seems to be."""
        if self.kind is None:
            self.kind = kind
        return self.kind

    def _index(self, index_of: dict[str, int], name: str, what: str) -> int:
        found = index_of.get(name)
        if found is None:
            if len(index_of) >= min(MAX_CLASSES, 2**15 - 1 if what == "splits" else MAX_CLASSES):
                raise SourceError(
                    f"{self.where(-1)}: there are more than {len(index_of):,} {what}, such as "
                    f"{name!r}",
                    "Name the right column in the spec's table.",
                )
            found = index_of[name] = len(index_of)
        return found

    def mark(self) -> tuple[int, ...]:
        """The number of rows and of everything else, for `go_back`."""
        return (
            len(self),
            len(self.places),
            len(self._class_of),
            len(self._split_of),
            len(self._values),
            len(self._numbers),
            self._n_labelled,
        )

    def go_back(self, mark: tuple[int, ...]) -> None:
        """Forget all rows since a mark."""
        n, n_places, n_classes, n_splits, n_values, n_numbers, self._n_labelled = mark
        for data, ends in zip(self._data, self._ends, strict=True):
            del ends[n:]
            del data[ends[-1] if ends else 0 :]
        columns = (self._anchors, self._splits, self.place_of, self.number_of, self._value_ends)
        for column in columns:
            del column[n:]
        del self.places[n_places:], self._values[n_values:], self._numbers[n_numbers:]
        self._class_of = dict(list(self._class_of.items())[:n_classes])
        self._split_of = dict(list(self._split_of.items())[:n_splits])

    def where(self, row: int) -> str:
        """The file and number of a row, for messages."""
        place, number = self.places[self.place_of[row]], self.number_of[row]
        return f"{place}, row {number}" if number else place

    def samples(self) -> SampleTable:
        """All rows, one sample each; nothing can be added afterwards."""
        import numpy as np  # noqa: PLC0415 - see above

        from rico_hdl.labels.names import Names  # noqa: PLC0415 - takes numpy
        from rico_hdl.labels.samples import SampleTable  # noqa: PLC0415 - takes numpy

        names = {
            name: Names(np.frombuffer(data, np.uint8), np.frombuffer(ends, np.int64))
            for name, data, ends in zip(self.modalities, self._data, self._ends, strict=True)
            if data
        }
        ends = np.frombuffer(self._value_ends, np.int64)
        values: Any = np.frombuffer(self._values, np.int32)
        kind = self.kind if self._n_labelled else None
        if kind == "number":
            values = np.full(len(self), np.nan)
            values[: len(self._numbers)] = self._numbers
        return SampleTable(
            names,
            np.frombuffer(self._anchors, np.uint8),
            tuple(self._split_of),
            np.frombuffer(self._splits, np.int16),
            kind,
            tuple(self._class_of) if kind in {"single", "multi"} else (),
            values,
            ends if kind == "multi" else None,
        )
