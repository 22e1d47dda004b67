"""Databases that are cut short anywhere: an error or all records, and never a crash."""

from __future__ import annotations

import os
import resource
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import lmdb
import pytest

import corpus
import rico_hdl
from rico_hdl.checking.inspection import inspect
from rico_hdl.checking.verification import verify
from rico_hdl.converting.conversion import convert
from rico_hdl.datasets import get
from rico_hdl.errors import StoreError
from rico_hdl.store.length import check_length
from tests.support.reading import records

SPEC = get("bigearthnet")
PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096
MODALITY = "reference-maps"
FINE, FOUND, REFUSED = 0, 1, 4

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="crashes are looked at in forks")


def outcome_of(call: Callable[[], int]) -> int:
    """The result of a function in a child process; negative if a signal ended it."""
    child = os.fork()
    if child == 0:
        signal.alarm(30)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        code = 70
        try:
            code = call()
        except StoreError as error:
            code = REFUSED if str(error) else 70
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> tuple[Path, Path]:
    """A store that was written in several commits, some of them replacing records; its source."""
    root = tmp_path_factory.mktemp("length")
    source = corpus.generate(SPEC, root / "source", 2, modalities=[MODALITY])[MODALITY]
    target = root / "target"
    convert(SPEC, {MODALITY: source}, target)
    # Records change their sizes, so there are free pages at the end and reused ones.
    with lmdb.open(str(target), map_size=2**28) as env:
        for i in range(6):
            with env.begin(write=True) as txn:
                txn.put(b"visitor", bytes(3000 * (6 - i)))
        with env.begin(write=True) as txn:
            txn.delete(b"visitor")
    assert convert(SPEC, {MODALITY: source}, target).complete
    assert verify(target).findings == []
    return target, source


def cut(whole: Path, target: Path, n_bytes: int) -> None:
    """A copy of a store whose data.mdb is cut to n_bytes bytes."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(whole, target)
    os.truncate(target / "data.mdb", n_bytes)


def places(whole: Path, every: int) -> list[int]:
    """Every page boundary of a database, or every second one, and places in between."""
    size = (whole / "data.mdb").stat().st_size
    between = [size - 1, size - 100, size - PAGE // 2, size - 3 * PAGE - 17, size // 2 + 5]
    return [*range(0, size, every * PAGE), *between, size]


@pytest.mark.parametrize("every", [2, pytest.param(1, marks=pytest.mark.soak)])
def test_a_store_that_was_cut_is_refused_or_whole(store, tmp_path, every):
    """Cut at any page, a store is verified, read, inspected and converted without a crash.

    Every second page is tried, or every page in long rounds.
    """
    whole, source = store
    expected = records(whole)
    target = tmp_path / "target"

    def read() -> int:
        with rico_hdl.open(target) as opened:
            keys = list(opened.keys())
            for key in keys:
                opened[key]
        return FINE if keys == list(expected) else FOUND

    def checked() -> int:
        return FOUND if verify(target, n_workers=1).findings else FINE

    def continued() -> int:
        convert(SPEC, {MODALITY: source}, target)
        return FINE if records(target) == expected else FOUND

    n_refused = 0
    for n_bytes in places(whole, every):
        outcomes = {}
        for name, call in (
            ("verify", checked),
            ("read", read),
            ("info", lambda: FINE if inspect(target) else FOUND),
            ("convert", continued),
        ):
            cut(whole, target, n_bytes)
            outcomes[name] = outcome_of(call)
        assert set(outcomes.values()) <= {FINE, REFUSED}, (n_bytes, outcomes)
        # An empty file counts as no file: everything is converted again.
        assert outcomes["verify"] == outcomes["info"] or not n_bytes, (n_bytes, outcomes)
        assert outcomes["convert"] == outcomes["verify"] or not n_bytes, (n_bytes, outcomes)
        n_refused += outcomes["verify"] == REFUSED
    assert n_refused > 10


def is_cut(path: Path) -> bool:
    """Whether a file is refused, with an error that names it and its length."""
    try:
        check_length(path)
    except StoreError as error:
        message = f"{path} is cut short: it has {path.stat().st_size} bytes, but a page"
        return error.message.startswith(message)
    return False


def test_pages_that_are_not_in_use_may_be_missing(tmp_path):
    """A file may end before its last page number says, if no page in use is cut."""
    with lmdb.open(str(tmp_path), map_size=2**26) as env:
        with env.begin(write=True) as txn:
            txn.put(b"a", bytes(20 * PAGE))
            txn.put(b"z", bytes(20 * PAGE))
        with env.begin(write=True) as txn:
            txn.delete(b"z")
        for i in range(6):
            with env.begin(write=True) as txn:
                txn.put(b"b", b"%d" % i)
        last = env.info()["last_pgno"]
    path = tmp_path / "data.mdb"
    n_fine = 0
    for n_bytes in range(path.stat().st_size, 0, -PAGE):
        os.truncate(path, n_bytes)
        if is_cut(path):
            break
        n_fine += n_bytes < (last + 1) * PAGE
        found = {key: len(value) for key, value in records(tmp_path).items()}
        assert found == {"a": 20 * PAGE, "b": 1}
    assert n_fine > 5


def test_every_page_of_a_deep_tree_is_looked_at(tmp_path):
    """In a tree of three levels, each cut that removes a page in use is found."""
    with lmdb.open(str(tmp_path), map_size=2**26) as env:
        for first in range(0, 3000, 500):
            with env.begin(write=True) as txn:
                for i in range(first, first + 500):
                    txn.put(b"%05d" % (i * 7919 % 3001), bytes(i % 5 * 700))
    path = tmp_path / "data.mdb"
    whole = path.read_bytes()
    expected = records(tmp_path)
    n_refused = 0
    for n_bytes in range(len(whole), 2 * PAGE, -29 * PAGE):
        path.write_bytes(whole[:n_bytes])
        if is_cut(path):
            n_refused += 1
            continue
        assert outcome_of(lambda: FINE if records(tmp_path) == expected else FOUND) == FINE
    assert n_refused > 10
