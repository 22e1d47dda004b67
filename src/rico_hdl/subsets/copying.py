"""Copying records from stores into a new one, as they are.

In: records in the order of their keys. Out: a store with a journal and a manifest of its own. The
process can be killed at any time, and the same call continues.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rico_hdl.converting.labelling import write_labels
from rico_hdl.errors import InterruptedRunError, StoreError, UsageError
from rico_hdl.labels.samples import SampleTable
from rico_hdl.observer import Observer
from rico_hdl.reading import Keys, Store
from rico_hdl.reading.georeferencing import Georeferencing
from rico_hdl.reading.protocol import Located
from rico_hdl.spec import DatasetSpec
from rico_hdl.store import Manifest, StoreWriter, check_target, check_values
from rico_hdl.store.description import modality_namer
from rico_hdl.store.manifest import ModalityState
from rico_hdl.subsets.notes import Notes
from rico_hdl.subsets.summary import CopySummary
from rico_hdl.system.interruption import deferred_signals
from rico_hdl.values import Record

READ_BYTES: Final = 8 * 2**20
"""Bytes of records that are read at once, from all stores together."""


_OTHER_TARGET: Final = "Choose another target, or start from scratch with --overwrite."


@dataclass(frozen=True)
class Origins:
    """The stores that a new store is made of."""

    stores: tuple[Store, ...]
    """The stores."""
    manifests: tuple[Manifest, ...]
    """Their manifests; empty ones for stores without one."""
    spec: DatasetSpec | None
    """Their dataset; None if it is unknown."""
    selection: dict[str, Any] | None
    """What was selected of them, JSON-ready; None for everything."""
    labels: SampleTable | None = None
    """The labels of the new store."""

    @property
    def made_of(self) -> dict[str, Any]:
        """What the new store's manifest says about them."""
        stores = [
            {
                "path": os.fspath(store.path),
                "content_digest": manifest.content_digest,
                "n_patches": len(store),
            }
            for store, manifest in zip(self.stores, self.manifests, strict=True)
        ]
        return {"stores": stores}


def records_of(
    store: Store, keys: Keys, read_bytes: int, is_wanted: Callable[[bytes], bool]
) -> Generator[Record, None, None]:
    """The records of some keys, each compared with its note.

    Args:
        store: The store.
        keys: The keys, sorted.
        read_bytes: Bytes to read at once.
        is_wanted: Whether the record of a key is wanted; others are not read.

    Raises:
        StoreError: The store is damaged.
    """
    notes, places = Notes(store), Georeferencing(store.records)
    names: list[str] = []
    n_bytes = 0
    lengths = (keys.places[:, 1] - keys.places[:, 0]).tolist()
    for key, length in zip(keys, lengths, strict=True):
        if not is_wanted(key.encode()):
            continue
        names.append(key)
        n_bytes += length
        if n_bytes >= read_bytes:
            yield from _read(store, names, notes, places)
            names, n_bytes = [], 0
    if names:
        yield from _read(store, names, notes, places)


def _read(
    store: Store, names: Sequence[str], notes: Notes, places: Georeferencing
) -> Iterator[Record]:
    contents = store.records.settled(names, _bytes_of)
    known = places.tags(names)
    for name, data, tags in zip(names, contents, known, strict=True):
        key = name.encode()
        note = notes.of(key, data)
        said = (None, None) if tags is None else tags
        yield Record(key, note.origin, data, note.digest, note.layout, note.constant, *said)


def _bytes_of(located: Sequence[Located]) -> list[bytes]:
    found: dict[int, bytes] = {}
    for one in located:
        found |= {row: bytes(one.record(i)) for i, row in enumerate(one.rows)}
    return [found[i] for i in range(len(found))]


def write_store(  # noqa: PLR0913 - the last two by name
    origins: Origins,
    target: str | os.PathLike[str],
    records: Callable[[Callable[[bytes], bool]], Generator[Record, None, None]],
    n_records: int,
    *,
    overwrite: bool,
    observer: Observer,
) -> CopySummary:
    """Write the records of stores into a new one.

    Args:
        origins: The stores.
        target: The folder of the new store.
        records: Gives the records, sorted by key, of the keys that a function wants.
        n_records: The number of records that the new store will have.
        overwrite: See `rico_hdl.select`.
        observer: Receives progress.

    Raises:
        StoreError: The target can't be used, or its disk is full.
        InterruptedRunError: A signal ended it; all stored records are kept.
    """
    start = time.monotonic()
    folder = checked_target(target, origins.stores)
    found = None if overwrite or not folder.is_dir() else Manifest.read(folder)
    _check_origins(folder, found, origins)
    n_written: Counter[str] = Counter()
    n_present = n_bytes = 0
    namer = modality_namer(origins.spec)
    observer.on_start(n_records)
    with (
        deferred_signals() as stop,
        StoreWriter(folder, overwrite=overwrite, modality_of=namer) as writer,
    ):
        n_present = writer.n_entries
        if n_present and found is None:
            raise StoreError(f"{folder} holds records without a manifest", _OTHER_TARGET)
        if n_present:
            observer.on_records(n_present, 0)
        manifest = Manifest(selection=origins.selection, made_of=origins.made_of)
        manifest.labels = found.labels if found is not None else None
        _save(manifest, writer, origins, finished=False)
        if origins.labels is not None:  # first, so that a complete store has them
            write_labels(folder, manifest, origins.labels)
        with closing(records(lambda key: key not in writer)) as copies:
            for record in copies:
                if stop:
                    break
                writer.put(record)
                n_written[record.origin.modality] += 1
                n_bytes += len(record.data)
                observer.on_records(1, len(record.data))
        _save(manifest, writer, origins, finished=not stop)
    summary = CopySummary(
        target=str(folder),
        stores=tuple(str(store.path) for store in origins.stores),
        n_written=dict(sorted(n_written.items())),
        n_present=n_present,
        n_bytes=n_bytes,
        seconds=time.monotonic() - start,
        content_digest=manifest.content_digest,
    )
    if stop.signal is not None:
        raise InterruptedRunError(
            f"stopped by {stop.signal.name}: {manifest.n_patches} patches are stored in {folder}",
            "Run the same command again to continue.",
            summary.to_dict(),
        )
    return summary


def checked_target(target: str | os.PathLike[str], stores: Iterable[Store]) -> Path:
    """The target folder, absolute.

    Raises:
        StoreError: It can't be used.
        UsageError: It is one of the stores.
    """
    folder = Path(os.path.abspath(Path(target).expanduser()))  # noqa: PTH100 - keeps links
    for store in stores:
        if os.path.realpath(store.path) == os.path.realpath(folder):
            raise UsageError(f"{folder} is given both as a store and as the target")
    check_target(folder)
    check_values(folder)
    return folder


def _check_origins(folder: Path, found: Manifest | None, origins: Origins) -> None:
    """Refuse to continue a store that was made of something else.

    Raises:
        StoreError: The target holds such a store.
    """
    if found is None:
        return
    if found.made_of is None:
        what = f"holds a conversion of {found.dataset or 'an unknown dataset'}"
    elif found.selection != origins.selection:
        what = f"holds another selection: {found.selection or 'everything'}"
    elif found.made_of != origins.made_of:
        what = "is made of other stores, or of other states of these"
    else:
        return
    raise StoreError(f"{folder} {what}", _OTHER_TARGET)


def _save(manifest: Manifest, writer: StoreWriter, origins: Origins, *, finished: bool) -> None:
    """Commit, and write the manifest."""
    writer.commit()
    writer.sync()
    totals = writer.totals
    wanted = [name for name, part in totals.modalities.items() if name and part.n_patches]
    for name in wanted:
        states = [one.modalities[name] for one in origins.manifests if name in one.modalities]
        state = manifest.modalities.setdefault(name, ModalityState())
        state.complete = finished and bool(states) and all(one.complete for one in states)
    manifest.failures = [
        failure
        for one in origins.manifests
        for failure in one.failures
        if failure.modality in wanted
    ]
    manifest.describe(totals, origins.spec)
    manifest.write(writer.target)
