"""Reading in several processes while another process writes to the store."""

from __future__ import annotations

import multiprocessing
import os
import random
import shutil
import signal
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor

import lmdb
import numpy as np
import pytest
from safetensors.numpy import load

import rico_hdl
from rico_hdl.errors import StoreError, UnknownKeyError
from rico_hdl.store import StoreWriter
from tests.support.writing import (
    KINDS,
    SIDES,
    N,
    begin,
    key_of,
    n_wrong,
    patch,
    pattern,
    record,
    writer,
)

SECONDS = 1.0
"""The minimum time, in seconds, that readers run in each case of a short run."""
N_SHORT = 500
"""The minimum number of patches that they read."""
N_SOAK = 1_000_000
"""The number of reads in each case of a long run."""
BATCH = 64

NUMBER_OF = {key_of(number): number for number in range(N)}
FORKED = pytest.param(
    "small", "fork", marks=pytest.mark.skipif(os.name == "nt", reason="Windows can't fork")
)


def absent(kind, error):
    """Whether an error correctly reports a patch as missing in some state of the store."""
    # The writer commits a removal before the next version, or the new store lacks the patch yet.
    return isinstance(error, UnknownKeyError) and kind in ("repair", "overwrite")


def read(kind, opened, n, seconds, seed):
    """Read patches by all methods until enough are read and enough time has passed.

    Returns:
        The counts of right patches, of wrong patches, and of errors by their messages.
    """
    store, reader, keys, side = opened
    chance = random.Random(seed)
    names = list(keys)
    numbers = np.array([NUMBER_OF[name] for name in names])
    found: Counter[str] = Counter()
    out = np.empty((BATCH, 3, side, side), np.uint16)

    def check(images, chosen):
        wrong = n_wrong(images, numbers[chosen])
        found["wrong"] += wrong
        found["right"] += len(images) - wrong

    end = time.monotonic() + seconds
    while found["right"] + found["wrong"] < n or time.monotonic() < end:
        chosen = chance.choices(range(len(names)), k=BATCH)
        one = chosen[0]
        ways = [
            lambda chosen=chosen: check(store.read_batch(keys[chosen]), chosen),
            lambda chosen=chosen: check(
                reader.read_batch([names[i] for i in chosen], out).images, chosen
            ),
            lambda one=one: check(np.stack([*store[names[one]].values()])[None], [one]),
            lambda one=one: check(reader.read(names[one])[None], [one]),
            lambda chosen=chosen: check(
                store.read_batch(store.locate([names[i] for i in chosen])), chosen
            ),
        ]
        if chance.random() < 0.1:
            ways += [
                lambda chosen=chosen: [
                    check(batch.images.copy(), [names.index(key) for key in batch.keys])
                    for batch in store.batches(keys[chosen], batch_size=20)
                ],
                lambda: found.update({"listed": len(set(store.keys()) & NUMBER_OF.keys())}),
            ]
        for way in ways:
            try:
                way()
            except (StoreError, UnknownKeyError) as error:
                found["absent" if absent(kind, error) else str(error)] += 1
    return found


def readers_next_to(kind, folder, side, n, *, seconds=0, method="spawn", seed=0):
    """The counts of readers of ``n`` patches, with keys listed before a process starts to write."""
    with rico_hdl.open(folder) as store:
        keys, reader = store.keys(), store.reader()
        reader.read_batch(keys)
        context = multiprocessing.get_context(method)
        with (
            writer(kind, folder, side, seed),
            ProcessPoolExecutor(2, mp_context=context) as pool,
        ):
            jobs = [
                pool.submit(read, kind, (store, reader, keys, side), n // 2, seconds, seed + i)
                for i in range(2)
            ]
            return sum((job.result() for job in jobs), Counter())


def assert_right(found, n_reads):
    """Assert that enough patches were read and all of them were right."""
    allowed = {"right", "wrong", "absent", "listed"}
    assert found["wrong"] == 0, found
    assert set(found) <= allowed, found
    assert found["right"] >= n_reads, found


def prepared(kind, folder, side):
    """Create a store for a kind of writer."""
    begin(folder, side)
    if kind in ("convert", "overwrite"):
        StoreWriter(folder).close()  # from now on it has a journal
    return folder


@pytest.mark.parametrize(("size", "method"), [FORKED, ("large", "spawn")])
@pytest.mark.parametrize("kind", KINDS)
def test_every_patch_is_that_of_its_key(tmp_path, kind, size, method):
    """Whatever another process writes, each patch that is read is complete and its key's."""
    folder = prepared(kind, tmp_path / "store", SIDES[size])
    found = readers_next_to(kind, folder, SIDES[size], N_SHORT, seconds=SECONDS, method=method)
    assert_right(found, N_SHORT)


@pytest.mark.soak
@pytest.mark.parametrize("size", SIDES)
@pytest.mark.parametrize("kind", KINDS)
def test_a_million_patches_are_those_of_their_keys(tmp_path, kind, size, rounds, seed):
    """In a million reads during each kind of write, none is wrong and none fails."""
    for n in rounds(10):
        folder = prepared(kind, tmp_path / str(n), SIDES[size])
        found = readers_next_to(kind, folder, SIDES[size], N_SOAK // 10, seed=seed + 10 * n)
        shutil.rmtree(folder)  # some are hundreds of megabytes by now
        assert_right(found, N_SOAK // 10)


def killed_writers(folder, side, n_reads, seconds):
    """The counts of readers while one writer after another is killed."""
    chance = random.Random(1)
    with rico_hdl.open(folder) as store:
        keys, reader = store.keys(), store.reader()
        context = multiprocessing.get_context("spawn")
        n_killed = 0
        with ProcessPoolExecutor(2, mp_context=context) as pool:
            jobs = [
                pool.submit(
                    read, "repair", (store, reader, keys, side), n_reads // 2, seconds, seed
                )
                for seed in range(2)
            ]
            while not all(job.done() for job in jobs):
                kind = chance.choice(["repair", "replace"])
                with writer(kind, folder, side, seed=n_killed) as process:
                    time.sleep(chance.random() / 5)
                    process.send_signal(signal.SIGKILL)
                n_killed += 1
            return sum((job.result() for job in jobs), Counter()), n_killed


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
@pytest.mark.parametrize("size", SIDES)
def test_killed_writers_leave_right_patches(tmp_path, size):
    """While writers are killed at random and replaced, no patch is read wrong."""
    folder = begin(tmp_path / "store", SIDES[size])
    found, n_killed = killed_writers(folder, SIDES[size], N_SHORT, 2 * SECONDS)
    assert n_killed > 1
    assert_right(found, N_SHORT)


@pytest.mark.soak
@pytest.mark.parametrize("size", SIDES)
def test_a_million_patches_while_writers_are_killed(tmp_path, size, rounds):
    """In a million reads while one writer after another is killed, none is wrong."""
    folder = begin(tmp_path / "store", SIDES[size])
    for _ in rounds(10):
        found, _ = killed_writers(folder, SIDES[size], N_SOAK // 10, 0)
        assert_right(found, N_SOAK // 10)


def commit_more(folder, n, first=0):
    """Add ``n`` records, each in its own transaction."""
    with lmdb.open(str(folder), map_size=2**30) as env:
        for i in range(n):
            with env.begin(write=True) as txn:
                txn.put(b"more %06d" % (first + i), b"x" * 100)


def test_a_state_is_certain_for_one_more_commit(tmp_path):
    """A state is certain for one more commit, since LMDB reuses its pages after the second."""
    folder = begin(tmp_path / "store", SIDES["small"])
    for _ in range(3):
        with rico_hdl.open(folder) as store:
            pages = store.records.pages()
            assert pages.certain
            assert pages.current
            commit_more(folder, 1)
            assert pages.certain
            assert not pages.current
            commit_more(folder, 1, 1)
            assert not pages.certain
            commit_more(folder, 1, 2)
            assert not pages.certain


def test_a_replaced_file_is_noticed(tmp_path):
    """After --overwrite, an open store finds the new file when it lists its keys."""
    folder = prepared("overwrite", tmp_path / "store", SIDES["small"])
    with rico_hdl.open(folder) as store:
        assert len(store) == N
        held = store.keys()
        with StoreWriter(folder, overwrite=True) as new:
            new.put(record("other", 7, 3, SIDES["small"]))
        assert list(store.keys()) == ["other"]
        assert (store["other"]["B1"] == pattern(7, SIDES["small"])).all()
        with pytest.raises(UnknownKeyError):
            store.read_batch(held[:2])


class Restless:
    """Commits to a store on demand, to overtake a reader."""

    def __init__(self, folder):
        self.env = lmdb.open(str(folder), map_size=2**30)
        self.n = 0

    def commit(self):
        for _ in range(2):
            self.n += 1
            with self.env.begin(write=True) as txn:
                number = self.n % N
                txn.put(
                    key_of(number).encode(),
                    record(key_of(number), number, self.n, SIDES["large"]).data,
                )


def test_a_writer_that_is_always_faster_ends_in_an_error(tmp_path, monkeypatch):
    """Reading gives up after many attempts if commits overtake each of them."""
    folder = begin(tmp_path / "store", SIDES["large"])
    monkeypatch.setattr("rico_hdl.reading.records._ATTEMPTS_IN_ALL", 20)
    with rico_hdl.open(folder) as store:
        keys = store.keys()
        restless = Restless(folder)
        find = type(store.records.pages()).find

        def overtaken(pages, key):
            found = find(pages, key)
            restless.commit()
            return found

        monkeypatch.setattr("rico_hdl.store.pages.Pages.find", overtaken)
        for read_one in (store.__getitem__, store.read, lambda key: store.read_batch([key])):
            with pytest.raises(StoreError, match="written to faster"):
                read_one(keys[0])
        monkeypatch.undo()
        restless.env.close()
        assert n_wrong(store.read_batch(keys), np.array([NUMBER_OF[key] for key in keys])) == 0


def test_a_batch_that_is_always_overtaken_is_read_one_by_one(tmp_path, monkeypatch):
    """A batch is right even if a writer commits during each attempt to read it at once."""
    folder = begin(tmp_path / "store", SIDES["large"])
    with rico_hdl.open(folder) as store:
        keys = store.keys()
        reader = store.reader()
        reader.read_batch(keys)
        restless = Restless(folder)
        batch = type(reader)._batch

        def overtaken(*arguments):
            found = batch(*arguments)
            restless.commit()
            return found

        monkeypatch.setattr("rico_hdl.reading.reader.PatchReader._batch", overtaken)
        numbers = np.array([NUMBER_OF[key] for key in keys])
        for images in (reader.read_batch(keys).images, store.read_batch(keys, grouped="band")):
            if isinstance(images, dict):
                images = np.stack([*images.values()], axis=1)  # noqa: PLW2901
            assert n_wrong(images, numbers) == 0
        restless.env.close()
        assert restless.n >= 16


def test_plain_lmdb_reads_right_as_long_as_one_conversion_runs(tmp_path):
    """A transaction without a lock stays right from before a conversion until its end.

    The conversion replaces records in many commits: without care LMDB would put new records
    in the pages of those that the transaction still sees.
    """
    side = SIDES["large"]
    folder = prepared("convert", tmp_path / "store", side)
    context = multiprocessing.get_context("spawn")
    with (
        ProcessPoolExecutor(1, mp_context=context) as old,
        ProcessPoolExecutor(1, mp_context=context) as new,
    ):
        before = old.submit(seen_by_plain_lmdb, folder, held=True).result()
        with StoreWriter(folder, commit_bytes=200_000) as store:
            for version in (1, 2, 3):
                for number in range(0, N, 2):
                    replace_in(store, number, version, side)
                store.commit()
                found = new.submit(seen_by_plain_lmdb, folder, held=False).result()
                for number in range(N):
                    expected = patch(number, version * (number % 2 == 0), side)
                    bands = load(found[key_of(number)])
                    assert all((bands[band] == expected[band]).all() for band in expected)
                assert old.submit(seen_by_plain_lmdb, folder, held=True).result() == before


_held = []


def seen_by_plain_lmdb(folder, *, held):
    """All values that lmdb reads without a lock; if held, always in the same transaction."""
    if not _held:
        env = lmdb.open(str(folder), readonly=True, lock=False, map_size=2**30)
        _held.append((env, env.begin()))
    env, txn = _held[0]
    if not held:
        txn = env.begin()
    return {key_of(number): txn.get(key_of(number).encode()) for number in range(N)}


def replace_in(store, number, version, side):
    """Repair a record as a conversion does."""
    new = record(key_of(number), number, version, side)
    store.replace(new, new.origin)
