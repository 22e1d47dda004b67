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

pytest.register_assert_rewrite("tests.support")

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


TYPICAL = [
    spec
    for spec in registry().values()
    if spec.is_original
    # Releases with the same keys, Zarr stores, archives for each season, modalities with the same
    # bands, and modalities with templates of the same form in one folder and archive.
    or spec.name in {"bigearthnet-v1", "ssl4eo-s12-v1.1", "sen12ms", "kuro-siwo", "treesatai"}
    # Several bands in several files, folders of bands, archives named like folders, spanned ones.
    or spec.name in {"seasonet", "mados", "ftw", "million-aid"}
]
"""Datasets of every layout and format, for tests that would take minutes with all of them."""


@pytest.fixture(params=list(registry().values()), ids=lambda spec: spec.name)
def spec(request: pytest.FixtureRequest) -> DatasetSpec:
    """Every supported dataset."""
    return request.param


@pytest.fixture(params=TYPICAL, ids=lambda spec: spec.name)
def typical_spec(request: pytest.FixtureRequest) -> DatasetSpec:
    """Datasets of every layout and format."""
    return request.param


@pytest.fixture(
    params=[spec for spec in TYPICAL if all(one.arrays is None for one in spec.modalities)],
    ids=lambda spec: spec.name,
)
def folder_spec(request: pytest.FixtureRequest) -> DatasetSpec:
    """Datasets of every layout of folders; others have only archives."""
    return request.param


@pytest.fixture
def bigearthnet(tmp_path: Path) -> dict[str, Path]:
    """The source folders of a small BigEarthNet, by modality; a test may change the files."""
    return corpus.generate(registry()["bigearthnet"], tmp_path / "source", 6)
