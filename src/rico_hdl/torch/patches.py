"""Patches of a store as a dataset for PyTorch.

In: a store, keys and options. Out: samples, dictionaries of tensors with the keys that TorchGeo
has: ``image``, ``label``, ``mask``, and ``key``. The dataset opens the store when it is first used,
in each process by itself, so it may be pickled, forked and spawned.
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
        """What PyTorch calls a map-style dataset; untyped where torch is not installed."""
else:
    from torch.utils.data import Dataset

Sample = dict[str, Any]
"""Tensors by name, and ``key``."""

Transform = Callable[[Sample], Sample]
"""What makes another sample of a sample."""


class PatchDataset(Dataset):
    """A map-style dataset of patches.

    Each sample is a dictionary: ``image`` of (channel, row, column), ``label`` where there are
    labels, and ``key``. With ``grouped=True`` there is one image for each resolution instead,
    ``image_120x120``, ``image_60x60``, …; with ``grouped="band"`` one of (row, column) for each
    band, ``image_B02``, …

    Args:
        store: A store, or the folder of one.
        keys: The patches, in the order of the dataset; None for all of the store.
        bands: Names, a preset, or None for all, as `rico_hdl.Store.read` takes them.
        size: (rows, columns) to which every band is resampled; None leaves them.
        transform: Makes another sample of each sample. To reach worker processes that are not
            forked it must be picklable, so no lambda.
        labels: The label of each key: an array of (key, …). Samples get a tensor of its rows.
        **options: ``resampling``, ``dtype``, ``on_size`` and ``grouped``: see
            `rico_hdl.Store.read_batch`. ``on_size="skip"`` leaves patches of unusual size out
            from the beginning.

    Raises:
        StoreError: The store can't be read.
        UsageError: An option can't be carried out, or a key is not in the store.
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
        """Make it a dataset of these fields."""
        if not len(keys):
            raise UsageError(f"{store.path}: a dataset of no patches")
        self.store = store
        """The store that the patches are read from."""
        self.keys = keys
        """The key of each sample, by position."""
        self.transform = transform
        """What makes another sample of each sample, or None."""
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
        """Several samples, read in one go; PyTorch's loaders ask for a batch this way."""
        n = len(self)
        positions = [range(n)[operator.index(index)] for index in indices]
        arrays = self.empty(len(positions))
        self.fill(positions, arrays)
        return self.samples(positions, self.tensors(arrays))

    @property
    def memory(self) -> Mapping[str, Entry]:
        """The arrays that are filled for a batch.

        They are those of `entries`, or with ``grouped="band"`` what entries are views of.
        """
        return self._memory

    def empty(self, n: int) -> dict[str, npt.NDArray[Any]]:
        """Arrays of `memory` for that many samples, to be filled, by name."""
        return {
            name: np.empty((n, *entry.shape), entry.dtype) for name, entry in self._memory.items()
        }

    def tensors(self, arrays: Arrays) -> dict[str, torch.Tensor]:
        """The entries of a batch in arrays that were filled, without a copy."""
        batch = {name: torch.from_numpy(array) for name, array in arrays.items()}
        for field in self._bands:
            batch = field.views(batch)
        return batch

    def fill(self, positions: Positions, out: Arrays) -> None:
        """Read the patches at zero-based positions into arrays such as `empty` gives.

        Safe for threads. Nothing is transformed.

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
    """The store itself, or the one in a folder.

    Raises:
        StoreError: There is none.
    """
    return store if isinstance(store, Store) else open_store(store)
