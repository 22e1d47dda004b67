"""Settings and fixtures shared by all tests."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

import corpus
from rico_hdl.datasets import registry
from rico_hdl.spec import DatasetSpec

pytest.register_assert_rewrite("tests.contracts", "tests.support")

pytest_plugins = ["tests.plugins.fast", "tests.plugins.leftovers", "tests.plugins.rounds"]

STALLING = Path(__file__).parent / "support" / "stalling"
SAMPLES = Path(__file__).resolve().parents[2] / "shared" / "samples"


@pytest.fixture(scope="session")
def samples() -> Path:
    """Real files of seven datasets, if they are available."""
    if not SAMPLES.is_dir():
        pytest.skip("no real sample files: ../shared/samples does not exist")
    return SAMPLES


@pytest.fixture
def stalling_pipes(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the processes that a test starts, a pipe in a file's place stalls whoever opens it.

    See `tests/support/stalling`; `tests.support.running.held_at` waits for them.
    """
    if not hasattr(os, "memfd_create"):
        pytest.skip("needs memfd_create")
    folders = [str(STALLING), *filter(None, [os.environ.get("PYTHONPATH")])]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(folders))


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Signals reach this process and its children, even if the run ignores them.

    A shell makes programs started with ``&`` ignore SIGINT; nohup makes them ignore SIGHUP.
    Children inherit that, unlike a handler.
    """
    before = {signal.SIGINT: signal.signal(signal.SIGINT, signal.default_int_handler)}
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        before[signal.SIGHUP] = signal.signal(signal.SIGHUP, lambda *_: None)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture(params=list(registry().values()), ids=lambda spec: spec.name)
def spec(request: pytest.FixtureRequest) -> DatasetSpec:
    """Every supported dataset."""
    return request.param


@pytest.fixture(
    params=[
        spec
        for spec in registry().values()
        if all(modality.arrays is None for modality in spec.modalities)
    ],
    ids=lambda spec: spec.name,
)
def folder_spec(request: pytest.FixtureRequest) -> DatasetSpec:
    """Every supported dataset that can be converted from folders; the others have only archives."""
    return request.param


@pytest.fixture
def bigearthnet(tmp_path: Path) -> dict[str, Path]:
    """The source folders of a small BigEarthNet, by modality; a test may change the files."""
    return corpus.generate(registry()["bigearthnet"], tmp_path / "source", 6)
