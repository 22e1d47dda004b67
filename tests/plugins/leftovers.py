"""A run leaves only the files of failed tests in the system's temporary folder.

pytest removes the folder of a test that passes. This plugin removes the folders that the fixtures
of a module share, after the module, and those of killed runs, before the next run.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

_LOCK = "rico-hdl.lock"
_held = pytest.StashKey[IO[bytes]]()


def pytest_sessionstart(session: pytest.Session) -> None:
    """Remove the folders of killed runs; hold a lock that shows that this run is alive."""
    config = session.config
    if fcntl is None or hasattr(config, "workerinput") or config.option.basetemp is not None:
        return
    base = config._tmp_path_factory.getbasetemp()
    new = base / f"{_LOCK}.new"  # renamed once it is locked
    config.stash[_held] = new.open("wb")
    fcntl.flock(config.stash[_held], fcntl.LOCK_EX)
    new.rename(base / _LOCK)
    for lock in base.parent.glob(f"pytest-*/{_LOCK}"):
        if lock.parent != base and not lock.parent.is_symlink() and not _is_held(lock):
            shutil.rmtree(lock.parent, ignore_errors=True)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Let pytest manage the folders of failed tests; it keeps those of one run."""
    file = session.config.stash.get(_held, None)
    if file is None:
        return
    if exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
        Path(file.name).with_name(_LOCK).unlink(missing_ok=True)
    file.close()


@pytest.fixture(scope="module", autouse=True)
def _shared_folders(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[None]:
    """Remove the files of the module's fixtures, unless one of its tests failed.

    Automatic fixtures come first, so this one ends after all others of the module.
    """
    base = tmp_path_factory.getbasetemp()
    before = set(base.iterdir())
    n_failed = request.session.testsfailed
    yield
    if request.session.testsfailed == n_failed:
        for path in set(base.iterdir()) - before:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)


def _is_held(lock: Path) -> bool:
    """Whether the run that made a lock file is alive."""
    try:
        with lock.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:  # another run removes it now
        return True
    except BlockingIOError:
        return True
    return False
