"""The side-car rico-hdl.georef: what damage, kills and other processes do to it."""

from __future__ import annotations

import os
import random
import shutil
import struct
from pathlib import Path

import pytest

import corpus
import rico_hdl
from rico_hdl.datasets import get
from rico_hdl.decoding.geotags import FileTags, KeptTags, Learned, Tag, TagKeeper, kept, places_of
from rico_hdl.errors import StoreError
from rico_hdl.store import GEOREF_NAME
from rico_hdl.store.blocks import Gap
from rico_hdl.store.georef import GeorefBlock, GeorefEntry, append, scan
from rico_hdl.store.georef_writer import MAX_PENDING_BYTES, GeorefWriter
from tests.support.georef_files import entries

BIGEARTHNET = get("bigearthnet")


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Path:
    """A BigEarthNet that was converted in three runs, so that its side-car has three blocks."""
    root = tmp_path_factory.mktemp("georef")
    sources = corpus.generate(BIGEARTHNET, root / "source", 4)
    for name in ("s1", "s2", "reference-maps"):
        rico_hdl.convert(BIGEARTHNET, {name: sources[name]}, root / "store")
    return root / "store"


@pytest.fixture
def copy(store, tmp_path) -> Path:
    """A copy of this store that can be damaged."""
    shutil.copytree(store, tmp_path / "copy")
    return tmp_path / "copy"


def places(folder: Path) -> dict[str, object]:
    """Where each patch is, or the error."""
    found: dict[str, object] = {}
    with rico_hdl.open(folder) as opened:
        for key in opened:
            try:
                georef = opened.georef(key)
                found[key] = (georef.crs, georef.transform, georef.nodata, georef.time)
            except StoreError as error:
                found[key] = error.message
    return found


def test_every_flipped_bit_costs_its_own_block_alone(store, copy):
    """A flipped bit makes the entries of its block unknown; no patch is ever at a wrong place."""
    whole = places(store)
    path = copy / GEOREF_NAME
    data = path.read_bytes()
    blocks = [block.keys for block in scan(store) if isinstance(block, GeorefBlock)]
    assert [len(keys) for keys in blocks] == [4, 4, 4]
    chance = random.Random(1)
    for at in range(len(data)):
        damaged = bytearray(data)
        damaged[at] ^= 1 << chance.randrange(8)
        path.write_bytes(damaged)
        lost = [part for part in scan(copy) if isinstance(part, Gap)]
        assert len(lost) == 1
        kept_keys = [part.keys for part in scan(copy) if isinstance(part, GeorefBlock)]
        assert len(kept_keys) == 2
        if at % 40:
            continue
        known = {key.decode() for keys in kept_keys for key in keys}
        for key, place in places(copy).items():
            expected = whole[key] if key in known else f"nothing is noted about patch {key!r}"
            assert place == expected or str(place).endswith("damaged in 1 places"), (at, key)


@pytest.mark.parametrize("cut", [0, 1, 5, 30, -1, -20])
def test_a_damaged_side_car_endangers_nothing(store, copy, cut):
    """Cut short or gone, it is made again from the sources, and the store is as it was."""
    path = copy / GEOREF_NAME
    data = path.read_bytes()
    path.write_bytes(data[:cut])
    if not cut:
        path.unlink()
    before = {name: (copy / name).read_bytes() for name in ("data.mdb", "rico-hdl.journal")}
    assert rico_hdl.verify(copy).findings == []
    n_known = len(entries(copy))
    summary = rico_hdl.keep_georeferencing(copy)
    assert (summary.n_noted, summary.n_unknown, summary.failures) == (12 - n_known, 0, [])
    assert entries(copy) == entries(store)
    assert places(copy) == places(store)
    assert before == {name: (copy / name).read_bytes() for name in before}
    assert rico_hdl.keep_georeferencing(copy).n_noted == 0


def test_a_block_in_the_middle_is_made_again(store, copy):
    """Entries behind a damaged block stay, and those that are lost are read again."""
    path = copy / GEOREF_NAME
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    summary = rico_hdl.keep_georeferencing(copy)
    assert (summary.n_noted, summary.n_unknown) == (4, 0)
    assert entries(copy) == entries(store)


def test_a_conversion_continues_a_damaged_side_car(store, copy):
    """A conversion cuts off the end of a torn block, and appends."""
    path = copy / GEOREF_NAME
    with path.open("ab") as file:
        file.write(path.read_bytes()[:33])
    source = rico_hdl.inspect(copy).modalities["s1"].sources[0]
    rico_hdl.convert(BIGEARTHNET, {"s1": source}, copy)
    assert path.read_bytes() == (store / GEOREF_NAME).read_bytes()


def test_overwriting_forgets_the_side_car(store, copy):
    """--overwrite leaves no entry of the earlier store."""
    source = rico_hdl.inspect(copy).modalities["s1"].sources[0]
    rico_hdl.convert(BIGEARTHNET, {"s1": source}, copy, overwrite=True)
    assert [part.keys for part in scan(copy)] == [
        part.keys for part in scan(store) if part.keys[0].startswith(b"S1")
    ]


def test_two_processes_do_not_write_at_once(copy):
    """While one process writes the side-car, conversions and rico-hdl georef are refused."""
    source = rico_hdl.inspect(copy).modalities["s1"].sources[0]
    writer = GeorefWriter(copy)
    for call in (
        lambda: rico_hdl.convert(BIGEARTHNET, {"s1": source}, copy),
        lambda: rico_hdl.keep_georeferencing(copy),
    ):
        with pytest.raises(StoreError, match="is writing there"):
            call()
    writer.close()
    assert rico_hdl.convert(BIGEARTHNET, {"s1": source}, copy).complete


def test_sizes_in_bigearthnet(tmp_path):
    """In BigEarthNet, it takes at most 40 bytes per patch."""
    sources = corpus.generate(BIGEARTHNET, tmp_path / "source", 100)
    for name, source in sources.items():
        rico_hdl.convert(BIGEARTHNET, {name: source}, tmp_path / name)
        assert (tmp_path / name / GEOREF_NAME).stat().st_size <= 40 * 100


def test_records_are_the_same_without_it(store, copy):
    """The side-car is no part of a store's content."""
    (copy / GEOREF_NAME).unlink()
    assert rico_hdl.verify(copy).content_digest == rico_hdl.verify(store).content_digest
    assert rico_hdl.verify(copy).findings == []


def entry(number: int, value: bytes, place: bytes = b"") -> GeorefEntry:
    """An entry with one file that has a text."""
    tags = [Tag(270, 2, len(value), value)]
    if place:
        tags.append(Tag(33922, 1, len(place), None))
    return GeorefEntry(b"%d" % number, KeptTags((FileTags(tuple(tags)),), place, len(value)))


def test_large_metadata_is_written_early(tmp_path, monkeypatch):
    """Tags that differ from patch to patch don't pile up until a transaction ends."""
    del monkeypatch
    writer = GeorefWriter(tmp_path)
    sizes = []
    for number in range(20):
        one = entry(number, os.urandom(2**20))
        writer.note_tags(one.key, one.tags, None)
        sizes.append((tmp_path / GEOREF_NAME).stat().st_size if number > 8 else 0)
        assert writer._n_pending_bytes <= MAX_PENDING_BYTES + 2**20
    assert max(sizes) > 0
    writer.write()
    writer.close()
    found = [key for part in scan(tmp_path) for key in part.keys]
    assert found == [b"%d" % number for number in range(20)]


def test_entries_come_back_as_they_were(tmp_path):
    """Any keys, tags, places and times come back."""
    chance = random.Random(3)
    noted = [
        entry(i, chance.randbytes(chance.randrange(9)), chance.randbytes(chance.randrange(50)))
        for i in range(50)
    ]
    noted = [
        e._replace(time=chance.choice([e.time, i * 10**9 - 10**10])) for i, e in enumerate(noted)
    ]
    with (tmp_path / GEOREF_NAME).open("ab", buffering=0) as file:
        append(file, noted[:20])
        append(file, noted[20:])
    found = []
    for part in scan(tmp_path):
        for i, key in enumerate(part.keys):
            kept_tags = part.tags(i)
            files = [file.tags for file in kept_tags.files]
            found.append((key, files, kept_tags.places, part.times[i]))
    assert found == [
        (e.key, [file.tags for file in e.tags.files], e.tags.places, e.time) for e in noted
    ]


def test_values_of_several_files():
    """Values that files share are stored once; otherwise, each file has its own."""
    learned = Learned()
    keepers = [TagKeeper(learned) for _ in range(3)]
    with_scale = [Tag(33550, 12, 3, b"s" * 24), Tag(33922, 12, 6, None)]
    one, other = FileTags(tuple(with_scale)), FileTags(())
    assert len(keepers) == 3
    for pairs in (
        [(one, b"a" * 48)] * 3,
        [(one, b"a" * 48), (one, b"b" * 48)],
        [(one, b"a" * 48), (other, b"")],
        [(other, b"")],
        [(other, b"")] * 2,
    ):
        assert places_of(kept(pairs)) == [place for _, place in pairs]
    with pytest.raises(ValueError, match="expected 96"):
        places_of(KeptTags((one, one), b"c" * 50))


def test_other_tools_files_are_not_overwritten(tmp_path):
    """A file of another tool under the side-car's name is refused before anything is written."""
    sources = corpus.generate(BIGEARTHNET, tmp_path / "source", 2)
    target = tmp_path / "target"
    target.mkdir()
    (target / GEOREF_NAME).write_text("notes of another tool, not rico-hdl's own")
    with pytest.raises(StoreError, match=f"{GEOREF_NAME} was not written by rico-hdl"):
        rico_hdl.convert(BIGEARTHNET, sources, target)
    assert [path.name for path in target.iterdir()] == [GEOREF_NAME]
    (target / GEOREF_NAME).unlink()
    (target / GEOREF_NAME).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StoreError, match="a symbolic link"):
        rico_hdl.convert(BIGEARTHNET, sources, target)
    assert not (tmp_path / "elsewhere").exists()


def test_files_that_grow_are_told_apart(tmp_path):
    """A file that was cut within its tags says less than a whole one with the same beginning."""
    del tmp_path
    values = struct.pack("<6d", 1, 2, 3, 4, 5, 6)
    head = b"II*\0" + struct.pack("<IH", 8, 1) + struct.pack("<HHII", 33922, 12, 6, 26) + bytes(4)
    keeper = TagKeeper(Learned())
    assert [tag.number for tag in keeper.keep(head)[0].tags] == []
    file, place = keeper.keep(head + values)
    assert [tag.number for tag in file.tags] == [33922]
    assert place == values
    assert [tag.number for tag in keeper.keep(head + values[:-1])[0].tags] == []
