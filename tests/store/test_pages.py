"""Finding records in data.mdb, compared with LMDB's own library."""

from __future__ import annotations

import os
import struct
from itertools import pairwise
from pathlib import Path
from random import Random

import lmdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rico_hdl.errors import StoreError
from rico_hdl.store import Pages

PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096

keys = st.binary(min_size=1, max_size=60) | st.integers(0, 30).map(lambda i: b"key-%03d" % i)
values = st.binary(max_size=40) | st.integers(0, 5 * PAGE).map(lambda n: bytes(range(256)) * n)
steps = st.lists(st.tuples(keys, st.none() | st.integers(0, 3 * PAGE)), max_size=80)


def value_of(key: bytes, n: int) -> bytes:
    """A value of n bytes that differs between keys."""
    return (key + n.to_bytes(4, "little")) * (n // (len(key) + 4) + 1)


def carry_out(folder, history):
    """Put and delete in several transactions; returns the remaining items, sorted."""
    folder.mkdir()
    left = {}
    with lmdb.open(str(folder), map_size=2**26) as env:
        for first in range(0, len(history), 20):
            with env.begin(write=True) as txn:
                for key, n in history[first : first + 20]:
                    if n is None:
                        txn.delete(key)
                        left.pop(key, None)
                    else:
                        left[key] = value_of(key, n)
                        txn.put(key, left[key])
    return dict(sorted(left.items()))


def bytes_at(pages, place):
    """The bytes in a place."""
    return pages.data[place[0] : place[1]]


@pytest.fixture
def folder(tmp_path):
    """A folder with a tree of three levels: thousands of small values, a few large ones."""
    carry_out(tmp_path / "many", [(b"patch_%05d" % i, 30 + i % 7 * 900) for i in range(4000)])
    return tmp_path / "many"


@given(history=steps, others=st.lists(keys, max_size=5))
@settings(max_examples=100)
def test_places_hold_the_values_of_lmdb(tmp_path_factory, history, others):
    """After any puts, overwrites and deletions, each key's value is found, and no other."""
    folder = tmp_path_factory.mktemp("pages") / "lmdb"
    expected = carry_out(folder, history)
    pages = Pages(folder)
    assert pages.n_entries == len(expected)
    assert {key: bytes_at(pages, place) for key, place in pages.walk()} == expected
    assert [key for key, _ in pages.walk()] == list(expected)
    for index in (None, pages._indexed()):
        pages._index = index
        # Before the index exists, keys are searched for in the tree.
        pages._n_searches = -(10**9) if index is None else 0
        for key in [*expected, *others]:
            place = pages.find(key)
            assert (place and bytes_at(pages, place)) == expected.get(key)


def test_deep_tree_is_found_in_both_ways(folder):
    """Thousands of keys are found, first in the tree and then in the index."""
    pages = Pages(folder)
    assert pages.state.records.depth == 3
    names = [b"patch_%05d" % i for i in range(4000)]
    Random(0).shuffle(names)
    for n, key in enumerate(names, 1):
        assert bytes_at(pages, pages.find(key)).startswith(key)
        assert (pages._index is None) == (n * 8 < 4000)
    assert pages.find(b"patch_04000") is None
    assert pages.find(b"") is None
    assert pages.find(b"zzz") is None


def test_empty_lmdb_has_no_keys(tmp_path):
    """An LMDB without entries finds nothing."""
    carry_out(tmp_path / "empty", [])
    pages = Pages(tmp_path / "empty")
    assert pages.n_entries == 0
    assert list(pages.walk()) == list(pages.sample(5)) == pages.neighbours(b"x") == []
    assert pages.find(b"x") is None


@pytest.mark.parametrize("n", [1, 7, 100, 3999, 4000, 5000])
def test_sample_is_spread_over_the_keys(folder, n):
    """A sample has about the requested number of records, each once, from all over the store."""
    pages = Pages(folder)
    found = [key for key, _ in pages.sample(n)]
    assert len(set(found)) == len(found)
    assert found == sorted(found)
    assert min(n, 4000) <= len(found) <= max(2 * n, 4000 * (n > 1000))
    if n >= 100:
        positions = [int(key[-5:]) for key in found]
        assert max(b - a for a, b in pairwise(positions)) < 400
        assert {p % 7 for p in positions} == set(range(7))
    for key, place in pages.sample(n):
        assert bytes_at(pages, place).startswith(key)


def test_neighbours_are_keys_near_by(folder):
    """The neighbours of a missing key sort next to it."""
    near = Pages(folder).neighbours(b"patch_02000x")
    assert b"patch_02000" in near or b"patch_02001" in near
    assert all(abs(int(key[-5:]) - 2000) < 200 for key in near)


def test_a_commit_is_noticed(folder):
    """A map notices a later commit, and keeps its own state."""
    pages = Pages(folder)
    before = dict(pages.walk())
    assert pages.current
    assert pages.fingerprint == Pages(folder).fingerprint
    with lmdb.open(str(folder), map_size=2**26) as env, env.begin(write=True) as txn:
        txn.put(b"new", b"value")
    assert not pages.current
    later = Pages(folder)
    assert later.fingerprint != pages.fingerprint
    assert later.n_entries == pages.n_entries + 1
    assert bytes_at(later, later.find(b"new")) == b"value"
    assert dict(pages.walk()) == before


def test_file_is_closed_with_the_last_reference(folder):
    """The file is closed when its map is released, even after an error."""

    def n_open():
        files = Path("/proc/self/fd")
        return len(list(files.iterdir())) if files.is_dir() else 0

    before = n_open()
    pages = Pages(folder)
    walk = pages.walk()
    next(walk)
    del pages, walk
    assert n_open() == before
    with (folder / "data.mdb").open("r+b") as file:
        file.truncate(100)
    with pytest.raises(StoreError):
        Pages(folder)
    assert n_open() == before


@pytest.mark.parametrize("page_bytes", [512, 8192, 32768])
def test_other_page_sizes_are_read(tmp_path, page_bytes):
    """The page size of the machine that wrote the file counts, not that of the reading machine."""
    base = tmp_path / "written"
    expected = carry_out(base, [(b"k%d" % i, 10) for i in range(3)])
    data = (base / "data.mdb").read_bytes()
    (root,) = struct.unpack_from("<Q", data, 16 + 24 + 48 + 40 + PAGE)
    leaf = bytearray(data[root * PAGE : (root + 1) * PAGE])
    # The same leaf as page 2 of a file with another page size: its contents move down or up by
    # the difference, since they are written from the page's end.
    lower, upper = struct.unpack_from("<HH", leaf, 12)
    shift = page_bytes - PAGE
    content = bytes(leaf[upper:])
    pointers = struct.unpack_from(f"<{(lower - 16) // 2}H", leaf, 16)
    page = struct.pack("<QHHHH", 2, 0, 2, lower, upper + shift)
    page += b"".join(struct.pack("<H", pointer + shift) for pointer in pointers)
    page = page.ljust(upper + shift, b"\0") + content
    metas = b""
    for number in (0, 1):
        meta = bytearray(data[number * PAGE : number * PAGE + 16 + 24 + 96 + 16])
        struct.pack_into("<Q", meta, 0, number)
        struct.pack_into("<I", meta, 16 + 24, page_bytes)
        struct.pack_into("<Q", meta, 16 + 24 + 48 + 40, 2)
        metas += bytes(meta).ljust(page_bytes, b"\0")
    (base / "data.mdb").write_bytes(metas + page)
    pages = Pages(base)
    assert {key: bytes_at(pages, place) for key, place in pages.walk()} == expected


def test_the_other_meta_page_serves_if_one_is_torn(folder):
    """If the first or second meta page has no magic number, the state of the other one is used."""
    path = folder / "data.mdb"
    whole = path.read_bytes()
    transactions = [struct.unpack_from("<Q", whole, n * PAGE + 16 + 24 + 96 + 8)[0] for n in (0, 1)]
    for torn, kept in ((0, 1), (1, 0)):
        damaged = bytearray(whole)
        damaged[torn * PAGE + 16] ^= 0xFF
        path.write_bytes(damaged)
        assert Pages(folder).state.transaction == transactions[kept]


def test_newer_format_is_refused_with_a_way_out(tmp_path):
    """An LMDB of another data format is refused, and the hint says how to copy it."""
    carry_out(tmp_path / "lmdb", [(b"a", 5)])
    path = tmp_path / "lmdb" / "data.mdb"
    data = bytearray(path.read_bytes())
    for number in (0, 1):
        struct.pack_into("<I", data, number * PAGE + 20, 3)
    path.write_bytes(data)
    with pytest.raises(StoreError, match="mdb_dump"):
        Pages(tmp_path / "lmdb")


def test_file_cut_short_is_an_error_or_reads_right(folder):
    """Wherever the file ends, each key gives its value or an error, and nothing crashes."""
    path = folder / "data.mdb"
    whole = path.read_bytes()
    n_errors = 0
    for n_pages in range(2, len(whole) // PAGE, 97):
        path.write_bytes(whole[: n_pages * PAGE + 100])
        try:
            pages = Pages(folder)
            for key, place in pages.walk():
                assert bytes_at(pages, place) == value_of(key, 30 + int(key[-5:]) % 7 * 900)
        except StoreError as error:
            n_errors += 1
            assert "data.mdb" in str(error)  # noqa: PT017 - some lengths are not an error
    assert n_errors > 3


@given(st.data())
@settings(max_examples=200)
def test_damaged_pages_never_crash(tmp_path_factory, data):
    """Whichever byte of the tree is changed, reading ends with places in the file or errors."""
    folder = tmp_path_factory.getbasetemp() / "damaged"
    if not folder.exists():
        carry_out(folder, [(b"patch_%04d" % i, 30 + i % 3 * 3000) for i in range(300)])
        (folder / "whole").write_bytes((folder / "data.mdb").read_bytes())
    whole = bytearray((folder / "whole").read_bytes())
    n_pages = len(whole) // PAGE
    tree = [
        n for n in range(n_pages) if n < 2 or struct.unpack_from("<QHH", whole, n * PAGE)[0] == n
    ]
    for _ in range(data.draw(st.integers(1, 3))):
        page = data.draw(st.sampled_from(tree))
        place = page * PAGE + data.draw(st.integers(0, 200) | st.integers(0, PAGE - 1))
        whole[place] = data.draw(st.integers(0, 255))
    (folder / "data.mdb").write_bytes(whole)
    try:
        pages = Pages(folder)
        for _, (start, stop) in pages.walk():
            assert 0 <= start <= stop <= len(whole)
        for index in (None, pages._indexed()):
            pages._index = index
            for i in range(0, 300, 7):
                place = pages.find(b"patch_%04d" % i)
                assert place is None or place[1] <= len(whole)
        list(pages.sample(20))
    except StoreError as error:
        assert "data.mdb" in str(error)  # noqa: PT017 - some changes do no harm


@pytest.mark.parametrize("indexed", [True, False])
def test_a_key_that_begins_another_is_not_taken_for_it(tmp_path, indexed):
    """A prefix of a stored key, such as X of X_reference_map, does not find that key's record."""
    names = [b"S2A_patch_%04d_reference_map_of_many_bytes" % i for i in range(200)]
    short = [name[:-9] for name in names[::2]]
    stored = {name: value_of(name, 50) for name in [*names, *short]}
    carry_out(tmp_path / "p", [(name, 50) for name in stored])
    pages = Pages(tmp_path / "p")
    pages._index = pages._indexed() if indexed else None
    pages._n_searches = 0 if indexed else -(10**9)
    for name in names:
        # The index places keys by hash: of a dozen prefixes of each key, some meet the longer one.
        for n in range(1, len(name) + 1):
            place = pages.find(name[:n])
            assert (place and bytes_at(pages, place)) == stored.get(name[:n]), name[:n]
