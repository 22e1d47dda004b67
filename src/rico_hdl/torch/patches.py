"""Patches of a store as a dataset for PyTorch.

In: a store, keys and options. Out: samples: dictionaries of tensors with TorchGeo's keys ``image``,
``label`` and ``mask``, and with ``key``. The dataset opens the store on first use, separately in
each process, so it can be pickled, forked and spawned.
"""

from __future__ import annotations

import operator
import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np
import numpy.typing as npt
import torch

from rico_hdl.errors import UsageError
from rico_hdl.reading import Keys, Store
from rico_hdl.reading import open as open_store
from rico_hdl.reading.options import SampleOptions, check_names
from rico_hdl.torch.bands import BandField, images_of
from rico_hdl.torch.fields import (
    Arrays,
    Channels,
    Entry,
    LabelField,
    Positions,
    SampleField,
    merged,
)
from rico_hdl.torch.membership import known

if TYPE_CHECKING:

    class Dataset:
        """PyTorch's map-style dataset, for type checkers without torch."""
else:
    from torch.utils.data import Dataset

Sample = dict[str, Any]
"""Tensors by name, and ``key``."""

Transform = Callable[[Sample], Sample]
"""A function from sample to sample."""


class PatchDataset(Dataset):
    """A map-style dataset of patches.

    Each sample is a dictionary: ``image`` of shape (channels, rows, columns), ``label`` if labels
    are given, and ``key``. With ``grouped=True`` there is one image for each resolution instead,
    ``image_120x120``, ``image_60x60``, …; with ``grouped="band"`` one of shape (rows, columns) for
    each band, ``image_B02``, …

    Args:
        store: A store, or the folder of one.
        keys: The keys of the patches, in the order of the dataset; None for all in the store.
        bands: Names, a preset, or None for all, as in `rico_hdl.Store.read`.
        size: (rows, columns) to which every band is resampled; None leaves them.
        transform: A function from sample to sample. For worker processes that are not forked it
            must be picklable, so it can't be a lambda.
        labels: The label of each key: an array of shape (keys, …). Each sample gets one row of it.

    Further options are ``resampling``, ``dtype``, ``on_size`` and ``grouped``: see
    `rico_hdl.Store.read_batch`. ``on_size="skip"`` removes patches of unusual size from the
    dataset.

    Raises:
        StoreError: The store can't be read.
        UsageError: An option is invalid, or a key is not in the store.
    """

    def __init__(  # noqa: PLR0913 - all of them are public
        self,
        store: Store | str | os.PathLike[str],
        keys: Sequence[str] | None = None,
        bands: str | Sequence[str] | None = None,
        size: int | tuple[int, int] | None = None,
        transform: Transform | None = None,
        *,
        labels: npt.ArrayLike | None = None,
        **options: Unpack[SampleOptions],
    ) -> None:
        check_names("PatchDataset.__init__", options, SampleOptions)
        opened = opened_store(store)
        chosen = opened.keys() if keys is None else known(opened, keys)
        values = None if labels is None else np.asarray(labels)
        if values is not None and len(values) != len(chosen):
            raise UsageError(f"{len(values)} labels for {len(chosen)} keys")
        if options.get("on_size") == "skip":
            options["on_size"] = "error"
            unusual = set(opened.deviating(chosen, bands=bands))
            kept = np.array([i for i, key in enumerate(chosen) if key not in unusual], np.intp)
            chosen = chosen[kept]
            values = None if values is None else values[kept]
        reader = opened.reader(bands=bands, size=size, **options)
        fields: list[SampleField] = [images_of(Channels(reader, chosen))]
        if values is not None:
            fields.append(LabelField("label", values, values.dtype))
        self._compose(opened, chosen, fields, transform)

    def _compose(
        self, store: Store, keys: Keys, fields: Sequence[SampleField], transform: Transform | None
    ) -> None:
        """Build the dataset from fields."""
        if not len(keys):
            raise UsageError(f"{store.path}: the dataset has no patches")
        self.store = store
        """The store of the patches."""
        self.keys = keys
        """The key of each sample, by position."""
        self.transform = transform
        """A function from sample to sample, or None."""
        self._fields = tuple(fields)
        self._entries: dict[str, Entry] = merged(fields)
        self._memory = dict(self._entries)
        self._bands = tuple(field for field in fields if isinstance(field, BandField))
        for field in self._bands:
            for name in field.entries():
                del self._memory[name]
            self._memory |= field.memory()

    @property
    def entries(self) -> Mapping[str, Entry]:
        """The arrays of a sample before it is transformed: shape, dtype and bands, by name."""
        return self._entries

    def __len__(self) -> int:
        return len(self.keys)

    def __getitem__(self, index: int) -> Sample:
        """The sample at a position; negative ones count from the end.

        Raises:
            IndexError: There is no such position.
            RicoError: The patch can't be read with these options.
        """
        return self.__getitems__([index])[0]

    def __getitems__(self, indices: Sequence[int]) -> list[Sample]:
        """Read several samples at once; PyTorch's loaders request batches through this method."""
        n = len(self)
        positions = [range(n)[operator.index(index)] for index in indices]
        arrays = self.empty(len(positions))
        self.fill(positions, arrays)
        return self.samples(positions, self.tensors(arrays))

    @property
    def memory(self) -> Mapping[str, Entry]:
        """The arrays that are filled for a batch.

        They are those of `entries`, or with ``grouped="band"`` the memory behind their views.
        """
        return self._memory

    def empty(self, n: int) -> dict[str, npt.NDArray[Any]]:
        """Uninitialised arrays of `memory` for ``n`` samples, by name."""
        return {
            name: np.empty((n, *entry.shape), entry.dtype) for name, entry in self._memory.items()
        }

    def tensors(self, arrays: Arrays) -> dict[str, torch.Tensor]:
        """The entries of a batch, as tensors that share the memory of filled arrays."""
        batch = {name: torch.from_numpy(array) for name, array in arrays.items()}
        for field in self._bands:
            batch = field.views(batch)
        return batch

    def fill(self, positions: Positions, out: Arrays) -> None:
        """Read the patches at zero-based positions into arrays like those from `empty`.

        Safe for threads. It does not apply the transform.

        Raises:
            RicoError: A patch can't be read with these options.
        """
        if len(positions):
            for part in self._fields:
                part.fill(positions, out)

    def samples(self, positions: Positions, batch: Mapping[str, torch.Tensor]) -> list[Sample]:
        """The samples of a batch, without a copy, each transformed."""
        found: list[Sample] = []
        for row, position in enumerate(positions):
            sample: Sample = {name: tensor[row] for name, tensor in batch.items()}
            sample["key"] = self.keys[int(position)]
            found.append(sample if self.transform is None else self.transform(sample))
        return found


def opened_store(store: Store | str | os.PathLike[str]) -> Store:
    """The given store, or the one in a folder.

    Raises:
        StoreError: There is no store.
    """
    return store if isinstance(store, Store) else open_store(store)
