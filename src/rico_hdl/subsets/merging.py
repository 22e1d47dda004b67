"""Several stores of one dataset as one."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack
from heapq import merge as merged
from itertools import groupby

from rico_hdl.errors import StoreError, UsageError
from rico_hdl.labels.joining import merged as joined
from rico_hdl.labels.samples import SampleTable
from rico_hdl.observer import Observer, observing
from rico_hdl.reading import Store
from rico_hdl.reading import open as open_store
from rico_hdl.reading.labels import StoreLabels
from rico_hdl.spec import DatasetSpec
from rico_hdl.store import Manifest
from rico_hdl.subsets.copying import READ_BYTES, Origins, records_of, write_store
from rico_hdl.subsets.summary import CopySummary
from rico_hdl.values import Record


def merge(
    stores: Sequence[str | os.PathLike[str]],
    target: str | os.PathLike[str],
    *,
    overwrite: bool = False,
    observer: Observer | None = None,
) -> CopySummary:
    """Copy the patches of several stores of one dataset into one.

    The content digest of the new store is the sum of theirs, and equals that of one conversion. A
    record that several stores hold must be the same in all of them.

    Args:
        stores: The folders of the stores, at least one.
        target: The folder of the new store; created with its parents.
        overwrite: See `rico_hdl.select`.
        observer: Receives progress, as in a verification.

    Raises:
        UsageError: A store is given twice, or none.
        StoreError: The stores hold several datasets or different records for a key, one of them is
            damaged, or the target can't be used.
        InterruptedRunError: A signal ended it; all stored records are kept.
    """
    places = [os.path.realpath(store) for store in stores]
    if not places or len(set(places)) < len(places):
        raise UsageError(
            f"stores={[os.fspath(store) for store in stores]}, expected several, each once"
        )
    with ExitStack() as stack:
        opened = [stack.enter_context(open_store(store)) for store in stores]
        manifests = tuple(Manifest.read(store.path) or Manifest() for store in opened)
        spec = _common_spec(opened, manifests)
        origins = Origins(tuple(opened), manifests, spec, None, _common_labels(opened, spec))

        n_records, shared = _counted(opened)

        def records(is_wanted: Callable[[bytes], bool]) -> Generator[Record, None, None]:
            def is_read(key: bytes) -> bool:
                # What several stores hold is compared again, whatever an earlier run has stored.
                return key in shared or is_wanted(key)

            read_bytes = READ_BYTES // len(opened)
            parts = [_with_store(store, read_bytes, is_read) for store in opened]
            for record in _without_copies(merged(*parts, key=lambda pair: pair[0].key)):
                if is_wanted(record.key):
                    yield record

        return write_store(
            origins,
            target,
            records,
            n_records,
            overwrite=overwrite,
            observer=observing(observer),
        )


def _counted(stores: Sequence[Store]) -> tuple[int, frozenset[bytes]]:
    """The number of keys in all stores together, and those that several stores hold."""
    n_keys, shared = 0, []
    for key, copies in groupby(merged(*(map(str.encode, store.keys()) for store in stores))):
        n_keys += 1
        if sum(1 for _ in copies) > 1:
            shared.append(key)
    return n_keys, frozenset(shared)


def _with_store(
    store: Store, read_bytes: int, is_wanted: Callable[[bytes], bool]
) -> Iterator[tuple[Record, Store]]:
    """The records of a store, each with the store."""
    for record in records_of(store, store.keys(), read_bytes, is_wanted):
        yield record, store


def _without_copies(pairs: Iterator[tuple[Record, Store]]) -> Iterator[Record]:
    """Each record once, after all stores that hold it have been asked.

    Raises:
        StoreError: Two stores hold different records for a key.
    """
    for key, copies in groupby(pairs, key=lambda pair: pair[0].key):
        (record, first), *others = copies
        for other, store in others:
            if other.data != record.data:
                raise StoreError(
                    f"{first.path} and {store.path} hold different records for "
                    f"{key.decode(errors='replace')!r}",
                    "Leave one of the stores out, or convert again what differs.",
                )
        yield record


def _common_spec(stores: Sequence[Store], manifests: Sequence[Manifest]) -> DatasetSpec | None:
    """The dataset of all stores.

    Raises:
        StoreError: They hold different ones.
    """
    first = stores[0].spec
    for store, manifest in zip(stores, manifests, strict=True):
        spec = store.spec
        if (spec and spec.name) != (first and first.name):
            raise StoreError(
                f"{stores[0].path} holds {first.name if first else 'an unknown dataset'}, and "
                f"{store.path} {spec.name if spec else 'an unknown dataset'}",
                "Merge stores of one dataset.",
            )
        if first is None:
            continue
        known = {modality.name: modality.fingerprint for modality in first.modalities}
        for name, state in manifest.modalities.items():
            if state.spec_fingerprint not in (None, known.get(name)):
                raise StoreError(
                    f"{stores[0].path} and {store.path} have different keys or bands for {name}",
                    "Merge stores that were made with the same description of the dataset.",
                )
    return first


def _common_labels(stores: Sequence[Store], spec: DatasetSpec | None) -> SampleTable | None:
    """The labels of all stores; None if there are none.

    Raises:
        SourceError: They are of different kinds.
    """
    found: SampleTable | None = None
    for store in stores:
        samples = StoreLabels(store.path, store.spec).samples
        if samples is None or spec is None:
            continue
        names = tuple(one.name for one in spec.modalities)
        classes = spec.labels.classes if spec.labels is not None else ()
        found = samples if found is None else joined(found, samples, names, classes)
    return found
