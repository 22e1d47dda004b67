"""The number of processors in use, and how threads take turns."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

import corpus
from corpus.archives import publish
from rico_hdl.converting.conversion import convert
from rico_hdl.datasets import registry
from rico_hdl.observer import Observer
from rico_hdl.system import processors
from rico_hdl.system.processors import frequent_switches, n_usable_processors

UC_MERCED = registry()["uc-merced"]


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="processors can't be chosen here")
def test_only_the_processors_that_may_be_used_count():
    """A process that may run on one processor uses one, as in a SLURM job."""
    code = (
        "import os\nos.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
        "from rico_hdl.system.processors import n_usable_processors\nprint(n_usable_processors())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "1\n"


@pytest.mark.parametrize(
    ("quota", "expected"),
    [
        ("max 100000", 8),
        ("150000 100000", 2),  # one and a half: an extra thread costs little
        ("10000 100000", 1),
        ("1600000 100000", 8),
        ("", 8),
        ("100000", 8),
        (None, 8),
    ],
)
def test_a_containers_quota_bounds_the_processors(tmp_path, monkeypatch, quota, expected):
    """A quota of cgroup v2 is rounded up, and an absent or malformed one is ignored."""
    file = tmp_path / "cpu.max"
    if quota is not None:
        file.write_text(f"{quota}\n")
    monkeypatch.setattr(processors, "_CGROUP_QUOTA", file)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    assert n_usable_processors() == expected


@pytest.fixture
def interval():
    """Sets the switch interval, which is restored after the test."""
    before = sys.getswitchinterval()
    yield sys.setswitchinterval
    sys.setswitchinterval(before)


def test_threads_take_shorter_turns_for_a_while(interval):
    """The interval is half a millisecond in the context, and is restored even after an error."""
    interval(0.005)
    with pytest.raises(KeyError), frequent_switches():
        assert sys.getswitchinterval() == pytest.approx(0.0005)
        raise KeyError
    assert sys.getswitchinterval() == pytest.approx(0.005)


def test_a_shorter_interval_stays(interval):
    """If the caller's interval is already shorter, it stays."""
    interval(0.0001)
    with frequent_switches():
        assert sys.getswitchinterval() <= 0.0001
    assert sys.getswitchinterval() <= 0.0001


def test_archives_are_converted_with_shorter_turns(tmp_path):
    """While an archive is read, the threads take short turns."""
    found = []

    class Noting(Observer):
        def on_archive(self, *_):
            found.append(sys.getswitchinterval())

    sources = publish(UC_MERCED, corpus.generate(UC_MERCED, tmp_path / "source", 2), tmp_path / "a")
    before = sys.getswitchinterval()
    convert(UC_MERCED, sources, tmp_path / "target", observer=Noting())
    assert found
    assert max(found) <= 0.0005 < before
    assert sys.getswitchinterval() == pytest.approx(before)
