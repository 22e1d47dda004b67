"""The structure of data.mdb: no flipped bit silently changes the result of a read."""

from __future__ import annotations

import json
import shutil
import struct
from pathlib import Path
from random import Random

import lmdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rico_hdl.checking.verification import verify
from rico_hdl.errors import StoreError
from rico_hdl.store import Pages, Snapshot, StoreWriter, Structure
from rico_hdl.testing.contracts.files import flip
from tests.support.running import python
from tests.support.structured import PAGE, flips_of, pages_of, record, structured_store

FLIPPING = Path(__file__).parents[1] / "support" / "flipping.py"


@pytest.fixture(scope="module")
def pristine(tmp_path_factory) -> Path:
    """A store of this kind, not to be changed."""
    return structured_store(tmp_path_factory.mktemp("pristine") / "store")


def check_flips(store: Path, flips: list[tuple[int, int]]) -> int:
    """Each flip is found or harmless for every reader; returns how many are found."""
    run = python(FLIPPING, store, input=json.dumps(flips))
    assert run.returncode == 0, run.stderr
    n_found = 0
    for offset, bit, outcome, reader in json.loads(run.stdout):
        place = (offset // PAGE, offset % PAGE, bit)
        assert outcome in {0, 1, 4}, (place, outcome, run.stderr)
        assert reader is None, (place, reader)
        n_found += outcome != 0
    return n_found


@pytest.mark.parametrize(
    ("kind", "n"), [("meta", 120), ("branch", 60), ("leaf", 90), ("free", 60), ("overflow", 40)]
)
def test_a_flipped_bit_of_the_structure_is_found_or_harmless(pristine, tmp_path, kind, n):
    """Each of some flipped bits is found, or every reader sees every record as before."""
    store = shutil.copytree(pristine, tmp_path / "store")
    flips = flips_of((store / "data.mdb").read_bytes())[kind]
    assert check_flips(store, Random(11).sample(flips, n)) >= n // 5


@pytest.mark.soak
@pytest.mark.parametrize("part", range(8))
@pytest.mark.parametrize("kind", ["meta", "branch", "leaf", "free", "overflow"])
def test_every_flipped_bit_of_the_structure_is_found_or_harmless(pristine, tmp_path, kind, part):
    """The same for every bit."""
    store = shutil.copytree(pristine, tmp_path / "store")
    flips = flips_of((store / "data.mdb").read_bytes())[kind]
    check_flips(store, flips[part::8])


@pytest.mark.parametrize("kind", ["meta", "branch", "overflow"])
def test_undetected_damage_harms_no_writer(pristine, tmp_path, kind):
    """If a flip is not found, later conversions lose and change no record."""
    before = content(pristine)
    original = (pristine / "data.mdb").read_bytes()
    flips = Random(5).sample(flips_of(original)[kind], 24)
    n_harmless = 0
    for i, (offset, bit) in enumerate(flips):
        store = shutil.copytree(pristine, tmp_path / str(i))
        flip(store / "data.mdb", offset, 1 << bit)
        if is_found(store):
            continue
        n_harmless += 1
        for run in range(3):  # so that free pages are reused
            with StoreWriter(store, commit_bytes=20_000) as writer:
                for n in range(8):
                    writer.put(record(n, 2000, f"more-{run}"))
        after = content(store)
        assert {key: after.get(key) for key in before} == before, (offset, bit)
        assert len(after) == len(before) + 24
    assert n_harmless


def content(folder: Path) -> dict[bytes, bytes]:
    """The records that plain LMDB reads."""
    with lmdb.open(str(folder), readonly=True, lock=False) as env, env.begin() as txn:
        return dict(txn.cursor())


def is_found(folder: Path) -> bool:
    """Whether verification finds anything."""
    try:
        return bool(verify(folder, n_workers=1).findings)
    except StoreError:
        return True


def problems(folder: Path) -> list[str]:
    """The problems that are found in the structure of a file."""
    pages = Pages(folder)
    structure = Structure(pages)
    structure.check()
    for _, place in pages.walk():
        run = structure.run_of(place, pages.data[place[0] - 16 : place[0]])
        if isinstance(run, str):
            structure.problems.append(run)
        elif run is not None and not structure.take(*run):
            structure.problems.append(f"page {run[0]} is used twice")
    structure.finish()
    if not structure.follows_the_older_state:
        structure.problems.append("the older state is another one")
    return structure.problems


keys = st.binary(min_size=1, max_size=60) | st.integers(0, 99).map(lambda i: b"k%02d" % i * 120)
steps = st.lists(st.tuples(keys, st.none() | st.integers(0, 30_000)), max_size=60)


@given(history=steps, held=st.booleans(), writemap=st.booleans(), each=st.integers(1, 30))
@settings(max_examples=60)
def test_structures_of_lmdb_are_intact(tmp_path_factory, history, held, writemap, each):
    """After any puts, overwrites, deletions and copies, no problem is found in the structure."""
    root = tmp_path_factory.mktemp("lmdb")
    for name in ("written", "copied"):
        (root / name).mkdir()
    with lmdb.open(str(root / "written"), map_size=2**26, writemap=writemap) as env:
        held_open = env.begin() if held else None  # keeps pages from being reused in the meantime
        for first in range(0, len(history), each):
            with env.begin(write=True) as txn:
                for key, n in history[first : first + each]:
                    if n is None:
                        txn.delete(key)
                    else:
                        txn.put(key, bytes(n))
        if held_open is not None:
            held_open.abort()
        env.copy(str(root / "copied"), compact=each % 2 == 0)
    assert problems(root / "written") == []
    assert problems(root / "copied") == []


def test_a_page_that_is_free_and_in_use_is_found(pristine, tmp_path):
    """A leaf page that is also listed as free is found before a writer takes it."""
    store = shutil.copytree(pristine, tmp_path / "store")
    data = bytearray((store / "data.mdb").read_bytes())
    pages = pages_of(bytes(data))
    base = pages["free"][0] * PAGE
    (node,) = struct.unpack_from("<H", data, base + 16)
    at = base + node + 8 + 8
    (n,) = struct.unpack_from("<Q", data, at)
    free = list(struct.unpack_from(f"<{n}Q", data, at + 8))
    free = sorted([*free[1:], pages["leaf"][0]], reverse=True)
    struct.pack_into(f"<{n}Q", data, at + 8, *free)
    (store / "data.mdb").write_bytes(data)
    reasons = [finding.reason for finding in verify(store).findings]
    assert any(f"page {pages['leaf'][0]} is used twice" in reason for reason in reasons)


def test_readers_that_disagree_are_an_error(pristine, tmp_path):
    """If LMDB's library and the page reader find a record in different places, a lookup fails."""
    with StoreWriter(tmp_path / "other") as store:
        for i in reversed(range(60)):
            store.put(record(i, 1400 + i))
    key = record(9, 1).key
    with Snapshot(pristine, 1) as snapshot:
        with snapshot.lookups() as look:
            place, value, _ = look(key)
            assert snapshot.pages.find(key) == place
            assert snapshot.pages.data[slice(*place)] == value
            assert look(b"nothing") is None
            del value
        snapshot.pages = Pages(tmp_path / "other")
        with snapshot.lookups() as look, pytest.raises(StoreError, match="disagree"):
            look(key)


def swap_nodes(data: bytearray, base: int) -> None:
    """Exchange the first two nodes of a page."""
    first, second = struct.unpack_from("<HH", data, base + 16)
    struct.pack_into("<HH", data, base + 16, second, first)


def raise_last_key(data: bytearray, base: int) -> None:
    """Make the last key of a page sort after those of the next page."""
    _, _, _, lower, _ = struct.unpack_from("<QHHHH", data, base)
    (node,) = struct.unpack_from("<H", data, base + lower - 2)
    data[base + node + 8] += 1


def put_back(data: bytearray, _: int) -> None:
    """Give the newest meta page the number of an earlier transaction than the other one."""
    numbers = [struct.unpack_from("<Q", data, page * PAGE + 16 + 128)[0] for page in (0, 1)]
    struct.pack_into("<Q", data, numbers.index(max(numbers)) * PAGE + 16 + 128, max(numbers) - 2)


def raise_number(data: bytearray, _: int) -> None:
    """Give the older meta page the number of a later transaction."""
    numbers = [struct.unpack_from("<Q", data, page * PAGE + 16 + 128)[0] for page in (0, 1)]
    struct.pack_into("<Q", data, numbers.index(min(numbers)) * PAGE + 16 + 128, max(numbers) + 3)


@pytest.mark.parametrize(
    ("damage", "what"),
    [
        (swap_nodes, "are out of order"),
        (raise_last_key, "holds keys that belong elsewhere"),
        (put_back, "not from two consecutive commits"),
        (raise_number, "has transaction"),
    ],
)
def test_damage_is_found_without_journal_and_manifest(pristine, tmp_path, damage, what):
    """The structure alone reveals damage without digests, as in stores of the original."""
    shutil.copy(pristine / "data.mdb", tmp_path)
    data = bytearray((tmp_path / "data.mdb").read_bytes())
    leaves = [page * PAGE for page in pages_of(bytes(data))["leaf"]]
    two = [base for base in leaves if struct.unpack_from("<H", data, base + 12)[0] > 18]
    first = min(two, key=lambda base: data[base + struct.unpack_from("<H", data, base + 16)[0] :])
    damage(data, first)
    (tmp_path / "data.mdb").write_bytes(data)
    assert any(what in finding.reason for finding in verify(tmp_path).findings)
