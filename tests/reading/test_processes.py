"""One store in several processes and threads, on read-only disks, and over many reads."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import random
import shutil
import signal
import subprocess
import sys
import threading
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import numpy as np
import pytest

import rico_hdl
from rico_hdl.errors import StoreError, UsageError
from tests.support.reading import same_bits
from tests.support.running import started
from tests.support.stores import s2_patch, s2_patches, stacked, store_of

N = 40
METHODS = [
    m for m in ("fork", "spawn", "forkserver") if m in multiprocessing.get_all_start_methods()
]
MAPS = Path("/proc/self/maps")
HAS_MAPS = MAPS.exists()
RGB = ["B04", "B03", "B02"]
TWENTY = ["B05", "B06", "B07", "B8A", "B11", "B12"]


def key_of(number):
    """The key of a patch."""
    return f"S2A_patch_{number:03}"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A store of 40 BigEarthNet patches."""
    return store_of(tmp_path_factory.mktemp("processes") / "s2", s2_patches(N))


def n_wrong(store, seed, n_rounds=5):
    """The number of reads, by all methods, that don't return the pixels that were written."""
    chance = random.Random(seed)
    found = 0
    for _ in range(n_rounds):
        numbers = chance.choices(range(N), k=3)
        keys, patches = [key_of(i) for i in numbers], [s2_patch(i) for i in numbers]
        rgb = np.stack([stacked(patch, RGB) for patch in patches])
        twenty = np.stack([stacked(patch, TWENTY) for patch in patches])
        upsampled = np.stack([stacked(patch, TWENTY, 120) for patch in patches])
        found += not same_bits(store.read_batch(keys, bands="rgb"), rgb)
        found += not same_bits(store.read_batch(keys, bands="20m", size=120), upsampled)
        found += not same_bits(store.read_batch(keys, grouped=True)["60x60"], twenty)
        found += not same_bits(store.read(keys[0], bands=RGB), rgb[0])
        found += not same_bits(store[keys[1]]["B8A"], patches[1]["B8A"])
        for batch in store.batches(keys, batch_size=2, bands="rgb"):
            found += not same_bits(batch.images, rgb[len(rgb) - len(batch.keys) :]) and (
                len(batch.keys) == 1
            )
    return found


def read_in_child(store, seed):
    """Read in a worker, close the store, and return the worker's process id."""
    found = n_wrong(store, seed)
    store.close()
    return found, os.getpid()


def die_while_reading(store):
    """Read in a worker until it is killed."""
    threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGKILL)).start()
    while True:
        n_wrong(store, 0, n_rounds=1)


def use_batches(batches):
    """Use the parent's batches in a child; return the error."""
    try:
        next(batches)
    except UsageError as error:
        return str(error)
    return "read"


@pytest.mark.parametrize("used", [False, True], ids=["fresh", "used"])
@pytest.mark.parametrize("method", METHODS)
def test_workers_read_the_right_pixels(folder, method, used):
    """Workers of every start method read a store from their parent, used before or not."""
    with rico_hdl.open(folder) as store:
        if used:
            assert n_wrong(store, 1) == 0
        context = multiprocessing.get_context(method)
        with ProcessPoolExecutor(3, mp_context=context) as pool:
            results = list(pool.map(read_in_child, [store] * 6, range(6)))
        assert [found for found, _ in results] == [0] * 6
        assert os.getpid() not in {process for _, process in results}
        # The workers closed their stores, not this one.
        assert n_wrong(store, 2) == 0


@pytest.mark.skipif("fork" not in METHODS, reason="this system can't fork")
def test_fork_while_threads_read(folder):
    """Children forked while the parent's threads read inherit no held lock or broken state."""
    with rico_hdl.open(folder) as store:
        stop = threading.Event()
        failures = []

        def keep_reading(seed):
            while not stop.is_set():
                failures.extend([seed] * n_wrong(store, seed, n_rounds=1))

        threads = [threading.Thread(target=keep_reading, args=(i,)) for i in range(2)]
        for thread in threads:
            thread.start()
        try:
            for seed in range(6):
                child = os.fork()
                if child == 0:
                    os._exit(min(100, n_wrong(store, seed, n_rounds=2)))
                assert os.waitpid(child, 0)[1] == 0
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        assert failures == []


@pytest.mark.skipif("fork" not in METHODS, reason="this system can't fork")
def test_batches_stay_with_the_process_that_made_them(folder):
    """A forked child that uses its parent's batches gets an error, not a deadlock."""
    with rico_hdl.open(folder) as store:
        keys = list(store) * 5
        batches = store.batches(keys, batch_size=2, bands="rgb")
        first = next(batches)
        child = os.fork()
        if child == 0:
            message = use_batches(batches)
            batches.close()
            os._exit("another process" not in message)
        assert os.waitpid(child, 0)[1] == 0
        assert [tuple(first.keys), *(tuple(batch.keys) for batch in batches)] == [
            tuple(keys[i : i + 2]) for i in range(0, len(keys), 2)
        ]


@pytest.mark.parametrize("method", METHODS)
def test_killed_worker_leaves_the_store_readable(folder, method):
    """A worker killed while reading leaves the store readable in every process."""
    before = (folder / "data.mdb").read_bytes()
    context = multiprocessing.get_context(method)
    with rico_hdl.open(folder) as store:
        with ProcessPoolExecutor(1, mp_context=context) as pool:
            doomed = pool.submit(die_while_reading, store)
            assert n_wrong(store, 3) == 0
            with pytest.raises(BrokenProcessPool):
                doomed.result(timeout=60)
        assert n_wrong(store, 4) == 0
        with ProcessPoolExecutor(1, mp_context=context) as pool:
            assert pool.submit(read_in_child, store, 5).result()[0] == 0
    assert (folder / "data.mdb").read_bytes() == before


def test_pickle_is_small_and_knows_the_modalities(folder):
    """A pickled store holds its path and modalities, and opens the file on first use."""
    store = rico_hdl.open(folder)
    assert store.dataset == "bigearthnet"
    packed = pickle.dumps(store)
    assert len(packed) < 4000
    copy = pickle.loads(packed)
    assert copy.records._pages is None
    assert copy.modalities == ("s2",)
    assert copy.records._pages is None
    assert n_wrong(copy, 0) == 0
    store.close()
    assert not pickle.loads(packed).closed
    reader = copy.reader(bands="20m", size=(120, 60), dtype="float32", resampling="bilinear")
    images = reader.read_batch([key_of(7)]).images
    assert same_bits(pickle.loads(pickle.dumps(reader)).read_batch([key_of(7)]).images, images)
    # Closing affects one process: a closed store arrives as one that can be opened.
    assert not pickle.loads(pickle.dumps(store)).closed


def test_threads_share_a_store(folder):
    """Eight threads that share a store read the right pixels by all methods."""
    with rico_hdl.open(folder) as store, ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda seed: n_wrong(store, seed), range(16))) == [0] * 16


def test_close_while_threads_read(folder):
    """Closing a store while threads read gives right pixels or an error, and unmaps the file."""
    for _ in range(5):
        store = rico_hdl.open(folder)
        begun = threading.Barrier(4)

        def read_until_closed(seed, store=store, begun=begun):
            begun.wait()
            try:
                while True:
                    assert n_wrong(store, seed, n_rounds=1) == 0
            except StoreError as error:
                return str(error)

        with ThreadPoolExecutor(3) as pool:
            results = [pool.submit(read_until_closed, seed) for seed in range(3)]
            begun.wait()
            store.close()
            assert all("is closed" in result.result(timeout=60) for result in results)
        assert n_maps(folder) == 0


def n_maps(folder):
    """How many times this process maps a store's file."""
    return sum(str(folder) in line for line in MAPS.read_text().splitlines()) if HAS_MAPS else 0


def test_closing_releases_the_file(folder, tmp_path):
    """Closing a store unmaps and closes its file, so it can be removed."""
    copy = shutil.copytree(folder, tmp_path / "copy")
    store = rico_hdl.open(copy)
    batches = store.batches(batch_size=2, bands="rgb")
    batch, patch, keys = next(batches), store[key_of(3)], store.keys()
    assert n_maps(copy) == HAS_MAPS
    batches.close()
    store.close()
    assert n_maps(copy) == 0
    shutil.rmtree(copy)
    assert same_bits(batch.images[1], stacked(s2_patch(1), RGB))
    assert same_bits(patch["B12"], s2_patch(3)["B12"])
    assert keys[39] == key_of(39)


READ_ALL = """
import sys
import rico_hdl
with rico_hdl.open(sys.argv[1]) as store:
    n = sum(len(batch.keys) for batch in store.batches(batch_size=7, bands="rgb"))
    print(n, len(store.keys(store.modalities[0])), store.dataset, sorted(store["S2A_patch_001"])[0])
"""


def in_child(code, *arguments, timeout=120, command=()):
    """Run code in a fresh interpreter."""
    command = [*command, sys.executable, "-W", "error", "-c", code, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=timeout)


def test_nothing_is_written_next_to_the_store(folder, tmp_path):
    """Reading creates no file, and works if the store and its folder are read-only."""
    copy = shutil.copytree(folder, tmp_path / "copy")
    (copy / "lock.mdb").unlink()
    (copy / "data.mdb").chmod(0o444)
    copy.chmod(0o555)
    try:
        assert in_child(READ_ALL, copy).stdout == "40 40 bigearthnet B01\n"
        assert [path.name for path in copy.iterdir()] == ["data.mdb"]
    finally:
        copy.chmod(0o755)


def test_read_only_mount(folder, tmp_path):
    """A store on a read-only mount is read like any other."""
    copy = shutil.copytree(folder, tmp_path / "copy")
    mount = f"mount --bind {copy} {copy} && mount -o remount,bind,ro {copy} {copy}"
    private = ["unshare", "--mount", "sh", "-c"]
    check = f'{mount} && ! touch {copy}/x 2>/dev/null && exec "$@"'
    if shutil.which("unshare") is None or subprocess.run([*private, mount], check=False).returncode:
        pytest.skip("mounting is not allowed here")
    done = in_child(READ_ALL, copy, command=[*private, check, "sh"])
    assert (done.stdout, done.stderr) == ("40 40 bigearthnet B01\n", "")


MANY_READS = """
import random, sys
import rico_hdl

def high_water():
    with open("/proc/self/status") as file:
        return int(next(line for line in file if line.startswith("VmHWM")).split()[1])

def read(store, n):
    for _ in range(n):
        key = random.choice(keys)
        store[key]
        store.read(key, bands=["B04", "B03", "B02"])
        store.read(key, bands="20m", size=120, dtype="float32")
        some = random.choices(keys, k=4)
        store.read_batch(some, bands="all", grouped=True)
        for options in ({}, {"bands": "y"}):
            try:
                store.read(key, **options)
            except rico_hdl.RicoError:
                pass

def reopen(n):
    for _ in range(n):
        other = rico_hdl.open(sys.argv[1])
        next(other.batches(batch_size=3, bands="rgb"))
        other[keys[0]]
        list(other.keys("s2"))

store = rico_hdl.open(sys.argv[1])
keys = list(store)
random.seed(0)
read(store, 300)
reopen(5)
before = high_water()
read(store, 3000)
reopen(100)
print(high_water() - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs Linux's /proc")
def test_memory_does_not_grow(folder):
    """Memory does not grow over thousands of reads, errors and openings."""
    done = in_child(MANY_READS, folder)
    assert done.stderr == ""
    assert int(done.stdout) < 4000, "KiB more than before"


TOUCH = """
import sys
import rico_hdl

def resident():
    kib, found = 0, False
    with open("/proc/self/smaps") as file:
        for line in file:
            if "-" in line.split()[0]:
                found = sys.argv[1] in line
            elif found and line.startswith("Rss"):
                kib += int(line.split()[1])
    return kib

with rico_hdl.open(sys.argv[1]) as store:
    keys = list(store)
    store.read(keys[0], bands="B1")
    before = resident()
    for key in keys:
        store.read(key, bands=["B100", "B101"])
        store.read_batch([key, key], bands="B100", dtype="float32")
    after = resident()
    store[keys[1]]
    print(after - before, resident() - after)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs Linux's /proc")
def test_only_the_wanted_bands_are_touched(tmp_path):
    """Reading a few bands of hyperspectral patches loads little else into memory."""
    rng = np.random.default_rng(0)
    patches = {
        f"p{i}": {f"B{b}": rng.integers(0, 9, (128, 128), np.int16) for b in range(1, 225)}
        for i in range(6)
    }
    done = in_child(TOUCH, store_of(tmp_path / "store", patches))
    assert done.stderr == ""
    some, whole = map(int, done.stdout.split())
    # The system maps up to 64 KiB around each access; a whole patch has 7,168 KiB.
    assert some < 6 * 400
    assert whole > 6000


ENDLESS = """
import sys
import rico_hdl
store = rico_hdl.open(sys.argv[1])
batches = store.batches(list(store) * 100_000, batch_size=4, bands="rgb", prefetch=3, n_threads=3)
for n, batch in enumerate(batches):
    if n == 5:
        print("reading", flush=True)
"""


@pytest.mark.usefixtures("interruptible")
def test_interrupt_ends_the_process(folder):
    """Ctrl-C in a loop over batches ends the loop and the process, as in any other loop."""
    process = started("-c", ENDLESS, folder)
    assert process.stdout.readline() == "reading\n"
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert errors.rstrip().endswith("KeyboardInterrupt")
    assert errors.count("Traceback") == 1
    assert process.returncode == -signal.SIGINT


@pytest.mark.parametrize("held", ["store", "batches", "frame"])
def test_process_ends_with_open_stores_and_batches(folder, held):
    """A process ends cleanly even with an open store and batches still being read."""
    code = {
        "store": "store = rico_hdl.open(sys.argv[1]); store['S2A_patch_001']",
        "batches": "b = rico_hdl.open(sys.argv[1]).batches(batch_size=1, bands='rgb'); next(b)",
        "frame": (
            "b = rico_hdl.open(sys.argv[1]).batches(batch_size=1, bands='rgb')\n"
            "def f():\n    for x in b: yield x\n"
            "g = f(); next(g); sys.modules['kept'] = g"
        ),
    }[held]
    done = in_child(f"import sys, rico_hdl\n{code}", folder, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
