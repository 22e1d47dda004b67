"""A process that forks in the middle of an epoch: no child waits for threads that it lacks."""

from __future__ import annotations

import os
import signal
import time

import numpy as np
import pytest

from rico_hdl.errors import UsageError
from tests.support.running import python
from tests.support.stores import converted

torch = pytest.importorskip("torch", reason="torch is not installed: make test-torch")

from torch.utils.data import DataLoader

from rico_hdl.torch import PatchDataset, loader

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system can't fork")

N = 24
SECONDS = 20.0


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A store of patches."""
    return converted("eurosat-multi-spectral", tmp_path_factory.mktemp("forks"), N)


@pytest.fixture
def dataset(store):
    """All patches, labelled with their position."""
    return PatchDataset(store, bands=["B04", "B03"], labels=np.arange(N))


def in_child(work):
    """Fork, run a function in the child, and return whether it ended in time and succeeded."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status) == 0
        time.sleep(0.01)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return False


def labels_of(batches):
    """The labels of all samples, sorted."""
    return sorted(label for batch in batches for label in batch["label"].tolist())


def test_a_child_gets_an_error_for_its_parents_iteration(dataset):
    """Continuing it in a forked child is an error that says what to do; the parent goes on."""
    with loader(dataset, 4, n_threads=3) as batches:
        iteration = iter(batches)
        seen = labels_of([next(iteration)])

        def proceed():
            with pytest.raises(UsageError, match="before a fork"):
                next(iteration)

        assert in_child(proceed)
        assert sorted(seen + labels_of(iteration)) == list(range(N))


def test_a_child_gets_an_error_for_an_iteration_that_has_not_begun(dataset):
    """So it is for an iterator that its parent made but never used, before and after an epoch."""
    with loader(dataset, 4) as batches:
        for _ in range(2):
            iteration = iter(batches)

            def begin(iteration=iteration):
                with pytest.raises(UsageError, match="before a fork"):
                    next(iteration)

            assert in_child(begin)
            assert labels_of(iteration) == list(range(N))


@pytest.mark.parametrize("end", ["drop", "close", "with", "iterate", "iterate and proceed"])
def test_a_child_ends_or_replaces_its_parents_iteration(dataset, end):
    """Dropping or closing it does not wait, and a new epoch is read by threads of the child."""
    with loader(dataset, 4, n_threads=3) as batches:
        iterations = [iter(batches)]
        seen = labels_of([next(iterations[0])])

        def work():
            if end == "drop":
                iterations.clear()
            elif end == "close":
                batches.close()
            elif end == "with":
                with batches:
                    pass
            else:
                assert labels_of(batches) == list(range(N))
            if end == "iterate and proceed":
                with pytest.raises(UsageError):
                    next(iterations[0])
            assert labels_of(batches) == list(range(N))

        assert in_child(work)
        assert sorted(seen + labels_of(iterations[0])) == list(range(N))


def test_pytorchs_own_workers_start_in_the_middle_of_an_epoch(dataset):
    """Workers of a DataLoader that are forked during an iteration read the dataset."""
    with loader(dataset, 4, n_threads=3) as batches:
        iteration = iter(batches)
        seen = labels_of([next(iteration)])
        other = DataLoader(
            dataset, 4, num_workers=2, multiprocessing_context="fork", timeout=SECONDS
        )
        assert labels_of(other) == list(range(N))
        assert sorted(seen + labels_of(iteration)) == list(range(N))


@pytest.mark.parametrize("exit_child", ["sys.exit()", "raise SystemExit", "pass"])
def test_a_child_that_exits_normally_does_not_hang(store, exit_child):
    """A child that runs to its end, with all that Python does there, ends."""
    code = (
        "import os, sys\n"
        "from rico_hdl.torch import PatchDataset, loader\n"
        f"batches = loader(PatchDataset({str(store)!r}), 2, n_threads=3)\n"
        "iteration = iter(batches)\n"
        "next(iteration)\n"
        "child = os.fork()\n"
        f"if child == 0:\n    {exit_child}\n"
        "else:\n"
        "    assert os.waitpid(child, 0)[1] == 0\n"
        "    print(sum(1 for _ in iteration))"
    )
    done = python("-c", code, timeout=60)
    assert (done.returncode, done.stdout) == (0, f"{N // 2 - 1}\n"), done.stderr
