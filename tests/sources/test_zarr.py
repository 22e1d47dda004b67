"""Zipped Zarr stores: reading agrees with the zarr library, or raises an error."""

import json
import math
import random
import tracemalloc
import zipfile
from concurrent.futures import ThreadPoolExecutor
from itertools import product

import lmdb
import numcodecs
import numpy as np
import pytest
import safetensors.numpy
import zarr
from zarr.storage import ZipStore

import corpus
from rico_hdl import convert
from rico_hdl.checking.comparison import compare_with_sources
from rico_hdl.datasets import registry
from rico_hdl.decoding.gdal import GdalDecoder
from rico_hdl.errors import ArchiveError, SourceError, SpecError
from rico_hdl.sources import blocks
from rico_hdl.sources.zarr import archive as zarr_module
from rico_hdl.sources.zarr import array as zarr_array
from rico_hdl.sources.zarr import files as zarr_files
from rico_hdl.sources.zarr.archive import ZarrArchive
from rico_hdl.spec import Arrays, Axis, Template
from rico_hdl.testing.zarrs import Storage, write_store
from tests.support.reading import records
from tests.support.zarr_files import (
    BANDS,
    SAMPLES,
    band_of,
    cube_of,
    found,
    judged,
    little,
    open_store,
    outcome,
    write,
)

SPEC = registry()["ssl4eo-s12-v1.1"]
BLOSC = {"id": "blosc", "cname": "lz4", "clevel": 5, "shuffle": 1, "blocksize": 0}
COMPRESSORS = [
    None,
    BLOSC,
    BLOSC | {"cname": "zstd", "shuffle": 2},
    BLOSC | {"cname": "lz4hc", "shuffle": 0, "blocksize": 64},
    BLOSC | {"cname": "blosclz"},
    BLOSC | {"cname": "zlib"},
    {"id": "zstd", "level": 3},
    {"id": "lz4", "acceleration": 1},
    {"id": "zlib", "level": 1},
    {"id": "gzip", "level": 1},
    {"id": "bz2", "level": 1},
    {"id": "lzma", "preset": 1},
]
CHUNKS = [
    (1, 1, 3, 6, 7),  # a member
    (5, 1, 3, 6, 7),  # all samples at one time
    (1, 4, 3, 6, 7),  # all times of one sample
    (5, 4, 3, 6, 7),  # everything
    (1, 1, 1, 6, 7),  # a band
    (2, 3, 2, 4, 3),  # nothing fits anything
    (8, 8, 8, 8, 8),  # larger than the array
]


def compressor_id(compressor):
    """The name of a compressor in test ids."""
    return "none" if compressor is None else f"{compressor['id']}-{compressor.get('cname', '')}"


@pytest.fixture(params=[0, 2**25], ids=["in parts", "whole"])
def unpacked_bytes(request, monkeypatch):
    """Lower the size above which chunks are decompressed only in part."""
    monkeypatch.setattr(zarr_module, "UNPACKED_BYTES", request.param)
    return request.param


@pytest.mark.usefixtures("unpacked_bytes")
@pytest.mark.parametrize("chunks", CHUNKS, ids=str)
@pytest.mark.parametrize("compressor", COMPRESSORS, ids=compressor_id)
def test_any_store_is_read_as_by_the_zarr_library(tmp_path, chunks, compressor):
    """Chunks, compressor, pixel order, separator and byte order don't affect the pixels."""
    for order, separator, byte_order in ("C.<", "C/>", "F/<", ("F", None, ">")):
        storage = Storage(
            chunks=chunks,
            compressor=compressor,
            order=order,
            separator=separator,
            byte_order=byte_order,
        )
        path = write(tmp_path / "store.zarr.zip", storage=storage)
        expected = judged(path)
        assert len(expected) == 60
        assert expected["0080717/2/vh.npy"] == little(cube_of()[0, 2, 1])
        assert found(path) == expected


@pytest.mark.parametrize(
    "dtype",
    ["bool", "int8", "uint8", "int16", "uint16", "float16", "int32", "float32", "int64", "float64"],
)
def test_every_dtype_is_kept(tmp_path, dtype):
    """Values of any dtype keep every bit, including NaN payloads and negative zeros."""
    dtype_of_pixels = "uint8" if dtype == "bool" else dtype
    cube = cube_of((2, 2, 3, 5, 4), dtype_of_pixels)
    cube = cube > 100 if dtype == "bool" else cube
    path = write(tmp_path / "store.zarr.zip", cube, Storage(chunks=(1, 2, 3, 5, 4)))
    assert found(path) == judged(path)
    assert found(path)["0060573/1/B8A.npy"] == little(cube[1, 1, 2])


@pytest.mark.parametrize("text", ["U", "S", "O"])
@pytest.mark.parametrize("compressor", [None, BLOSC], ids=compressor_id)
def test_names_may_be_any_kind_of_text(tmp_path, text, compressor):
    """Names of samples and bands are read as the zarr library reads them."""
    path = tmp_path / "store.zarr.zip"
    write(path, storage=Storage(text=text, compressor=compressor, consolidated=text == "U"))
    assert found(path) == judged(path)
    assert found(path)["0012333/3/vh.npy"] == little(cube_of()[3, 3, 1])


def test_a_store_that_the_zarr_library_wrote_is_read(tmp_path):
    """Stores written by the zarr library, with text of variable length or not, are read."""
    cube = cube_of()
    for number, words in enumerate([np.array, lambda w: np.array(w, np.dtypes.StringDType())]):
        path = tmp_path / f"{number}.zarr.zip"
        with ZipStore(path, mode="w") as store:
            group = zarr.create_group(store, zarr_format=2)
            attributes = {"_ARRAY_DIMENSIONS": ["sample", "time", "band", "y", "x"]}
            chunks = {"chunks": (5, 1, 3, 6, 7)}
            group.create_array("bands", data=cube, attributes=attributes, **chunks)
            group.create_array("sample", data=words(SAMPLES))
            group.create_array("band", data=words(BANDS))
        assert found(path) == judged(path)
        assert found(path)["0179869/3/B8A.npy"] == little(cube[2, 3, 2])


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_the_zip_file_may_be_compressed(tmp_path, compression):
    """Members of the zip file may be stored or deflated."""
    path = write(tmp_path / "store.zarr.zip", storage=Storage(compression=compression))
    assert found(path) == judged(path)


def test_members_that_share_a_chunk_follow_each_other(tmp_path):
    """Members come chunk by chunk, each once, and the last one ends at the end of the file."""
    storage = Storage(chunks=(2, 2, 3, 6, 7))
    path = write(tmp_path / "store.zarr.zip", cube_of((3, 4, 3, 6, 7)), storage)
    archive = open_store(path)
    assert archive.n_bytes_read == 0
    paths, n_bytes = [], []
    for member in archive.members():
        paths.append(member.path.removesuffix(".npy"))
        n_bytes.append(archive.n_bytes_read)
    a, b, c = SAMPLES[:3]
    patches = [
        *(f"{a}/0", f"{a}/1", f"{b}/0", f"{b}/1"),
        *(f"{a}/2", f"{a}/3", f"{b}/2", f"{b}/3"),
        *(f"{c}/0", f"{c}/1"),
        *(f"{c}/2", f"{c}/3"),
    ]
    assert paths == [f"{patch}/{band}" for patch in patches for band in BANDS]
    assert n_bytes == sorted(set(n_bytes))
    assert n_bytes[-1] == path.stat().st_size
    assert (archive.location, archive.files, archive.sequential) == (str(path), (path,), False)


@pytest.mark.parametrize("chunks", CHUNKS[:4], ids=str)
@pytest.mark.parametrize("kept_bytes", [1, 10**6])
@pytest.mark.usefixtures("unpacked_bytes")
def test_threads_read_at_once(tmp_path, monkeypatch, chunks, kept_bytes):
    """Eight threads read the same as one, whether one block is kept or all are."""
    monkeypatch.setattr(zarr_module, "KEPT_BYTES", kept_bytes)
    monkeypatch.setattr(blocks, "PATIENCE_SECONDS", 0)
    path = write(tmp_path / "store.zarr.zip", storage=Storage(chunks=chunks))
    members = list(open_store(path).members()) * 5
    random.Random(1).shuffle(members)
    with ThreadPoolExecutor(8) as pool:
        contents = list(pool.map(lambda member: band_of(member.read()), members))
    expected = judged(path)
    assert contents == [expected[member.path] for member in members]


@pytest.fixture
def n_decoded(monkeypatch):
    """A list that grows by one entry for each decompressed chunk of pixels."""
    calls = []
    decompress = zarr_array.decompress

    def counted(codec, data, limit):
        if limit != zarr_array.MAX_TEXT_BYTES:
            calls.append(limit)
        return decompress(codec, data, limit)

    monkeypatch.setattr(zarr_array, "decompress", counted)
    return calls


@pytest.mark.parametrize(
    ("chunks", "n_chunks"), list(zip(CHUNKS, (20, 4, 5, 1, 60, 72, 1), strict=True))
)
def test_each_chunk_is_decoded_once(tmp_path, n_decoded, chunks, n_chunks):
    """A chunk is decoded once, however many members and threads need it."""
    path = write(tmp_path / "store.zarr.zip", storage=Storage(chunks=chunks))
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda member: member.read(), open_store(path).members()))
    assert len(n_decoded) == n_chunks


@pytest.fixture
def large(tmp_path):
    """A store of six blocks of noise, which hardly compresses; the bytes of a block; the path."""
    shape = (16, 6, 4, 128, 128)
    path = tmp_path / "large.zarr.zip"
    write_store(path, cube_of(shape), [f"{i:07}" for i in range(16)], list("abcd"))
    return path, math.prod(shape) * 2 // 6


def peak_of(members):
    """The peak memory of reading some members."""
    tracemalloc.start()
    for member in members:
        member.read()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak


@pytest.mark.usefixtures("unpacked_bytes")
def test_memory_is_bounded(large, monkeypatch):
    """A block is dropped once its members are read, or when the memory limit is reached."""
    path, block = large
    monkeypatch.setattr(zarr_module, "KEPT_BYTES", 2 * block)
    monkeypatch.setattr(zarr_module, "BEGUN_BYTES", block // 8)
    members = list(open_store(path).members())
    # A block, what it was compressed to or was read from, and the members of one place.
    assert peak_of(members) < 2.5 * block
    # Members that are passed over keep their block waiting until others need the room.
    assert peak_of(members[::8]) < 4.5 * block


def test_large_chunks_are_decompressed_in_parts(large, monkeypatch):
    """A blosc chunk above a size is decompressed only where it is read."""
    path, block = large
    monkeypatch.setattr(zarr_module, "UNPACKED_BYTES", block - 1)
    members = list(open_store(path).members())
    with monkeypatch.context() as patched:
        patched.delattr(zarr_array, "decompress")  # decompresses whole chunks
        contents = {member.path: band_of(member.read()) for member in members}
    assert contents == judged(path)


def test_large_chunks_of_other_kinds_are_read_whole(tmp_path, monkeypatch):
    """Chunks above that size are read whole if their codec can't decompress parts."""
    monkeypatch.setattr(zarr_module, "UNPACKED_BYTES", 0)
    for i, storage in enumerate(
        [
            Storage(compressor={"id": "zstd", "level": 1}),
            Storage(order="F"),
            Storage(chunks=(5, 1, 2, 6, 7)),
            Storage(fill_value=7, without={(0, 1, 0, 0, 0)}),
        ]
    ):
        path = write(tmp_path / f"{i}.zarr.zip", storage=storage)
        assert found(path) == judged(path)


@pytest.mark.usefixtures("unpacked_bytes")
def test_chunks_that_are_missing_hold_the_fill_value(tmp_path):
    """A missing chunk holds the fill value, as in the zarr library."""
    fillings = [("int16", 0), ("int16", -9999), ("float16", "NaN"), ("float16", "-Infinity")]
    fillings += [("float16", 0.5), ("float32", 1e-3), ("uint8", 255), ("float16", 3)]
    for dtype, fill_value in fillings:
        without = {(0, 1, 0, 0, 0), (2, 3, 1, 0, 0)}
        storage = Storage(chunks=(2, 1, 2, 6, 7), fill_value=fill_value, without=without)
        cube = cube_of(dtype=dtype)
        path = write(tmp_path / "store.zarr.zip", cube, storage)
        contents = found(path)
        assert contents == judged(path)
        dtype_name, shape, data = contents["0060573/1/vv.npy"]
        (value,) = set(np.frombuffer(data, dtype_name).astype(str))
        assert value == str(np.dtype(dtype).type(float(fill_value)))
        assert shape == (6, 7)
        assert contents["0060573/0/vv.npy"] == little(cube[1, 0, 0])


def test_a_chunk_without_fill_value_must_be_there(tmp_path):
    """Without a fill value, only the members of a missing chunk fail."""
    storage = Storage(chunks=(2, 1, 3, 6, 7), without={(0, 1, 0, 0, 0)})
    path = write(tmp_path / "store.zarr.zip", storage=storage)
    whole = judged(write(tmp_path / "whole.zarr.zip"))
    contents, reasons, damage = outcome(path)
    gone = {f"{sample}/1/{band}.npy" for sample in SAMPLES[:2] for band in BANDS}
    assert reasons.keys() == gone
    assert {"bands/0.1.0.0.0 is missing, and the array has no fill value"} == {*reasons.values()}
    assert contents == {name: band for name, band in whole.items() if name not in gone}
    assert damage == ""


def flipped(data, position, bit):
    """The bytes with one bit changed."""
    changed = bytearray(data)
    changed[position] ^= 1 << bit
    return bytes(changed)


@pytest.mark.usefixtures("unpacked_bytes")
@pytest.mark.parametrize("fill_value", [None, 0])
def test_a_flipped_bit_is_noticed_or_harmless(tmp_path, fill_value):
    """No flipped bit of headers, names, directory or pixels changes or loses pixels silently."""
    storage = Storage(chunks=(1, 1, 1, 3, 4), fill_value=fill_value)
    path = write(tmp_path / "store.zarr.zip", cube_of((2, 2, 2, 3, 4)), storage)
    whole, data = judged(path), path.read_bytes()
    chance = random.Random(0)
    directory = data.index(b"PK\1\2")
    names = data.index(b"bands/0.0.0.0.0", directory)
    positions = chance.sample(range(len(data)), 200) + chance.sample(
        range(names - 46, data.index(b"center_lat", directory)), 400
    )
    n_reported = 0
    for position in positions:
        path.write_bytes(flipped(data, position, chance.randrange(8)))
        contents, reasons, damage = outcome(path)
        assert contents.items() <= whole.items()
        if contents != whole:
            assert damage or contents.keys() | reasons.keys() == whole.keys()
            n_reported += 1
    assert n_reported > 100


@pytest.mark.usefixtures("unpacked_bytes")
def test_a_truncated_store_gives_its_remaining_chunks(tmp_path):
    """After a truncated download, whole chunks are read; others are named, never filled."""
    storage = Storage(chunks=(5, 1, 3, 6, 7), fill_value=0)
    whole = judged(write(tmp_path / "store.zarr.zip", storage=storage))
    path = tmp_path / "store.zarr.zip"
    with zipfile.ZipFile(path) as file:
        files = [(info, file.read(info)) for info in file.infolist()]
    # Pixels last, so that the rest is there; in the published order little could be read.
    files.sort(key=lambda item: item[0].filename.startswith("bands/0"))
    with zipfile.ZipFile(path, "w") as file:
        for info, content in files:
            file.writestr(info.filename, content)
    with zipfile.ZipFile(path) as file:
        last = file.getinfo("bands/0.3.0.0.0").header_offset
    path.write_bytes(path.read_bytes()[: last + 100])
    contents, reasons, damage = outcome(path)
    assert contents == {name: band for name, band in whole.items() if "/3/" not in name}
    assert reasons.keys() == whole.keys() - contents.keys()
    assert {"bands/0.3.0.0.0 was not found: the archive is damaged"} == {*reasons.values()}
    assert "is cut short" in damage
    assert str(path) in damage


@pytest.mark.parametrize("share", [0, 0.02, 0.5, 0.97])
def test_a_store_cut_anywhere_is_an_error(tmp_path, share):
    """A store cut anywhere is an error, and members that are read are right."""
    path = write(tmp_path / "store.zarr.zip")
    whole, data = judged(path), path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    contents, _, damage = outcome(path)
    assert damage.startswith(str(path))
    assert contents.items() <= whole.items()


@pytest.mark.usefixtures("unpacked_bytes")
def test_duplicate_files_count_once(tmp_path):
    """If a file was written twice, the last one counts, as in the zarr library."""
    path = write(tmp_path / "store.zarr.zip", storage=Storage(chunks=(1, 1, 3, 6, 7)))
    with zipfile.ZipFile(path) as file:
        other = file.read("bands/1.1.0.0.0")
    with zipfile.ZipFile(path, "a") as file, pytest.warns(UserWarning, match="Duplicate name"):
        file.writestr("bands/0.0.0.0.0", other)
    contents = found(path)
    assert contents == judged(path)
    assert (
        contents["0080717/0/vh.npy"] == contents["0060573/1/vh.npy"] == little(cube_of()[1, 1, 1])
    )


def altered(path, name, change):
    """A store in which a function changes one JSON file."""
    with zipfile.ZipFile(path) as file:
        files = {info.filename: file.read(info) for info in file.infolist()}
    with zipfile.ZipFile(path, "w") as file:
        for other, content in files.items():
            if other == name:
                content = change(json.loads(content))  # noqa: PLW2901
            if content is not None:
                file.writestr(other, content if isinstance(content, bytes) else json.dumps(content))


WRONG_METADATA = [
    ("zarr_format", 3, "zarr_format 3, expected 2"),
    ("compressor", {"id": "pickle"}, "it is compressed by 'pickle', expected one of blosc"),
    ("compressor", {"id": ["blosc"]}, "it is compressed by"),
    ("compressor", "blosc", "its metadata can't be read"),
    ("filters", [{"id": "delta", "dtype": "<i2"}], "its filters are ['delta'], expected []"),
    ("filters", [{"id": "pickle"}], "its filters are ['pickle']"),
    ("filters", 3, "its metadata can't be read"),
    ("dtype", "<c8", "its dtype is '<c8'"),
    ("dtype", "|O", "its filters are []"),
    ("dtype", "<U7", "array bands has shape"),
    ("dtype", [["a", "<i2"]], "its dtype is [['a', '<i2']]"),
    ("chunks", [1, 1, 3, 6], "shape (5, 4, 3, 6, 7) in chunks of (1, 1, 3, 6)"),
    ("chunks", [1, 1, 3, 6, 0], "in chunks of (1, 1, 3, 6, 0)"),
    ("chunks", [1, 1, True, 6, 7], "in chunks of"),
    ("chunks", [2**40, 1, 3, 6, 7], "each of its chunks of"),
    ("chunks", None, "its metadata can't be read"),
    ("shape", [5, 4, 3, -6, 7], "shape (5, 4, 3, -6, 7)"),
    ("shape", [5, 4, 3, 6], "shape (5, 4, 3, 6)"),
    ("shape", [5, 4, 3, 60000, 70000], "have 126,000,000,000 bytes of pixels"),
    ("shape", [6, 4, 3, 6, 7], "array sample has 5 labels, but bands has 6"),
    ("shape", [5, 4, 2, 6, 7], "array band has 3 labels, but bands has 2"),
    ("order", "K", "order 'K'"),
    ("dimension_separator", "-", "separator '-'"),
    ("fill_value", 40000, "fill value 40000 in an array of <i2"),
    ("fill_value", "NaN", "fill value 'NaN'"),
    ("fill_value", [1], "fill value [1]"),
]


@pytest.mark.parametrize(("entry", "value", "reason"), WRONG_METADATA)
def test_metadata_that_can_not_be_followed_are_refused(tmp_path, entry, value, reason):
    """Unknown or contradictory metadata is an error that says so."""
    path = write(tmp_path / "store.zarr.zip", storage=Storage(chunks=(5, 1, 3, 6, 7)))
    altered(path, "bands/.zarray", lambda found: found | {entry: value})
    with pytest.raises(SourceError) as caught:
        next(open_store(path).members())
    assert caught.value.message.startswith(str(path))
    assert reason in caught.value.message


@pytest.mark.parametrize("dimensions", [["time", "sample", "band", "y", "x"], ["band"], None])
def test_other_dimensions_are_refused(tmp_path, dimensions):
    """A store must name its order of dimensions, since swapped ones would be mislabelled."""
    path = write(tmp_path / "store.zarr.zip")
    altered(path, "bands/.zattrs", lambda _: {"_ARRAY_DIMENSIONS": dimensions})
    with pytest.raises(SourceError, match="has the dimensions"):
        next(open_store(path).members())
    altered(path, "bands/.zattrs", lambda _: None)
    with pytest.raises(SourceError, match="has the dimensions None"):
        next(open_store(path).members())


def test_files_that_are_not_such_stores_are_refused(tmp_path):
    """Other zip files, newer stores and files that are not zips are different errors."""
    path = tmp_path / "store.zarr.zip"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("patch.tif", b"II*\0")
    with pytest.raises(SourceError, match="holds no Zarr v2 array called bands") as caught:
        next(open_store(path).members())
    assert caught.value.hint.endswith("with its arrays at the top.")
    with ZipStore(tmp_path / "v3.zarr.zip", mode="w") as store:
        zarr.create_group(store, zarr_format=3).create_array("bands", shape=(1,), dtype="i2")
    with pytest.raises(SourceError, match="holds no Zarr v2 array") as caught:
        next(open_store(tmp_path / "v3.zarr.zip").members())
    assert "It is a Zarr v3 store." in caught.value.hint
    path.write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    with pytest.raises(SourceError, match=str(path)):
        next(open_store(path).members())
    with pytest.raises(SourceError, match="no such file"):
        next(open_store(tmp_path / "gone.zarr.zip").members())


def test_too_many_files_are_refused(tmp_path, monkeypatch):
    """A store with too many files ends in an error before they fill the memory."""
    path = write(tmp_path / "store.zarr.zip", storage=Storage(chunks=(1, 1, 1, 6, 7)))
    monkeypatch.setattr(zarr_files, "MAX_FILES", 50)
    with pytest.raises(SourceError, match="holds more than 50 files"):
        next(open_store(path).members())


@pytest.mark.parametrize("name", ["../0080717", "a/b", "..", "/etc", "a\0b"])
def test_samples_whose_names_lead_elsewhere_have_a_problem(tmp_path, name):
    """A sample whose name can't be a file name is reported by its number, and not read."""
    path = tmp_path / "store.zarr.zip"
    write_store(path, cube_of((2, 1, 1, 2, 2)), ["0080717", name], ["vv"])
    first, second = open_store(path).members()
    assert (first.path, first.problem) == ("0080717/0/vv.npy", "")
    assert (second.path, second.problem) == (
        "1/0/vv.npy",
        f"its sample is called {name!a}: not a valid file name",
    )


@pytest.mark.parametrize("bands", [["vv", "vh", "vv"], ["vv", "../vh", "x"], ["vv", "", "vh"]])
def test_bands_without_names_of_their_own_are_refused(tmp_path, bands):
    """Band names must be unique, and must not lead outside."""
    path = write(tmp_path / "store.zarr.zip", bands=bands)
    with pytest.raises(SourceError, match="its bands have no valid, unique names: 'vv, "):
        next(open_store(path).members())


def bomb_of(codec, n_bytes):
    """A chunk that claims, or decompresses to, far more than its size."""
    zeros = bytes(n_bytes)
    settings = next(c for c in COMPRESSORS if c is not None and c["id"] == codec)
    return bytes(numcodecs.get_codec(dict(settings)).encode(zeros))


@pytest.mark.usefixtures("unpacked_bytes")
@pytest.mark.parametrize("codec", ["blosc", "zstd", "lz4", "zlib", "gzip", "bz2", "lzma"])
def test_bombs_meet_a_bound(tmp_path, codec):
    """A small chunk that expands to 64 MiB is an error and never fills the memory."""
    compressor = next(c for c in COMPRESSORS if c is not None and c["id"] == codec)
    storage = Storage(chunks=(1, 1, 3, 6, 7), compressor=compressor)
    path = write(tmp_path / "store.zarr.zip", storage=storage)
    bomb = bomb_of(codec, 2**26)
    with zipfile.ZipFile(path, "a") as file, pytest.warns(UserWarning, match="Duplicate name"):
        file.writestr("bands/0.0.0.0.0", bomb)
    members = list(open_store(path).members())
    tracemalloc.start()
    with pytest.raises(ArchiveError, match=rf"bands/0.0.0.0.0 .*{codec}"):
        members[0].read()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # 2 MiB for what decompressors need, and for what was imported on the way.
    assert peak < 2 * len(bomb) + 2**21
    whole = judged(write(tmp_path / "whole.zarr.zip"))
    assert all(band_of(member.read()) == whole[member.path] for member in members[len(BANDS) :])


@pytest.mark.usefixtures("unpacked_bytes")
def test_a_chunk_that_is_too_short_is_an_error(tmp_path):
    """A chunk with too few pixels, compressed or not, is an error."""
    for compressor in (None, BLOSC):
        storage = Storage(chunks=(1, 1, 3, 6, 7), compressor=compressor)
        path = write(tmp_path / "store.zarr.zip", storage=storage)
        data = np.zeros(100, "i2")
        if compressor is not None:
            data = numcodecs.get_codec(compressor).encode(data)
        with zipfile.ZipFile(path, "a") as file, pytest.warns(UserWarning, match="Duplicate name"):
            file.writestr("bands/0.0.0.0.0", bytes(data))
        with pytest.raises(ArchiveError, match=r"holds 200 bytes, expected 252"):
            next(open_store(path).members()).read()


def test_a_damaged_chunk_fails_its_members_alone(tmp_path, n_decoded):
    """All members of a damaged chunk fail after one attempt, and the others are intact."""
    path = write(tmp_path / "store.zarr.zip", storage=Storage(chunks=(5, 1, 3, 6, 7)))
    whole = judged(path)
    with zipfile.ZipFile(path) as file:
        header = file.getinfo("bands/0.2.0.0.0").header_offset
    data = path.read_bytes()
    path.write_bytes(flipped(data, header + 30 + len("bands/0.2.0.0.0") + 40, 3))
    contents, reasons, damage = outcome(path)
    assert contents == {name: band for name, band in whole.items() if "/2/" not in name}
    assert reasons.keys() == whole.keys() - contents.keys()
    assert all("CRC-32" in reason for reason in reasons.values())
    assert damage == ""
    assert len(n_decoded) == 3


def test_the_published_form_becomes_records(tmp_path):
    """Each sample and time becomes a record with its key and named bands, bit for bit."""
    folders = corpus.generate(SPEC, tmp_path / "source", 10)
    summary = convert(SPEC, folders, tmp_path / "target")
    assert summary.complete
    assert summary.n_written == {"s1": 10, "s2c": 10, "s2a": 10, "cloud-mask": 10}
    stored = records(tmp_path / "target")
    for modality in SPEC.modalities:
        for patch in corpus.patches(SPEC, modality, 10):
            bands = safetensors.numpy.load(stored.pop(patch.key))
            assert set(bands) == set(modality.band_names)
            for i, band in enumerate(modality.bands):
                dtype = modality.dtype or "int16"
                expected = corpus.pixels(patch.key, i, band.shape, dtype)
                assert little(bands[band.name]) == little(expected)
    assert stored == {}


def test_the_published_form_is_a_store_of_the_zarr_library(tmp_path):
    """The sample stores have the publisher's arrays, dtypes and names."""
    folders = corpus.generate(SPEC, tmp_path, 4, modalities=["s1", "s2a"])
    (path,) = folders["s2a"].iterdir()
    assert path.relative_to(tmp_path).as_posix() == (
        "S2L2A/ssl4eos12_train_seasonal_data_000001.zarr.zip"
    )
    with ZipStore(path, mode="r") as store:
        group = zarr.open_consolidated(store, mode="r", zarr_format=2)
        shapes = {name: array.shape for name, array in group.arrays()}
        assert group["bands"].chunks == (1, 1, 12, 264, 264)
        assert group["sample"][:].tolist() == ["0080717"]
        assert group["sample_id"][0].tolist() == [f"0080717_{time}" for time in range(4)]
    assert shapes == {
        "band": (12,),
        "bands": (1, 4, 12, 264, 264),
        **dict.fromkeys(["center_lat", "center_lon", "crs", "sample"], (1,)),
        "cloud_mask": (1, 4, 264, 264),
        **dict.fromkeys(["file_id", "sample_id", "time_"], (1, 4)),
        "time": (4,),
        **dict.fromkeys(["x", "y"], (264,)),
        **dict.fromkeys(["x_", "y_"], (1, 264)),
    }


def test_bands_go_by_their_names(tmp_path):
    """Bands are found by name, in any order and among additional ones."""
    cube = cube_of((1, 2, 3, 5, 4), "float16")
    write_store(tmp_path / "store.zarr.zip", cube, ["0080717"], ["vh", "more", "vv"])
    assert convert(SPEC, {"s1": tmp_path / "store.zarr.zip"}, tmp_path / "target").complete
    for time in range(2):
        stored = safetensors.numpy.load(records(tmp_path / "target")[f"s1_0080717_{time}"])
        assert set(stored) == {"vh", "vv"}
        assert little(stored["vh"]) == little(cube[0, time, 0])
        assert little(stored["vv"]) == little(cube[0, time, 2])


def test_any_dimensions_of_patches(tmp_path):
    """Arrays may have any number of dimensions before the bands, labelled or not."""
    pixels = np.arange(3 * 2 * 4 * 5, dtype="int16").reshape(3, 2, 4, 5)
    arrays = Arrays("img", (Axis("tile", "tile"), Axis("c", "band", "names"), Axis("h"), Axis("w")))
    template = Template.parse("{tile:d}_{band}.npy")
    with ZipStore(tmp_path / "x.zarr.zip", mode="w") as store:
        group = zarr.create_group(store, zarr_format=2)
        attributes = {"_ARRAY_DIMENSIONS": ["tile", "c", "h", "w"]}
        group.create_array("img", data=pixels, chunks=(2, 1, 4, 5), attributes=attributes)
        group.create_array("names", data=np.array(["a", "b"]))
    members = list(ZarrArchive([tmp_path / "x.zarr.zip"], arrays, template).members())
    found = {member.path: band_of(member.read()) for member in members}
    places = product(range(3), enumerate("ab"))
    assert found == {f"{i}_{name}.npy": little(pixels[i, j]) for i, (j, name) in places}


@pytest.mark.usefixtures("unpacked_bytes")
@pytest.mark.parametrize("compressor", [None, BLOSC, {"id": "zlib", "level": 1}], ids=compressor_id)
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize(
    "chunks", [(1, 1, 6, 7), (3, 1, 6, 7), (2, 4, 4, 3), (8, 8, 8, 8)], ids=str
)
def test_an_array_without_bands(tmp_path, chunks, order, compressor):
    """An array with no dimension for bands gives a single band, as the zarr library reads it."""
    masks = cube_of((5, 4, 1, 6, 7), "uint8")[:, :, 0]
    with ZipStore(tmp_path / "x.zarr.zip", mode="w") as store:
        group = zarr.create_group(store, zarr_format=2)
        made = group.create_array(
            "cloud_mask",
            shape=masks.shape,
            dtype=masks.dtype,
            chunks=chunks,
            order=order,
            fill_value=masks.min(),
            compressors=None if compressor is None else numcodecs.get_codec(compressor),
            attributes={"_ARRAY_DIMENSIONS": ["sample", "time", "y", "x"]},
        )
        made[:] = masks
        group.create_array("sample", data=np.array(SAMPLES))
    modality = SPEC.modality("cloud-mask")
    archive = ZarrArchive([tmp_path / "x.zarr.zip"], modality.arrays, modality.files)
    found = {member.path: band_of(member.read()) for member in archive.members()}
    assert found == {
        f"{name}/{time}/cloud_mask.npy": little(masks[i, time])
        for i, name in enumerate(SAMPLES)
        for time in range(4)
    }


def test_a_missing_chunk_without_bands_is_the_fill_value_or_an_error(tmp_path):
    """A chunk that is missing is the fill value if the array has one, and never another chunk."""
    masks = cube_of((5, 4, 1, 6, 7), "uint8")[:, :, 0]
    path = tmp_path / "x.zarr.zip"
    with ZipStore(path, mode="w") as store:
        group = zarr.create_group(store, zarr_format=2)
        made = group.create_array(
            "cloud_mask",
            shape=masks.shape,
            dtype=masks.dtype,
            chunks=(5, 1, 6, 7),
            fill_value=9,
            attributes={"_ARRAY_DIMENSIONS": ["sample", "time", "y", "x"]},
        )
        for time in (0, 1, 3):
            made[:, time] = masks[:, time]
        group.create_array("sample", data=np.array(SAMPLES))
    modality = SPEC.modality("cloud-mask")
    archive = ZarrArchive([path], modality.arrays, modality.files)
    found = {member.path: band_of(member.read()) for member in archive.members()}
    assert len(found) == 20
    for i, name in enumerate(SAMPLES):
        for time in range(4):
            expected = np.full((6, 7), 9, "uint8") if time == 2 else masks[i, time]
            assert found[f"{name}/{time}/cloud_mask.npy"] == little(expected)


def test_cloud_masks_are_converted_on_request_only(tmp_path):
    """The cloud masks of stores are left out, until their option names these stores."""
    folders = corpus.generate(SPEC, tmp_path / "source", 8, modalities=["s2a"])
    source, target = folders["s2a"], tmp_path / "target"
    assert convert(SPEC, source, target).n_written == {"s2a": 8}
    before = records(target)
    assert convert(SPEC, {"cloud-mask": source}, target).n_written == {"cloud-mask": 8}
    stored = records(target)
    assert {key: stored.pop(key) for key in before} == before
    (modality,) = [m for m in SPEC.modalities if m.name == "cloud-mask"]
    for patch in corpus.patches(SPEC, modality, 8):
        bands = safetensors.numpy.load(stored.pop(patch.key))
        assert little(bands["cloud_mask"]) == little(
            corpus.pixels(patch.key, 0, (264, 264), "uint8")
        )
    assert stored == {}


def test_bands_must_come_last(tmp_path):
    """An unsupported order of dimensions is an error that states the supported one."""
    axes = (Axis("c", "band"), Axis("tile", "tile"), Axis("h"), Axis("w"))
    archive = ZarrArchive(
        [write(tmp_path / "x.zarr.zip")], Arrays("bands", axes), Template.parse("{tile}_{band}")
    )
    with pytest.raises(SpecError, match="Bands, rows and columns must come last"):
        next(archive.members())


def test_stores_of_another_modality_are_refused(tmp_path):
    """Stores given to the wrong option, or with other bands, are errors that say so."""
    folders = corpus.generate(SPEC, tmp_path / "source", 4, modalities=["s1", "s2c"])
    with pytest.raises(SourceError, match="--s2-l1c-dir"):
        convert(SPEC, {"s2a": folders["s2c"]}, tmp_path / "target")
    with pytest.raises(SourceError, match="--s1-dir"):
        convert(SPEC, {"s2a": folders["s1"]}, tmp_path / "target")
    with pytest.raises(SourceError, match=r"rico-hdl ssl4eo-s12-v1\.1 --s1-dir"):
        convert("hydro", {"s2": next(folders["s1"].iterdir())}, tmp_path / "target")
    path = write(tmp_path / "store.zarr.zip", bands=["VV", "VH", "x"])
    with pytest.raises(SourceError):
        convert(SPEC, {"s1": path}, tmp_path / "target")


def test_patches_of_one_value_are_warned_of(tmp_path):
    """A float16 patch with only NaN is stored with a warning, as for other dtypes."""
    cube = np.full((1, 2, 2, 5, 4), np.nan, "float16")
    cube[0, 1] = cube_of((1, 1, 2, 5, 4), "float16")[0, 0]
    write_store(tmp_path / "store.zarr.zip", cube, ["0080717"], ["vv", "vh"])
    summary = convert(SPEC, {"s1": tmp_path / "store.zarr.zip"}, tmp_path / "target")
    assert summary.n_written == {"s1": 2}
    assert "1 of 2 s1 patches are constant" in summary.warnings[0]


@pytest.mark.parametrize("n_workers", [1, 8])
def test_a_conversion_decodes_each_chunk_once(tmp_path, n_decoded, n_workers):
    """A conversion decompresses each chunk once for all patches and workers."""
    folders = corpus.generate(SPEC, tmp_path / "source", 24, modalities=["s1"])
    summary = convert(SPEC, folders, tmp_path / "target", n_workers=n_workers)
    assert summary.n_written == {"s1": 24}
    assert len(n_decoded) == 4  # one for each time


def test_stored_patches_are_not_decoded(tmp_path, n_decoded):
    """A repeated conversion decodes nothing, or only the chunk of a missing record."""
    folders = corpus.generate(SPEC, tmp_path / "source", 24, modalities=["s1"])
    convert(SPEC, folders, tmp_path / "target")
    n_decoded.clear()
    assert convert(SPEC, folders, tmp_path / "target").n_present == {"s1": 24}
    assert n_decoded == []
    with lmdb.open(str(tmp_path / "target"), map_size=2**30) as env, env.begin(write=True) as txn:
        txn.delete(b"s1_0080717_2")
    assert convert(SPEC, folders, tmp_path / "target").n_written == {"s1": 1}
    assert len(n_decoded) == 1


@pytest.mark.parametrize("decoder", ["fast", "gdal"])
def test_stores_are_compared_with_their_source(tmp_path, decoder):
    """`verify --sources` finds differences from a Zarr store with either decoder."""
    folders = corpus.generate(SPEC, tmp_path / "source", 6, modalities=["s1", "s2c", "s2a"])
    convert(SPEC, folders, tmp_path / "target")
    make_decoder = GdalDecoder if decoder == "gdal" else None
    whole = compare_with_sources(tmp_path / "target", make_decoder=make_decoder)
    assert (whole.findings, whole.n_records) == ([], 18)
    key, record = "s2a_0080717_3", records(tmp_path / "target")["s2a_0080717_3"]
    bands = {name: band.copy() for name, band in safetensors.numpy.load(record).items()}
    true = bands["B8A"][7, 11]
    bands["B8A"][7, 11] ^= 512
    with lmdb.open(str(tmp_path / "target"), map_size=2**30) as env, env.begin(write=True) as txn:
        txn.put(key.encode(), safetensors.numpy.save(bands))
    (finding,) = compare_with_sources(tmp_path / "target", make_decoder=make_decoder).findings
    assert (finding.kind, finding.key) == ("damaged", key)
    assert finding.reason == (
        "band B8A differs from its file in 1 pixels, first at row 7, column 11: "
        f"stored {true ^ 512}, but the file holds {true}"
    )
