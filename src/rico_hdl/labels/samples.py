"""The samples of a dataset: their patches, labels and splits, as arrays.

Half a million samples take about as much memory as the names of their patches.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from rico_hdl.labels.collecting import NONE
from rico_hdl.labels.names import Names
from rico_hdl.spec.labels import LabelKind

Integers = npt.NDArray[np.int32]


@dataclass(frozen=True)
class SampleTable:
    """Samples, with indexes into names of classes and splits.

    With one label each, samples have one entry in `values`, which is `NONE`, or NaN for numbers, if
    a sample has no label. With several, they have any number of entries.
    """

    names: dict[str, Names]
    """The patches by modality; an empty name stands for none."""
    anchors: npt.NDArray[np.uint8]
    """The zero-based position, among the modalities, of the one that names the sample."""
    splits: tuple[str, ...]
    """The names of the splits."""
    split: npt.NDArray[np.int16]
    """The index of each sample's split, or `NONE`."""
    kind: LabelKind | None
    """What labels are; None without labels."""
    classes: tuple[str, ...] = ()
    """The names of the classes."""
    values: Integers | npt.NDArray[np.float64] = field(default_factory=lambda: np.zeros(0, "i4"))
    """Class indexes, or numbers."""
    ends: npt.NDArray[np.int64] | None = None
    """The offset in `values` after those of each sample, if a sample may have several."""

    def __len__(self) -> int:
        return len(self.split)

    @property
    def is_labelled(self) -> npt.NDArray[np.bool_]:
        """Whether each sample has a label, be it the empty set of classes."""
        found: npt.NDArray[np.bool_]
        if self.kind is None:
            return np.zeros(len(self), np.bool_)
        if self.kind == "number":
            return ~np.isnan(self.values)
        if self.ends is None:
            return np.asarray(self.values != NONE)
        begins = np.concatenate([[0], self.ends[:-1]]).astype(np.int64)
        found = np.ones(len(self), np.bool_)
        some = self.ends > begins
        found[some] = self.values[begins[some]] != NONE
        return found

    def take(self, rows: npt.NDArray[np.int64]) -> SampleTable:
        """The samples at some zero-based positions."""
        values, ends = self.values, self.ends
        if self.kind is not None and ends is not None:
            begins = np.concatenate([[0], ends[:-1]]).astype(np.int64)
            lengths = (ends - begins)[rows]
            ends = np.cumsum(lengths)
            at = np.repeat(begins[rows] - (ends - lengths), lengths) + np.arange(lengths.sum())
            values = values[at]
        elif self.kind is not None:
            values = values[rows]
        return replace(
            self,
            names={name: names.take(rows) for name, names in self.names.items()},
            anchors=self.anchors[rows],
            split=self.split[rows],
            values=values,
            ends=ends,
        )

    def label_of(self, i: int) -> tuple[Any, ...]:
        """The label of a sample: its class names, its number, or nothing."""
        if self.kind is None:
            return ()
        if self.kind == "number":
            return (float(self.values[i]),)
        begin = i if self.ends is None else int(self.ends[i - 1]) if i else 0
        stop = i + 1 if self.ends is None else int(self.ends[i])
        return tuple(self.classes[j] for j in self.values[begin:stop].tolist() if j != NONE)
