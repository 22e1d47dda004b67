"""Which patches of a store are wanted.

In: a user's criteria, and a store. Out: keys. A sample is all patches that belong together, such as
an image and its mask; criteria choose samples, so patches that are paired stay paired.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import xxhash

from rico_hdl.errors import UsageError
from rico_hdl.reading import Keys, Store
from rico_hdl.subsets.places import box_of, check_box, touching
from rico_hdl.subsets.samples import sample_names

_ALL: Final = 2**64
"""The number of hashes."""


@dataclass(frozen=True)
class Selection:
    """Criteria that a patch must meet, all of them.

    Raises:
        UsageError: A criterion is invalid.
    """

    modalities: tuple[str, ...] = ()
    """The names of the wanted modalities; empty for all."""
    keys: tuple[str, ...] | None = None
    """The wanted keys; None for all. A key stands for its whole sample."""
    fraction: float | None = None
    """The share of samples, above 0 and at most 1: those whose hash is small. Which ones depends
    only on their names and the seed, and a larger share contains a smaller one."""
    seed: int = 0
    """Chooses other samples for `fraction`."""
    limit: int | None = None
    """The largest number of samples: the first ones in the order of keys."""
    split: str = ""
    """The name of a split, or the path of a publisher's split file; empty for all."""
    bbox: tuple[float, float, float, float] | None = None
    """West, south, east, north in degrees on WGS 84, which a patch of the sample touches; west is
    greater than east for a box across the 180th meridian. None for everywhere."""
    labels: tuple[str, ...] = ()
    """The names of classes, of which a sample has any; empty for all."""

    def __post_init__(self) -> None:
        if self.fraction is not None and not 0 < self.fraction <= 1:
            raise UsageError(
                f"fraction={self.fraction!r}, expected more than 0 and at most 1",
                "A tenth is 0.1.",
            )
        if self.bbox is not None:
            check_box(self.bbox)
        if self.limit is not None and self.limit < 1:
            raise UsageError(f"limit={self.limit}, expected at least 1")

    @classmethod
    def of(  # noqa: PLR0913 - each is the user's choice
        cls,
        *,
        modality: str | Iterable[str] | None = None,
        keys: Iterable[str] | None = None,
        fraction: float | None = None,
        seed: int = 0,
        limit: int | None = None,
        split: str | None = None,
        label: str | Iterable[str] | None = None,
        bbox: Sequence[float | str] | None = None,
    ) -> Selection:
        """A selection from the arguments of `rico_hdl.select`."""
        if isinstance(keys, str):
            raise UsageError(f"keys={keys!r} is one key, expected several", "Give a list.")
        names = (modality,) if isinstance(modality, str) else tuple(modality or ())
        return cls(
            modalities=names,
            keys=None if keys is None else tuple(dict.fromkeys(keys)),
            fraction=fraction,
            seed=seed,
            limit=limit,
            split=split or "",
            bbox=None if bbox is None else box_of(bbox),
            labels=(label,) if isinstance(label, str) else tuple(label or ()),
        )

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready: the criteria that were given, and a digest in place of a list of keys."""
        found: dict[str, Any] = {}
        if self.modalities:
            found["modalities"] = sorted(self.modalities)
        if self.keys is not None:
            text = "\n".join(sorted(self.keys))
            digest = hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()
            found["keys"] = {"n": len(self.keys), "sha256": digest}
        if self.fraction is not None:
            found |= {"fraction": self.fraction, "seed": self.seed}
        if self.limit is not None:
            found["limit"] = self.limit
        if self.split:
            found["split"] = self.split
        if self.labels:
            found["labels"] = sorted(self.labels)
        if self.bbox is not None:
            found["bbox"] = list(self.bbox)
        return found

    def chosen(self, store: Store) -> Keys:
        """The keys of a store that meet all criteria, sorted.

        Raises:
            UsageError: The store has no such modality, or nothing meets the criteria.
            UnknownKeyError: The store lacks a key.
            StoreError: The store is damaged.
        """
        every = store.keys()
        names, samples = np.unique(sample_names(store, every), return_inverse=True)
        wanted = np.ones(len(every), bool)
        if self.modalities:
            wanted &= _among(every, [store.keys(name) for name in self.modalities])
        parts = []
        if self.keys is not None:
            parts.append(store.locate(self.keys))
        if self.split:
            parts.append(store.keys(split=self.split))
        if self.labels:
            parts.append(_with_labels(store, self.labels))
        if self.bbox is not None:
            parts.append(every[np.flatnonzero(touching(store, every, self.bbox))])
        for part in parts:
            wanted &= np.isin(samples, samples[_among(every, [part])])
        if self.fraction is not None:
            wanted &= self._hashed(names)[samples]
        if self.limit is not None:
            # In the order in which samples first occur among the wanted keys.
            _, first = np.unique(samples[wanted], return_index=True)
            kept = samples[wanted][np.sort(first)[: self.limit]]
            wanted &= np.isin(samples, kept)
        if not wanted.any():
            raise UsageError(
                f"{store.path}: none of its {len(every)} patches meets the criteria",
                "Relax them; rico-hdl info shows what the store holds.",
            )
        return every[np.flatnonzero(wanted)]

    def _hashed(self, names: npt.NDArray[np.bytes_]) -> npt.NDArray[np.bool_]:
        """Whether the hash of each sample's name is small enough."""
        assert self.fraction is not None  # noqa: S101 - see `chosen`
        bound, prefix = math.ceil(self.fraction * _ALL), f"{self.seed}:".encode()
        small = (xxhash.xxh3_64_intdigest(prefix + name) < bound for name in names.tolist())
        return np.fromiter(small, bool, len(names))


def _with_labels(store: Store, labels: Sequence[str]) -> Keys:
    """The keys of patches that have any of these labels.

    Raises:
        UsageError: The store has no labels, or no such class.
    """
    classes = store.classes
    if unknown := [label for label in labels if label not in classes]:
        close = get_close_matches(unknown[0], classes, 1)
        raise UsageError(
            f"{store.path}: no class is called {unknown[0]!r}",
            f"Did you mean {close[0]!r}?" if close else f"Classes: {', '.join(classes) or 'none'}.",
        )
    keys = store.keys(labelled=True)
    wanted = [classes.index(label) for label in labels]
    values = store.labels(keys)
    has = values[:, wanted].any(axis=1) if values.ndim == 2 else np.isin(values, wanted)
    return keys[np.flatnonzero(has)]


def _among(every: Keys, parts: Sequence[Keys]) -> npt.NDArray[np.bool_]:
    """Whether each of the sorted keys is in one of the parts."""
    found = np.zeros(len(every), bool)
    names = np.array([key.encode() for key in every])
    for part in parts:
        found[np.searchsorted(names, np.array([key.encode() for key in part]))] = True
    return found
