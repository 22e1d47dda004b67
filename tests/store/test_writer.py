"""The writer and the manifest on their own."""

from __future__ import annotations

from zlib import crc32

import lmdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rico_hdl.errors import StoreError
from rico_hdl.store import Manifest, Pages, StoreWriter, digest, growth
from rico_hdl.values import Origin, Record
from tests.support.reading import records


def record(key, value):
    """A record of no modality."""
    return Record(key, Origin("", ""), value, digest.record_digest(key, value), (), constant=False)


def put_all(target, items, **options):
    """Write these records in this order."""
    with StoreWriter(target, **options) as store:
        for key, value in items:
            store.put(record(key, value))


@pytest.mark.parametrize("order", ["sorted", "reversed", "shuffled"])
@pytest.mark.parametrize("size", [30, 900, 2100, 70_000])
def test_values_come_back_in_any_order_and_size(tmp_path, order, size):
    """Values smaller and larger than a page are kept, in any order and over many transactions."""
    n = 30_000_000 // 70_000 if size == 70_000 else 5_000
    items = {f"key-{i:06}".encode(): i.to_bytes(4, "little") * (size // 4) for i in range(n)}
    keys = sorted(items, reverse=order == "reversed")
    if order == "shuffled":
        keys.sort(key=crc32)
    put_all(tmp_path, [(key, items[key]) for key in keys], commit_bytes=200_000)
    assert records(tmp_path) == {key.decode(): items[key] for key in sorted(items)}


def test_map_grows_step_by_step(tmp_path, monkeypatch):
    """A store of many times the first map's size is written with increasingly large maps."""
    monkeypatch.setattr(growth, "FIRST_MAP_BYTES", 2**20)
    n, value = 300, bytes(200_000)
    with StoreWriter(tmp_path, commit_bytes=500_000) as store:
        maps = set()
        for i in range(n):
            store.put(record(f"{i:04}".encode(), value))
            maps.add(store._map_bytes)
    assert len(records(tmp_path)) == n
    assert len(maps) > 5
    assert max(maps) < 2 * n * len(value)
    # Readers that request a small map get one that is large enough.
    with lmdb.open(str(tmp_path), map_size=4096, readonly=True, lock=False) as env:
        assert env.stat()["entries"] == n


def test_no_page_of_a_later_state_is_reused_once_the_map_has_grown(tmp_path, monkeypatch):
    """A state that was committed after the map grew stays intact, whatever is replaced later."""
    monkeypatch.setattr(growth, "FIRST_MAP_BYTES", 16 * 2**20)
    numbers = range(100)
    with StoreWriter(tmp_path, commit_bytes=100_000) as store:
        before = store._map_bytes
        for i in numbers:
            store.put(record(b"%03d" % i, bytes([i]) * 30_000))
        version = 0
        while store._map_bytes == before:
            version += 1
            for i in numbers[:20]:
                value = bytes([i, version % 256]) * 15_000
                store.replace(record(b"%03d" % i, value), Origin("a", "/x"))
            store.commit()
        pages = Pages(tmp_path)
        there = [(key, pages.data[slice(*place)]) for key, place in pages.walk()]
        grown, n = store._map_bytes, 0
        while store._map_bytes == grown and n < 2000:  # until all free pages are taken
            value = bytes([n % 251, 255]) * 15_000
            store.replace(record(b"%03d" % (n % 100), value), Origin("a", "/x"))
            store.commit()
            n += 1
        assert n > 500
        pages._branches.clear()  # read from the file again
        assert [(key, pages.data[slice(*place)]) for key, place in pages.walk()] == there


def test_one_value_larger_than_map_and_transaction(tmp_path, monkeypatch):
    """A value may be larger than a transaction's usual size and than the whole map."""
    monkeypatch.setattr(growth, "FIRST_MAP_BYTES", 2**20)
    value = bytes(range(256)) * 200_000
    put_all(tmp_path, [(b"a", b"1"), (b"b", value), (b"c", b"3")], commit_bytes=1000)
    assert records(tmp_path) == {"a": b"1", "b": value, "c": b"3"}


def test_a_key_that_is_there_is_never_overwritten(tmp_path):
    """A second put with the same key is an error, and the first value stays."""
    with StoreWriter(tmp_path) as store:
        store.put(record(b"a", b"first"))
        store.put(record(b"c", b"third"))
        assert b"a" in store
        assert b"b" not in store
        for key in (b"a", b"c"):
            with pytest.raises(StoreError, match="already has key"):
                store.put(record(key, b"other"))
    assert records(tmp_path) == {"a": b"first", "c": b"third"}


def test_leaving_with_an_error_keeps_earlier_records(tmp_path):
    """An exception in the writer's context commits the records that were put."""
    with pytest.raises(ZeroDivisionError), StoreWriter(tmp_path) as store:
        store.put(record(b"a", b"1"))
        raise ZeroDivisionError
    assert records(tmp_path) == {"a": b"1"}


@given(
    st.dictionaries(st.binary(min_size=1, max_size=20), st.binary(max_size=50), max_size=8),
    st.randoms(use_true_random=False),
)
def test_digest_depends_on_content_alone(content, random):
    """The digest is the same for any order of the records, and differs for any other content."""
    items = list(content.items())
    random.shuffle(items)

    def total(pairs):
        result = 0
        for key, value in pairs:
            result = digest.add(result, digest.record_digest(key, value))
        return digest.to_text(result)

    expected = total(content.items())
    assert total(items) == expected
    assert digest.to_text(digest.from_text(expected)) == expected
    for i, (key, value) in enumerate(items):
        others = items[:i] + items[i + 1 :]
        assert total(others) != expected
        assert total([*others, (key, value + b"\0")]) != expected
        # If a byte moves from the value to the key, it is another record.
        if value:
            assert total([*others, (key + value[:1], value[1:])]) != expected


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"format": 1, "modalities": 3}', "\x00"])
def test_damaged_manifest_is_an_error_with_its_path(tmp_path, text):
    """A manifest that can't be read is never taken for a missing one."""
    (tmp_path / "rico-hdl.json").write_text(text)
    with pytest.raises(StoreError, match=r"rico-hdl\.json: the manifest is damaged"):
        Manifest.read(tmp_path)


def test_records_in_order_fill_pages_to_the_brim(tmp_path):
    """Records in the order of their keys take no more pages than their bytes need."""
    n, n_bytes = 1200, 700
    put_all(tmp_path, [(b"%05d" % i, bytes(n_bytes)) for i in range(n)], commit_bytes=100_000)
    with lmdb.open(str(tmp_path), readonly=True, lock=False) as env:
        stat = env.stat()
    node = 8 + 5 + n_bytes + 1 + 2  # node header, key, value padded to even, pointer
    per_page = (stat["psize"] - 16) // node
    assert stat["entries"] == n
    assert stat["leaf_pages"] <= -(-n // per_page) + 1
