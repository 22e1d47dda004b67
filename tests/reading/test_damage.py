"""Reading a store with damaged keys, nodes or pages returns records or raises a RicoError."""

from __future__ import annotations

import pickle
import shutil
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import lmdb
import pytest
from safetensors.numpy import save

import rico_hdl
from rico_hdl.checking.inspection import inspect
from rico_hdl.checking.verification import verify
from rico_hdl.errors import RicoError, StoreError
from rico_hdl.store import Pages
from tests.support.running import run
from tests.support.stores import numbered
from tests.support.structured import PAGE, flips_of, pages_of, structured_store


@pytest.fixture(scope="module")
def pristine(tmp_path_factory) -> Path:
    """A small store that tests must not change."""
    return structured_store(tmp_path_factory.mktemp("pristine") / "store")


def flip_bytes(data: bytearray, chance: Random) -> None:
    """Change random bytes of the structure."""
    flips = flips_of(bytes(data))
    for _ in range(chance.choice([1, 1, 3])):
        offset, bit = chance.choice(flips[chance.choice(["meta", "branch", "leaf", "overflow"])])
        data[offset] = chance.choice([data[offset] ^ 1 << bit, 0, 255, chance.randrange(256)])


def change_node(data: bytearray, chance: Random) -> None:
    """Damage a key, the length of a key or of a record, or the order of keys."""
    pages = pages_of(bytes(data))
    base = chance.choice(pages["leaf"] + pages["branch"] * 3) * PAGE
    _, _, _, lower, _ = struct.unpack_from("<QHHHH", data, base)
    nodes = [node for (node,) in struct.iter_unpack("<H", data[base + 16 : base + lower])]
    node = chance.choice(nodes)
    (n_key,) = struct.unpack_from("<H", data, base + node + 6)
    what = chance.choice(["key", "length", "order", "size"])
    if what == "key":
        for _ in range(3):
            place = base + node + 8 + chance.randrange(max(1, n_key))
            data[place] = chance.choice([0x80, 0xFF, 0xC3, 0])
    elif what == "length":
        lengths = [0, 1, max(0, n_key - 1), 511, 512, 60_000]
        struct.pack_into("<H", data, base + node + 6, chance.choice(lengths))
    elif what == "order":
        i, j = chance.randrange(len(nodes)), chance.randrange(len(nodes))
        struct.pack_into("<H", data, base + 16 + 2 * i, nodes[j])
        if chance.random() < 0.5:  # else a key would occur twice
            struct.pack_into("<H", data, base + 16 + 2 * j, nodes[i])
    else:
        field = base + node + chance.choice([0, 2, 4])
        struct.pack_into("<H", data, field, chance.choice([0, 1, 0xFFFF, chance.randrange(65536)]))


def ways_to_read(folder: Path, names: list[str]) -> Iterator[Callable[[], object]]:
    """Calls of every public read method of a store."""
    with rico_hdl.open(folder) as store:
        yield lambda: len(store)
        yield lambda: list(store)
        yield lambda: (list(store.keys()), repr(store.keys()), pickle.dumps(store.keys()))
        for name in [*names[::9], "nothing", "", "é"]:
            yield lambda name=name: store[name]
            yield lambda name=name: store.read(name)
            yield lambda name=name: (name in store, store.get(name))
        yield lambda: [name in store for name in names]
        yield lambda: (store.dataset, store.modalities, store.bands(), store.presets())
        yield lambda: (list(store.values()), list(store.items()))
        yield lambda: [list(store.keys(modality)) for modality in store.modalities]
        yield lambda: store.read_batch(names, on_size="pad+crop")
        yield lambda: store.read_batch(store.keys(), on_size="pad+crop")
        yield lambda: store.read_batch(store.locate(names[:9]), on_size="pad+crop")
        yield lambda: list(store.batches(batch_size=9, on_size="keep"))
        yield store.deviating
    yield lambda: inspect(folder)
    yield lambda: verify(folder, n_workers=1)


def check(pristine: Path, folder: Path, chance: Random) -> int:
    """Damage a copy of a store, call every read method, and return the number of errors."""
    shutil.copytree(pristine, folder)
    names = [key.decode() for key, _ in Pages(folder).walk()]
    data = bytearray((folder / "data.mdb").read_bytes())
    chance.choice([flip_bytes, change_node, change_node])(data, chance)
    (folder / "data.mdb").write_bytes(data)
    for name in ("rico-hdl.json", "rico-hdl.journal"):
        if chance.random() < 0.5:
            (folder / name).unlink()
    errors = []
    for read in ways_to_read(folder, names):
        try:
            read()
        except RicoError as error:
            errors.append(str(error))
    assert all(str(folder) in error for error in errors)
    shutil.rmtree(folder)
    return len(errors)


def test_damaged_structure_ends_in_errors_of_rico_hdl(pristine, tmp_path):
    """Reading a damaged store returns records or raises an error that names the store."""
    chance = Random(3)
    errors = [check(pristine, tmp_path / str(i), chance) for i in range(40)]
    assert sum(n > 3 for n in errors) > 10


@pytest.mark.fuzz
def test_fresh_damage_ends_in_errors_of_rico_hdl(pristine, tmp_path, rounds, seed):
    """Damage that differs in each round has the same outcome."""
    for i in rounds(300):
        check(pristine, tmp_path / str(i), Random(seed + i))


def test_a_key_that_is_not_utf8_is_named(tmp_path):
    """A key that is not UTF-8 is a finding, and an error only if keys are listed."""
    value = save({"A": numbered(1, 1, (4, 4))})
    with lmdb.open(str(tmp_path), map_size=2**24) as env, env.begin(write=True) as txn:
        for key in (b"good", b"bad\xff"):
            txn.put(key, value)
    store = rico_hdl.open(tmp_path)
    for listed in (store.keys, lambda: list(store), lambda: list(store.values())):
        with pytest.raises(StoreError, match=r"b'bad\\xff' is not UTF-8") as caught:
            listed()
        assert str(tmp_path) in caught.value.message
    assert (store["good"]["A"] == numbered(1, 1, (4, 4))).all()
    assert "bax" not in store
    (finding,) = verify(tmp_path).findings
    assert (finding.kind, finding.key) == ("damaged", "bad\ufffd")
    assert run("verify", tmp_path).returncode == 1
    assert run("info", tmp_path).returncode == 0
