"""The loader: threads read batches ahead into reused memory."""

from __future__ import annotations

import gc
import multiprocessing
import pickle
import signal
import threading
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from time import perf_counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import rico_hdl
from rico_hdl.errors import StoreError, UsageError
from tests.support.running import python
from tests.support.stores import converted

torch = pytest.importorskip("torch", reason="torch is not installed: make test-torch")

from torch.utils.data import DataLoader, DistributedSampler, Subset, WeightedRandomSampler

from rico_hdl.torch import PatchDataset, loader
from rico_hdl.torch.order import Order

N = 24
BANDS = ["B04", "B03", "B12"]


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A store of patches whose pixels encode their key, band and place."""
    return converted("eurosat-multi-spectral", tmp_path_factory.mktemp("loader"), N)


@pytest.fixture
def dataset(store):
    """All patches, three bands of each, labelled with their position."""
    return PatchDataset(store, bands=BANDS, labels=np.arange(N))


def check(batch, dataset):
    """Assert that each row of a batch is the sample that its label names."""
    for row, position in enumerate(batch["label"].tolist()):
        sample = dataset[position]
        assert batch["key"][row] == sample["key"]
        assert torch.equal(batch["image"][row], sample["image"])


def keys_of(batches):
    """The keys of all batches, in order."""
    return [key for batch in batches for key in batch["key"]]


def own_threads():
    """The live threads of loaders."""
    return {thread for thread in threading.enumerate() if thread.name.startswith("rico-hdl loader")}


@pytest.mark.parametrize("n_threads", [1, 2, 5])
@pytest.mark.parametrize(
    ("batch_size", "drop_last"), [(1, False), (7, False), (7, True), (24, True), (100, False)]
)
def test_batches_hold_all_samples_in_order(dataset, n_threads, batch_size, drop_last):
    """Without shuffling, batches equal those of PyTorch's DataLoader for any number of threads."""
    with loader(dataset, batch_size, n_threads=n_threads, drop_last=drop_last) as batches:
        plain = DataLoader(dataset, batch_size, drop_last=drop_last)
        assert len(batches) == len(plain)
        for batch, other in zip(batches, plain, strict=True):
            assert batch.keys() == other.keys()
            assert batch["key"] == other["key"]
            assert torch.equal(batch["image"], other["image"])
            assert torch.equal(batch["label"], other["label"])


def test_order_depends_on_seed_and_epoch_alone(dataset):
    """The order depends on seed and epoch alone, not on threads or prefetching."""
    orders = {}
    for n_threads, prefetch in ((1, 1), (2, 5), (4, 2)):
        with loader(
            dataset, 5, shuffle=True, seed=7, n_threads=n_threads, prefetch=prefetch
        ) as batches:
            epochs = [tuple(keys_of(batches)) for _ in range(3)]
            orders[n_threads] = epochs
            assert len(set(epochs)) == 3
            assert [sorted(epoch) for epoch in epochs] == [list(dataset.keys)] * 3
            batches.set_epoch(1)
            assert tuple(keys_of(batches)) == epochs[1]
            assert batches.epoch == 2
    assert orders[1] == orders[2] == orders[4]
    with loader(dataset, 5, shuffle=True, seed=70) as batches:
        assert tuple(keys_of(batches)) not in orders[1]


@given(
    st.builds(
        Order,
        n=st.integers(1, 40),
        shuffle=st.booleans(),
        seed=st.integers(0, 2**31),
        world_size=st.integers(1, 6),
        drop_last=st.booleans(),
    ),
    st.integers(0, 3),
)
def test_order_is_that_of_the_distributed_sampler(order, epoch):
    """Each rank gets the positions that PyTorch's DistributedSampler gives it."""
    for rank in range(order.world_size):
        ours = replace(order, rank=rank)
        theirs = DistributedSampler(
            range(order.n),
            order.world_size,
            rank,
            shuffle=order.shuffle,
            seed=order.seed,
            drop_last=order.drop_last,
        )
        theirs.set_epoch(epoch)
        assert ours.positions(epoch).tolist() == list(theirs)
        assert ours.n_own == len(theirs)


def test_ranks_get_their_own_samples(dataset):
    """All ranks get equally many samples, and together they get every sample."""
    ranks = [loader(dataset, 4, shuffle=True, seed=1, rank=rank, world_size=5) for rank in range(5)]
    found = [keys_of(batches) for batches in ranks]
    assert {len(keys) for keys in found} == {5}  # 25 in all, so one sample occurs twice
    assert {key for keys in found for key in keys} == set(dataset.keys)
    dropped = [loader(dataset, 4, rank=rank, world_size=5, drop_last=True) for rank in range(5)]
    assert [keys_of(batches) for batches in dropped] == [
        list(dataset.keys[rank:20:5]) for rank in range(5)
    ]


def _rank(rank, world_size, init_file, path):
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{init_file}", rank=rank, world_size=world_size
    )
    try:
        return keys_of(loader(PatchDataset(path, bands="rgb"), 4, shuffle=True))
    finally:
        torch.distributed.barrier()
        torch.distributed.destroy_process_group()


def test_process_group_is_asked_for_the_rank(store, tmp_path):
    """In a process group, each process reads its own share without a rank argument."""
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        jobs = [pool.submit(_rank, rank, 2, tmp_path / "group", store) for rank in range(2)]
        found = [job.result(timeout=120) for job in jobs]
    keys = list(PatchDataset(store).keys)
    for rank in range(2):
        sampler = DistributedSampler(keys, 2, rank, shuffle=True, seed=0)
        assert found[rank] == [keys[i] for i in sampler]


def test_subsets_and_samplers_decide_the_positions(dataset):
    """Subsets, also nested, and PyTorch's samplers decide the positions."""
    subset = Subset(Subset(dataset, range(4, 20)), [0, 5, 2, 15])
    with loader(subset, 3) as batches:
        assert [p for batch in batches for p in batch["label"].tolist()] == [4, 9, 6, 19]
    weights = [0.0] * 12 + [1.0] * 12
    sampler = WeightedRandomSampler(weights, 30, generator=torch.Generator().manual_seed(3))
    expected = list(WeightedRandomSampler(weights, 30, generator=torch.Generator().manual_seed(3)))
    with loader(dataset, 8, sampler=sampler) as batches:
        assert len(batches) == 4
        assert [p for batch in batches for p in batch["label"].tolist()] == expected
    ranked = DistributedSampler(dataset, 2, 1, seed=5)
    with loader(dataset, 8, sampler=ranked) as batches:
        for epoch in range(2):
            found = [p for batch in batches for p in batch["label"].tolist()]
            ranked.set_epoch(epoch)
            assert found == list(ranked)


def test_batches_that_are_kept_stay_as_they_are(dataset):
    """Batches that are kept, even in part, are never overwritten."""
    with loader(dataset, 3, shuffle=True, n_threads=3) as batches:
        kept = [batch for _ in range(3) for batch in batches]
        for batch in kept:
            check(batch, dataset)
        pixels = [(batch["image"][1, 2, 5:], batch["label"][1]) for batch in batches]
        for pixel, label in pixels:
            assert torch.equal(pixel, dataset[int(label)]["image"][2, 5:])
        arrays = [(batch["image"].numpy()[0], int(batch["label"][0])) for batch in batches]
        for array, position in arrays:
            assert np.array_equal(array, dataset[position]["image"].numpy())


def test_memory_is_used_again(dataset):
    """A loop that keeps no batch reuses the memory of a few batches."""
    batches = loader(dataset, 2, n_threads=2, prefetch=3)
    places = set()
    for _ in range(5):
        for batch in batches:
            places.add(batch["image"].data_ptr())
    assert len(places) <= 5
    kept = list(batches)
    assert len({batch["image"].data_ptr() for batch in kept}) == len(kept)
    before = len(batches._ring)
    del kept, batch
    for _ in batches:
        pass
    assert len(batches._ring) <= 10 < before


def test_keeping_labels_keeps_no_images(dataset):
    """Collecting labels does not keep the images' memory from being reused."""
    batches = loader(dataset, 2, n_threads=1, prefetch=1)
    labels, places = [], set()
    for batch in batches:
        labels.append(batch["label"])
        places.add(batch["image"].data_ptr())
    assert torch.cat(labels).tolist() == list(range(N))
    assert len(places) <= 3


class Halve:
    """A picklable transform of batches that changes dtype and shape."""

    def __call__(self, batch):
        return batch | {"image": batch["image"].float()[..., ::2, ::2] / 2}


class Name:
    """A picklable transform of samples."""

    def __call__(self, sample):
        return {"image": sample["image"].float() + 1, "name": sample["key"].lower()}


def test_batches_are_transformed(dataset):
    """A batch transform receives each batch and returns its replacement."""
    with loader(dataset, 5, transform=Halve()) as batches:
        found = list(batches)
    plain = list(loader(dataset, 5))
    for batch, other in zip(found, plain, strict=True):
        assert torch.equal(batch["image"], other["image"].float()[..., ::2, ::2] / 2)
        assert batch["key"] == other["key"]


def test_samples_are_transformed(store):
    """The dataset's transform is applied to each sample, as in PyTorch's DataLoader."""
    dataset = PatchDataset(store, bands=BANDS, transform=Name())
    with loader(dataset, 5) as batches:
        for batch, other in zip(batches, DataLoader(dataset, 5), strict=True):
            assert batch.keys() == {"image", "name"}
            assert batch["name"] == other["name"]
            assert torch.equal(batch["image"], other["image"])


@pytest.mark.parametrize("grouped", [True, "band"])
def test_resolutions_stay_apart(tmp_path, grouped):
    """Batches of a grouped dataset hold an array in the stored dtype per resolution or band."""
    dataset = PatchDataset(converted("bigearthnet", tmp_path, 5, ["s2"]), grouped=grouped)
    with loader(dataset, 2) as batches:
        for batch, other in zip(batches, DataLoader(dataset, 2), strict=True):
            for name, entry in dataset.entries.items():
                assert batch[name].dtype == torch.uint16
                assert batch[name].shape == (len(batch["key"]), *entry.shape)
                assert torch.equal(batch[name], other[name])
            assert batch.keys() == other.keys() == {*dataset.entries, "key"}


def test_kept_bands_are_never_overwritten(tmp_path):
    """A band that is kept is never overwritten, although a batch's bands share memory."""
    dataset = PatchDataset(converted("bigearthnet", tmp_path, 8, ["s2"]), grouped="band")
    kept = []
    with loader(dataset, 1, prefetch=1, n_threads=1) as batches:
        for _ in range(3):
            kept += [(batch["key"][0], batch["image_B11"][:, 3:]) for batch in batches]
    wanted = {sample["key"]: sample["image_B11"] for sample in dataset}
    assert len(kept) == 24
    assert all(torch.equal(band[0], wanted[key][3:]) for key, band in kept)


class FailAt:
    """A transform that fails for one patch."""

    def __init__(self, label):
        self.label = label

    def __call__(self, batch):
        if self.label in batch["label"]:
            raise ValueError(f"bad label {self.label}")
        return batch


def test_errors_of_a_transform_reach_the_trainer(dataset):
    """A thread's exception is raised at its batch, with a note that names the batch."""
    batches = loader(dataset, 4, transform=FailAt(9))
    seen = []
    with pytest.raises(ValueError, match="bad label 9") as caught:
        for batch in batches:
            seen += batch["label"].tolist()
    assert seen == list(range(8))
    assert f"begins with {dataset.keys[8]}" in caught.value.__notes__[0]
    assert len(keys_of(loader(dataset, 4))) == N
    with pytest.raises(ValueError, match="bad label 9"):  # the loader can be used again
        list(batches)


def test_errors_of_reading_reach_the_trainer(store):
    """Closing the store during a loop leads to an error, not a crash."""
    opened = rico_hdl.open(store)
    dataset = PatchDataset(opened, bands="rgb")
    batches = iter(loader(dataset, 2, n_threads=2))
    next(batches)
    opened.close()
    with pytest.raises(StoreError, match="closed"):
        list(batches)


def test_a_break_ends_reading_ahead(dataset):
    """A break ends all reading ahead, and the next loop is a whole epoch."""
    batches = loader(dataset, 2, n_threads=2)
    for _ in range(20):
        for _ in batches:
            break
    assert not batches._ahead
    assert sorted(keys_of(batches)) == list(dataset.keys)


def test_older_iteration_says_that_it_was_ended(dataset):
    """A second iteration over a loader is complete, and the first one raises an error."""
    batches = loader(dataset, 2)
    older = iter(batches)
    next(older)
    newer = iter(batches)
    next(newer)
    with pytest.raises(UsageError, match="a newer iteration"):
        next(older)
    assert len(keys_of(newer)) == N - 2


def test_threads_end_with_the_loader(dataset):
    """Threads end if the loader is closed or deleted; iterating again starts new ones."""
    others = own_threads()
    batches = loader(dataset, 2, n_threads=3)
    list(batches)
    threads = own_threads() - others
    assert len(threads) == 3
    batches.close()
    assert not any(thread.is_alive() for thread in threads)
    assert sorted(keys_of(batches)) == list(dataset.keys)
    threads = own_threads() - others
    assert len(threads) == 3
    del batches
    gc.collect()
    for thread in threads:
        thread.join(timeout=60)
    assert not any(thread.is_alive() for thread in threads)


def test_nothing_is_left_over(dataset):
    """Discarded loaders leave no threads, open files or memory maps behind."""

    def state():
        gc.collect()
        return len(own_threads()), len(list(Path("/proc/self/fd").iterdir())), len(list(maps()))

    def maps():
        with Path("/proc/self/maps").open() as file:
            yield from (line for line in file if "data.mdb" in line or "/dev/shm" in line)

    def once():
        with loader(dataset, 5, n_threads=2) as batches:
            list(batches)
            for _ in batches:
                break

    if not Path("/proc/self/maps").exists():
        pytest.skip("no /proc on this system")
    once()
    gc.collect()
    for thread in own_threads():  # of loaders that other tests discarded
        thread.join(timeout=60)
    before = state()
    for _ in range(30):
        once()
    assert state() == before


def test_pickled_loader_goes_on_elsewhere(dataset):
    """A loader can be pickled while it is iterated; its copy starts with the next epoch."""
    batches = loader(dataset, 5, shuffle=True, transform=Halve())
    running = iter(batches)
    next(running)
    again = pickle.loads(pickle.dumps(batches))
    expected = keys_of(loader(Subset(dataset, range(N)), 5, shuffle=True))
    again.set_epoch(0)
    assert keys_of(again) == expected
    assert len(keys_of(running)) == N - 5


def _iterate_in_child(batches, queue):
    queue.put(keys_of(batches))


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_loader_works_in_another_process(dataset, method):
    """A loader that was used here works in a child process of any start method."""
    batches = loader(dataset, 5, shuffle=True, seed=3, n_threads=2)
    list(batches)
    context = multiprocessing.get_context(method)
    queue = context.Queue()
    child = context.Process(target=_iterate_in_child, args=(batches, queue))
    child.start()
    found = queue.get(timeout=120)
    child.join()
    assert (child.exitcode, found) == (0, keys_of(batches))


def test_waiting_is_counted(dataset):
    """The loader adds up the seconds that the trainer waits, over all epochs."""
    batches = loader(dataset, N)
    counts = [batches.waited_s]
    started = perf_counter()
    for _ in range(2):
        list(batches)
        counts.append(batches.waited_s)
    assert 0 == counts[0] < counts[1] < counts[2] < perf_counter() - started


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 0}, "batch_size=0, expected at least 1"),
        ({"n_threads": 0}, "n_threads=0"),
        ({"prefetch": 0}, "prefetch=0"),
        ({"rank": 0}, "give both or neither"),
        ({"rank": 2, "world_size": 2}, "expected 0 to 1"),
        ({"sampler": range(3), "shuffle": True}, "sampler="),
        ({"sampler": range(3), "rank": 0, "world_size": 2}, "sampler="),
    ],
)
def test_options_that_contradict_themselves_are_errors(dataset, options, message):
    """Invalid or contradictory options are errors that name them."""
    with pytest.raises(UsageError, match=message):
        loader(dataset, **options)


def test_other_datasets_are_refused():
    """A dataset from elsewhere is an error that suggests PyTorch's DataLoader."""
    with pytest.raises(UsageError, match=r"list, expected a dataset.*\n.*DataLoader"):
        loader([1, 2, 3])


INTERRUPTED = """
import os, signal, sys, threading
from rico_hdl.torch import PatchDataset, loader

once = iter([signal.SIGINT])

def interrupt(batch):
    for number in once:
        os.kill(os.getpid(), number)
    return batch

batches = loader(PatchDataset(sys.argv[1]), 1, transform=interrupt, n_threads=2)
try:
    while True:
        for batch in batches:
            pass
except KeyboardInterrupt:
    assert not batches._ahead
    print("interrupted")
batches.close()
print("threads", threading.active_count())
"""


def test_loader_threads_compute_alone(dataset):
    """In loader threads torch computes with one thread; elsewhere its thread count is unchanged."""
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    seen = []

    def look(batch):
        seen.append(torch.get_num_threads())
        return batch

    try:
        with loader(dataset, 4, transform=look) as batches:
            list(batches)
        assert set(seen) == {1}
        assert torch.get_num_threads() == 3
        other = threading.Thread(target=lambda: seen.append(torch.get_num_threads()))
        other.start()
        other.join()
        assert seen[-1] == 3
    finally:
        torch.set_num_threads(before)


@pytest.mark.usefixtures("interruptible")
def test_interrupt_ends_the_loop(store):
    """Ctrl-C in a training loop is a KeyboardInterrupt and, uncaught, ends the process."""
    done = python("-W", "error", "-c", INTERRUPTED, store, timeout=120)
    assert (done.returncode, done.stdout) == (0, "interrupted\nthreads 1\n"), done.stderr
    uncaught = INTERRUPTED.replace("except KeyboardInterrupt:", "except ZeroDivisionError:")
    done = python("-c", uncaught, store, timeout=120)
    assert done.returncode == -signal.SIGINT
    assert "KeyboardInterrupt" in done.stderr


@pytest.mark.skipif(not torch.accelerator.is_available(), reason="there is no accelerator here")
def test_pinned_batches_reach_the_accelerator(dataset):
    """Pinned batches are copied asynchronously and not reused before the copy is done."""
    device = torch.accelerator.current_accelerator()
    with loader(dataset, 2, shuffle=True, pin_memory=True, n_threads=2) as batches:
        moved = []
        for batch in batches:
            assert batch["image"].is_pinned()
            moved.append((batch["label"].clone(), batch["image"].to(device, non_blocking=True)))
        for labels, images in moved:
            for label, image in zip(labels.tolist(), images.cpu(), strict=True):
                assert torch.equal(image, dataset[label]["image"])


@pytest.mark.skipif(torch.accelerator.is_available(), reason="there is an accelerator here")
def test_pinning_without_an_accelerator_does_nothing(dataset):
    """Scripts that request pinned memory also run without an accelerator."""
    with loader(dataset, 5, pin_memory=True) as batches:
        assert sorted(keys_of(batches)) == list(dataset.keys)
