"""Checks in a child process: the same results and errors, and a child that ends with its caller."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import corpus
from rico_hdl.checking.comparison import compare_with_sources
from rico_hdl.checking.verification import verify
from rico_hdl.converting.conversion import convert
from rico_hdl.datasets import registry
from rico_hdl.errors import InterruptedRunError, StoreError, UsageError
from rico_hdl.observer import Observer
from tests.support.running import held_at, started
from tests.support.structured import structured_store

UC_MERCED = registry()["uc-merced"]
CHILDREN = Path(f"/proc/self/task/{os.getpid()}/children")

needs_proc = pytest.mark.skipif(not CHILDREN.exists(), reason="looks for the child in /proc")


@pytest.fixture(scope="module")
def pristine(tmp_path_factory) -> tuple[Path, Path]:
    """A source and its store, not to be changed."""
    root = tmp_path_factory.mktemp("pristine")
    sources = corpus.generate(UC_MERCED, root / "source", 3)
    convert(UC_MERCED, sources, root / "target")
    (source,) = sources.values()
    return source, root / "target"


@pytest.fixture
def blocked(pristine, stalling_pipes, tmp_path) -> tuple[dict[str, Path], Path]:
    """Sources with a named pipe that blocks the comparison, and that pipe."""
    del stalling_pipes
    source = shutil.copytree(pristine[0], tmp_path / "source")
    path = next(source.rglob("*.tif"))
    path.unlink()
    os.mkfifo(path)
    return {UC_MERCED.modalities[0].name: source}, path


class Adding(Observer):
    """Adds up the progress that it receives."""

    def __init__(self) -> None:
        self.seen: list[tuple[int, ...]] = []

    def on_start(self, n_records: int) -> None:
        """Once."""
        self.seen.append((n_records,))

    def on_records(self, n_records: int, n_bytes: int) -> None:
        """Often."""
        *others, last = self.seen
        n, total = last if len(last) == 2 else (0, 0)
        self.seen = [*others, *([last] if len(last) == 1 else []), (n + n_records, total + n_bytes)]


@pytest.mark.parametrize("check", [verify, compare_with_sources])
def test_results_and_progress_are_the_same(pristine, tmp_path, check):
    """Findings, counts and progress equal those of the same call without a child process."""
    target = shutil.copytree(pristine[1], tmp_path / "target")
    path = target / "data.mdb"
    data = bytearray(path.read_bytes())
    data[data.index(b"Blue") + 5000] ^= 1
    path.write_bytes(data)
    expected, heard = Adding(), Adding()
    usual = check(target, n_workers=2, observer=expected)
    with ThreadPoolExecutor(1) as thread:  # in a thread, which does not receive signals
        isolated = thread.submit(check, target, n_workers=2, observer=heard, isolated=True).result()
    usual.seconds = isolated.seconds = 0
    assert isolated == usual
    assert len(isolated.findings) == 1
    assert heard.seen == expected.seen


@pytest.mark.parametrize("options", [{}, {"n_workers": 0}, {"n_workers": "two"}])
def test_errors_are_the_same(pristine, tmp_path, options):
    """An error has the same class, message and hint as without a child process."""
    target = pristine[1] if options else tmp_path / "nowhere"
    errors = []
    for isolated in (False, True):
        with pytest.raises((StoreError, UsageError, TypeError)) as caught:
            verify(target, isolated=isolated, **options)
        errors.append((type(caught.value), str(caught.value)))
    assert errors[0] == errors[1]


def test_a_decoder_of_ones_own_is_refused(pristine):
    """A decoder other than the default and GDAL's can't be isolated."""
    with pytest.raises(UsageError, match="GdalDecoder"):
        compare_with_sources(pristine[1], make_decoder=lambda: None, isolated=True)


def test_sources_that_stay_in_their_process_are_refused(pristine):
    """A source that can't be pickled is an error about the call, not a traceback."""
    with Path(os.devnull).open("rb") as file, pytest.raises(UsageError, match="another process"):
        compare_with_sources(pristine[1], {"images": file}, isolated=True)


def test_a_file_that_shrinks_under_the_reader_is_no_crash(tmp_path):
    """A store that is cut short while it is read is an error, unless it was read before that."""
    target = structured_store(tmp_path / "store")

    class Cutting(Observer):
        def on_start(self, _: int) -> None:
            os.truncate(target / "data.mdb", 3 * 4096)

    try:
        found = verify(target, observer=Cutting(), isolated=True)
    except StoreError as error:
        # The reader may also notice the missing page itself, before a read kills it.
        assert re.search(r"data\.mdb is (cut short|damaged)", error.message)  # noqa: PT017
    else:
        assert (found.findings, found.n_records > 0) == ([], True)
    with pytest.raises(StoreError, match=r"data\.mdb is (cut short|damaged)"):
        verify(target, isolated=True)


def at(pipe: Path, act: Callable[[], object], check: Callable[[], object]) -> object:
    """Act once a check in this process has reached a pipe; returns the result of the check."""
    with subprocess.Popen(["sleep", "60"]) as waiting, ThreadPoolExecutor(1) as thread:

        def when_there() -> None:
            with held_at(pipe, waiting):
                act()

        acted = thread.submit(when_there)
        try:
            return check()
        finally:
            waiting.kill()
            acted.result()


def child() -> int:
    """The checking process: the youngest child."""
    return int(CHILDREN.read_text().split()[-1])


@needs_proc
@pytest.mark.parametrize("name", ["SIGBUS", "SIGSEGV", "SIGKILL"])
def test_a_crash_is_a_finding(pristine, blocked, name):
    """A reader that crashes because of the file is a finding; one that a user killed is not."""
    sources, pipe = blocked
    number = signal.Signals[name]

    def check() -> list[str]:
        return [str(f) for f in compare_with_sources(pristine[1], sources, isolated=True).findings]

    if name == "SIGKILL":
        with pytest.raises(InterruptedRunError, match="SIGKILL") as caught:
            at(pipe, lambda: os.kill(child(), number), check)
        assert caught.value.exit_code == 128 + number
    else:
        (finding,) = at(pipe, lambda: os.kill(child(), number), check)
        assert finding.startswith("damaged: data.mdb can't be read")
        assert name in finding


@needs_proc
@pytest.mark.usefixtures("interruptible")
def test_ctrl_c_ends_both(pristine, blocked):
    """KeyboardInterrupt is raised as usual, and the child is gone."""
    sources, pipe = blocked
    before = CHILDREN.read_text()
    with pytest.raises(KeyboardInterrupt):
        at(
            pipe,
            lambda: os.kill(os.getpid(), signal.SIGINT),
            lambda: compare_with_sources(pristine[1], sources, isolated=True),
        )
    assert CHILDREN.read_text() == before


def test_the_child_does_not_outlive_its_parent(pristine, blocked):
    """If a caller is killed, its child ends, too."""
    sources, pipe = blocked
    named = {name: str(path) for name, path in sources.items()}
    call = f"rico_hdl.compare_with_sources({str(pristine[1])!r}, {named}, isolated=True)"
    with started("-c", f"import rico_hdl; {call}") as process, held_at(pipe, process):
        process.kill()
        # The child has the other end of this pipe, which is read to its end when both are gone.
        assert process.communicate(timeout=60)[1] == ""
