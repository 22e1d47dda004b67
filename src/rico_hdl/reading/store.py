"""A store as a mapping from keys to patches.

In: a target folder, of this tool or of the original rico-hdl. Out: patches as numpy arrays that own
their data, and a description of the contents. It writes nothing, takes no lock, and opens the file
once for each process, on first use.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, Unpack

import numpy as np
import numpy.typing as npt

from rico_hdl.errors import UsageError
from rico_hdl.reading.batches import Batches, Chunks
from rico_hdl.reading.catalogue import ModalityContents
from rico_hdl.reading.joins import TimeSeries, series_of
from rico_hdl.reading.keys import Keys
from rico_hdl.reading.labels import StoreLabels
from rico_hdl.reading.modalities import keys_of
from rico_hdl.reading.options import BatchOptions, ReadOptions
from rico_hdl.reading.pairs import described, pairs_of
from rico_hdl.reading.patches import WholePatches
from rico_hdl.reading.protocol import Records
from rico_hdl.reading.reader import PatchReader, Readers
from rico_hdl.reading.record_plan import Images
from rico_hdl.reading.records import MappedRecords
from rico_hdl.reading.runs import Array
from rico_hdl.reading.selection import Bands
from rico_hdl.reading.statistics import statistics_of
from rico_hdl.spec import ALL_BANDS, DatasetSpec
from rico_hdl.system.processors import n_usable_processors

if TYPE_CHECKING:
    from rico_hdl.georef import Georef, Georefs
    from rico_hdl.reading.georeferencing import Georeferencing


class Store(Mapping[str, dict[str, Array]]):
    """Patches by their keys: ``store[key]`` is a dictionary of 2-D arrays by band.

    A context manager. It can be pickled, and used from several threads and on both sides of a fork:
    the file is mapped once for each process, on first use, and never locked. Arrays are copies,
    which outlive the store.

    Args:
        path: The folder that holds ``data.mdb``.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.records: Records = MappedRecords(path)
        """The records, shared by all readers of this store."""
        self._begin()

    def _begin(self) -> None:
        """Set the attributes that are not pickled."""
        self._patches = WholePatches()
        self._readers = Readers()

    def __getstate__(self) -> dict[str, Any]:
        return {"records": self.records}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._begin()

    @property
    def path(self) -> Path:
        """The absolute path of the folder."""
        return self.records.path

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self.records.closed

    # A mapping's own comparison would read and compare all pixels.
    __eq__ = object.__eq__
    __hash__ = object.__hash__

    def __repr__(self) -> str:
        return f"<rico_hdl.Store {os.fspath(self.path)!r}{' (closed)' if self.closed else ''}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Release the file, once reads in other threads are done; harmless if called twice."""
        self.records.close()

    def __len__(self) -> int:
        return len(self.records)

    def __iter__(self) -> Iterator[str]:
        return iter(self.records.keys())

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and key in self.records

    def keys(
        self, modality: str | None = None, *, split: str | None = None, labelled: bool = False
    ) -> Keys:
        """All keys, or those of a modality, of a split, or with labels; sorted.

        If the store holds several modalities, the form of its keys tells them apart; without a
        manifest that describes them, each record's header is read.

        Args:
            modality: Its name; None for all.
            split: One of `splits` (``val`` is ``validation``), or the path of a split file.
            labelled: Whether to leave out patches without a label.

        Raises:
            UsageError: The store has no such modality or split.
            StoreError: The store is closed or damaged.
        """
        found = self.records.keys()
        if modality is not None:
            found = keys_of(self.records, self._contents(modality))
        if split is not None:
            found = found[np.flatnonzero(self._labels.in_split(found, split))]
        return found[np.flatnonzero(self._labels.is_labelled(found))] if labelled else found

    def locate(self, keys: Iterable[str]) -> Keys:
        """The given keys together with the places of their records, which saves later look-ups.

        Args:
            keys: The keys, in the wanted order.

        Raises:
            UnknownKeyError: The store does not have one of them.
            StoreError: The store is closed or damaged.
        """
        return self.records.locate(list(keys))

    @property
    def dataset(self) -> str | None:
        """The dataset's name; None if it is unknown."""
        return self.records.catalogue.dataset

    @property
    def spec(self) -> DatasetSpec | None:
        """The description of the dataset in the store; None without one, as in older stores."""
        return self.records.catalogue.spec

    @cached_property
    def _labels(self) -> StoreLabels:
        return StoreLabels(self.path, self.spec)

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes, by index; empty if nothing names a class."""
        return self._labels.classes(self.records.keys())

    def labels(self, keys: Iterable[str]) -> npt.NDArray[Any]:
        """The label of each key.

        Returns:
            If each patch has one class, its index in `classes`: int64 of shape (keys,). If it may
            have several, 1 for those that it has: uint8 of shape (keys, classes). If labels are
            numbers, float64 of shape (keys,).

        Raises:
            UsageError: A key has no label.
            StoreError: The store is closed, or the labels are damaged.
        """
        return self._labels.labels(keys, self.records.keys())

    @property
    def splits(self) -> tuple[str, ...]:
        """The names of the splits, such as ``train``; empty without splits."""
        return self._labels.splits(self.records.keys())

    def pairs(self, *modalities: str, split: str | None = None) -> dict[str, Keys]:
        """The patches of several modalities that belong together.

        Args:
            *modalities: The names of two or more modalities.
            split: The name of a split; None for all.

        Returns:
            The keys of each modality, of the same number and order: those that a row of the store's
            label tables names, or without such tables, those whose keys share fields.

        Raises:
            UsageError: The store has no such modality, or nothing says what belongs together.
        """
        return pairs_of(self, self._labels, modalities, split)

    def series(self, modality: str | None = None, *, split: str | None = None) -> TimeSeries:
        """The patches of each place, in the order of time: a sequence of `Keys`.

        Args:
            modality: Its name; None for the store's only one.
            split: See `keys`.

        Raises:
            UsageError: The store has no such modality, or nothing says which field is the time.
        """
        self._contents(modality)
        name = modality if modality is not None else self.modalities[0]
        return series_of(self.keys(name, split=split), described(self, name))

    @property
    def modalities(self) -> tuple[str, ...]:
        """The names of its modalities, in the publisher's order; ``unknown`` for other records."""
        return tuple(self.records.catalogue.modalities)

    def bands(self, modality: str | None = None) -> tuple[str, ...]:
        """The names of a modality's bands, in the publisher's order.

        Args:
            modality: Its name; None for the store's only one.

        Raises:
            UsageError: The store has no such modality, or several, and none was named.
        """
        return self._contents(modality).bands

    def presets(self, modality: str | None = None) -> dict[str, tuple[str, ...]]:
        """The named choices of a modality's bands, and ``all``.

        Args:
            modality: Its name; None for the store's only one.

        Raises:
            UsageError: The store has no such modality, or several, and none was named.
        """
        contents = self._contents(modality)
        return {**contents.presets, ALL_BANDS: contents.bands}

    def _contents(self, modality: str | None) -> ModalityContents:
        known = self.records.catalogue.modalities
        if modality is None and len(known) == 1:
            return next(iter(known.values()))
        if modality is not None and modality in known:
            return known[modality]
        raise UsageError(
            f"{self.path} has no modality {modality!r}"
            if modality is not None
            else f"{self.path} has {len(known)} modalities, and none was named",
            f"It has: {', '.join(known) or 'no records'}.",
        )

    @cached_property
    def _georeferencing(self) -> Georeferencing:
        """Imported on first use: most readers need pixels only."""
        from rico_hdl.reading.georeferencing import Georeferencing  # noqa: PLC0415

        return Georeferencing(self.records)

    def georef(self, key: str) -> Georef:
        """Where and when a patch was taken; a StoreError if nothing is known: see `Georef`."""
        return self._georeferencing.georef(key)

    def georefs(self, keys: Sequence[str] | None = None) -> Georefs:
        """The same of many patches, or of all, as arrays: see `Georefs`."""
        return self._georeferencing.georefs(self.keys() if keys is None else keys)

    statistics = statistics_of

    # Reading

    def __getitem__(self, key: str) -> dict[str, Array]:
        """All bands of a patch, by name, as stored: copies that share one block of memory."""
        return self._patches.read(self.records, key)

    def read(self, key: str, *, out: Array | None = None, **options: Unpack[ReadOptions]) -> Array:
        """Read some bands of a patch as one array, whatever the size of the patch.

        Args:
            key: The key of the patch.
            out: The array to fill.
            **options: ``bands``, ``size``, ``resampling`` and ``dtype``: see `ReadOptions`.

        Returns:
            ``out``, or a new array of shape (C, H, W).

        Raises:
            UnknownKeyError: The store does not have the patch.
            UnknownBandError: The patch does not have a band.
            SizeError: Bands differ in size.
            UsageError: An option does not fit.
            StoreError: The store is closed or damaged.
        """
        if out is not None and options.get("dtype") is None:
            options["dtype"] = out.dtype
        reader = self._readers.get(self.records, "read", ReadOptions, {**options})
        image: Any = reader.read(key, out)
        return image  # type: ignore[no-any-return]

    def read_batch(
        self, keys: Sequence[str], *, out: Images | None = None, **options: Unpack[BatchOptions]
    ) -> Images:
        """Read some bands of several patches as one array.

        Args:
            keys: The keys of the patches, in any order, possibly repeated.
            out: The array to fill, of shape (N, C, H, W); grouped, a dictionary of arrays.
            **options: ``bands``, ``size``, ``resampling``, ``dtype``, ``on_size`` and ``grouped``:
                see `BatchOptions`.

        Returns:
            ``out``, or a new array of shape (N, C, H, W); grouped, a dictionary with one for each
            resolution, such as ``120x120``, or one of shape (N, H, W) for each band. The latter
            share one block of memory if bands are only copied; each band of each patch is
            contiguous there. ``skip`` may leave fewer rows; `PatchReader.read_batch` returns their
            keys.

        Raises:
            UnknownKeyError: The store does not have a patch.
            UnknownBandError: A patch does not have a band.
            SizeError: Bands or patches differ in size.
            UsageError: An option does not fit.
            StoreError: The store is closed or damaged.
        """
        if isinstance(out, np.ndarray) and options.get("dtype") is None:
            options["dtype"] = out.dtype
        return (
            self._readers.get(self.records, "read_batch", BatchOptions, {**options})
            .read_batch(keys, out)
            .images
        )

    def batches(  # noqa: PLR0913 - one argument for each option
        self,
        keys: Sequence[str] | None = None,
        *,
        batch_size: int,
        shuffle: bool = False,
        seed: int = 0,
        prefetch: int = 2,
        n_threads: int | None = None,
        drop_last: bool = False,
        copy: bool = False,
        **options: Unpack[BatchOptions],
    ) -> Batches:
        """Read all patches, or some, in batches that threads read ahead.

        Args:
            keys: The keys of the patches; None for all in the store.
            batch_size: Patches per batch.
            shuffle: Whether to shuffle them; the order depends only on the seed and their number.
            seed: The seed of the order; use another one for each epoch.
            prefetch: Batches that are read ahead, at least 1. A batch stays valid until that many
                more batches are requested.
            n_threads: Threads that read; None for as many as are useful.
            drop_last: Whether to leave out an incomplete last batch.
            copy: Whether each batch has memory of its own, which is slower, but stays valid.
            **options: See `read_batch`. With ``on_size="skip"``, batches may have fewer patches.

        Returns:
            An iterator of `Batch`.

        Raises:
            UsageError: An option does not fit.
            StoreError: The store is closed or damaged.
        """
        for name, value in (("batch_size", batch_size), ("prefetch", prefetch)):
            if value < 1:
                raise UsageError(f"{name}={value} is less than 1", "Give at least 1.")
        reader = self._readers.get(self.records, "batches", BatchOptions, {**options})
        wanted = self.keys() if keys is None else keys
        order = np.arange(len(wanted))
        if shuffle:
            # The only generator whose numbers NumPy promises never to change.
            np.random.RandomState(seed).shuffle(order)
        return Batches(
            reader,
            Chunks(wanted, order, batch_size, drop_last=drop_last),
            prefetch=prefetch,
            n_threads=n_threads or min(prefetch, n_usable_processors()),
            copy=copy,
        )

    def deviating(self, keys: Sequence[str] | None = None, *, bands: Bands = None) -> list[str]:
        """The keys of patches whose bands deviate from their modality's usual size.

        Args:
            keys: The patches to check; None for all in the store.
            bands: See `read`.

        Raises:
            UnknownKeyError: The store does not have a patch.
            UnknownBandError: A patch does not have a band.
            StoreError: The store is closed or damaged.
        """
        reader = self.reader(bands=bands, on_size="skip", grouped=True)
        return reader.deviating(self.keys() if keys is None else keys)

    def reader(self, **options: Unpack[BatchOptions]) -> PatchReader:
        """A reader that always has these options; see `read_batch`.

        Raises:
            UsageError: An option does not fit.
        """
        return self._readers.get(self.records, "reader", BatchOptions, {**options})
