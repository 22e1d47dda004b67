"""Writers in separate processes, for tests of concurrent readers.

Run as a program, with the kind of writer, the folder and a seed, it writes until it is killed or
its standard input is closed. Patches are numbered and have versions; every pixel of a patch encodes
its number or its version, which makes a mixture of two states visible.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import lmdb
import numpy as np
from safetensors.numpy import save

sys.path.insert(0, os.fspath(Path(__file__).resolve().parents[2]))

N = 300
"""The number of patches in a new store."""
SIDES = {"small": 16, "large": 90}
"""Rows and columns: small records fit into leaf pages, large ones have overflow pages."""
_MAP_BYTES = 2**30


def key_of(number: int) -> str:
    """The key of a patch. Some keys are prefixes of others."""
    return f"patch_{number // 2:04}{'_reference_map' if number % 2 else ''}"


def pattern(values: Any, side: int) -> np.ndarray:
    """Pixels that distinguish numbers, of shape (…, side, side): each number has another offset."""
    rows, columns = np.indices((side, side))
    offsets = (rows * 131 + columns * 7).astype(np.uint16)
    return (np.asarray(values, np.uint16)[..., None, None] + offsets).astype(np.uint16)


def patch(number: int, version: int, side: int) -> dict[str, np.ndarray]:
    """The bands of a patch: its number, its version, and their sum."""
    return {
        "B1": pattern(number, side),
        "B2": pattern(version, side),
        "B3": pattern(number + version, side),
    }


def n_wrong(images: np.ndarray, numbers: Any) -> int:
    """The number of patches that are not complete patches of the given numbers, in any version.

    Args:
        images: Of shape (patch, band, row, column).
        numbers: The expected number of each.
    """
    side = images.shape[-1]
    versions = images[:, 1, 0, 0]
    expected = np.stack([pattern(v, side) for v in (numbers, versions, numbers + versions)], axis=1)
    return int((images != expected).any(axis=(1, 2, 3)).sum())


def begin(folder: Path, side: int, n: int = N) -> Path:
    """A store of patches in their first version, written in several commits."""
    folder.mkdir(parents=True, exist_ok=True)
    with _environment(folder) as env:
        for first in range(0, n, 50):
            with env.begin(write=True) as txn:
                for number in range(first, min(first + 50, n)):
                    txn.put(key_of(number).encode(), save(patch(number, 0, side)))
    return folder


@contextmanager
def writer(kind: str, folder: Path, side: int, seed: int = 0) -> Iterator[subprocess.Popen[bytes]]:
    """A process that writes while the context lasts."""
    command = [sys.executable, __file__, kind, os.fspath(folder), str(side), str(seed)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdout.readline()  # it has begun
            yield process
        finally:
            with suppress(OSError):
                process.stdin.close()
            process.wait()


def _environment(folder: Path) -> lmdb.Environment:
    # As a conversion opens it: the pages of each commit are on disk before the next one.
    return lmdb.open(os.fspath(folder), map_size=_MAP_BYTES, metasync=False)


def repair(folder: Path, side: int, chance: random.Random) -> Iterator[None]:
    """Remove a record and put its next version, in two commits that reuse pages."""
    versions = [0] * N
    with _environment(folder) as env:
        while True:
            number = chance.randrange(N)
            versions[number] += 1
            key = key_of(number).encode()
            with env.begin(write=True) as txn:
                txn.delete(key)
            with env.begin(write=True) as txn:
                txn.put(key, save(patch(number, versions[number], side)))
            yield


def replace(folder: Path, side: int, chance: random.Random) -> Iterator[None]:
    """Replace some records with their next versions, in one commit."""
    versions = [0] * N
    with _environment(folder) as env:
        while True:
            with env.begin(write=True) as txn:
                for number in chance.sample(range(N), 5):
                    versions[number] += 1
                    value = save(patch(number, versions[number], side))
                    txn.put(key_of(number).encode(), value)
            yield


def add(folder: Path, side: int, chance: random.Random) -> Iterator[None]:
    """Add records throughout the order of keys, a few in each commit."""
    extra = save(patch(0, 0, side))
    with _environment(folder) as env:
        while True:
            with env.begin(write=True) as txn:
                for _ in range(4):
                    txn.put(f"patch_{chance.randrange(10**9):09}_more".encode(), extra)
            yield
            if env.info()["last_pgno"] * 4096 > _MAP_BYTES // 4:
                with env.begin(write=True) as txn:  # make room: later records take these pages
                    more = [key for key in txn.cursor().iternext(values=False) if b"_more" in key]
                    for key in more:
                        txn.delete(key)


def convert(folder: Path, side: int, chance: random.Random) -> Iterator[None]:
    """Add records like a conversion, in small transactions, in several runs."""
    from rico_hdl.store import StoreWriter

    while (folder / "data.mdb").stat().st_size < _MAP_BYTES:
        with StoreWriter(folder, commit_bytes=20_000) as store:
            for _ in range(chance.randrange(40)):
                store.put(record(f"patch_{chance.randrange(10**9):09}_more", 0, 0, side))
                yield


def grow(folder: Path, side: int, chance: random.Random) -> Iterator[None]:
    """Add and replace records in one conversion, in many small transactions."""
    from rico_hdl.store import StoreWriter
    from rico_hdl.values import Origin

    with StoreWriter(folder, commit_bytes=20_000) as store:
        for version in range(1, 10**6):
            number = chance.randrange(N)
            store.replace(record(key_of(number), number, version, side), Origin("s2", "/source"))
            store.put(record(f"patch_{chance.randrange(10**9):09}_more", 0, 0, side))
            yield


def overwrite(folder: Path, side: int, chance: random.Random) -> Iterator[None]:
    """Start from scratch again and again, each time with other patches in other places."""
    from rico_hdl.store import StoreWriter

    version = 0
    while True:
        version += 1
        numbers = list(range(N))
        chance.shuffle(numbers)
        with StoreWriter(folder, commit_bytes=400_000, overwrite=True) as store:
            for number in numbers:
                store.put(record(key_of(number), number, version, side))
        yield


def record(key: str, number: int, version: int, side: int) -> Any:
    """A version of a patch, as a conversion puts it."""
    from rico_hdl.store.digest import record_digest
    from rico_hdl.values import Origin, Record

    data = save(patch(number, version, side))
    layout = tuple((band, "uint16", (side, side)) for band in ("B1", "B2", "B3"))
    name = key.encode()
    return Record(name, Origin("s2", "/source"), data, record_digest(name, data), layout, False)


KINDS: dict[str, Callable[[Path, int, random.Random], Iterator[None]]] = {
    function.__name__: function for function in (repair, replace, add, convert, overwrite)
}


def main() -> None:
    """Write until standard input is closed."""
    kind, folder, side, seed = sys.argv[1:]
    closed = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), closed.set()), daemon=True).start()
    write = grow if kind == "grow" else KINDS[kind]
    for n, _ in enumerate(write(Path(folder), int(side), random.Random(int(seed)))):
        if n == 0:
            sys.stdout.write("writing\n")
            sys.stdout.flush()
        if closed.is_set():
            break


if __name__ == "__main__":
    main()
