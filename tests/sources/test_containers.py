"""Files that hold many patches: reading agrees with numpy and h5py, or raises an error."""

import json
import os
import random
import tarfile
import tracemalloc
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

import h5py
import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from zarr.storage import ZipStore

from rico_hdl.errors import ArchiveError, SourceError, SpecError
from rico_hdl.sources.arrays import cube as cube_module
from rico_hdl.sources.arrays import hdf5 as hdf5_module
from rico_hdl.sources.arrays import inside as inside_module
from rico_hdl.sources.arrays.containers import ContainerFiles, container_at, containers_below
from rico_hdl.sources.arrays.inside import ContainersInArchive
from rico_hdl.sources.tar.archive import TarArchive
from rico_hdl.testing.contracts.archives import outcome_of
from rico_hdl.testing.zarrs import Storage, write_arrays, write_store
from tests.support.array_files import DTYPES
from tests.support.container_files import (
    SIZES,
    bands_at,
    cube_of,
    expected_of,
    meaning,
    modality_of,
    write_hdf5,
)

AXES = "sample time band y x"


def found_in(path, modality):
    """The content of each patch of a file, by path."""
    return {m.path: meaning(m.read()) for m in container_at(Path(path), modality).members()}


def failures_of(path, modality):
    """What can be read of a file, damaged or not."""
    return outcome_of(container_at(Path(path), modality), meaning)


axes_of_any_order = st.one_of(
    st.permutations(["sample", "time", "band", "y", "x"]),
    st.permutations(["sample", "band", "y", "x"]),
    st.permutations(["time", "y", "x"]),
).map(" ".join)
dtypes = st.sampled_from(["bool", "u1", "<i2", ">i2", "<u2", "f2", ">f4", "<f8", ">i8", "u8"])


def template_of(suffix, axes):
    """The template of patches in files of one kind."""
    lead = [name for name in axes.split() if name in {"sample", "time"}]
    return "/".join([f"{{name}}{suffix}", *(f"{{{name}:d}}" for name in lead)])


def n_bands_of(axes):
    """The number of bands of an array with these axes."""
    return SIZES["band"] if "band" in axes else 1


@settings(max_examples=60, deadline=None)
@given(axes_of_any_order, dtypes, st.booleans(), st.sampled_from([1, 200, 2**25]))
def test_npy_files_of_any_layout(axes, dtype, is_fortran, gathered):
    """Axes in any order, any dtype and byte order, in C or Fortran order, are read as by numpy."""
    cube = cube_of(axes, dtype)
    modality = modality_of(template_of(".npy", axes), axes, n_bands=n_bands_of(axes))
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(cube_module, "GATHERED_BYTES", gathered)
        path = Path(folder) / "a.npy"
        np.save(path, np.asfortranarray(cube) if is_fortran else cube)
        judged = np.load(path)
        assert judged.flags.f_contiguous or not is_fortran or cube.ndim < 2
        assert found_in(path, modality) == expected_of(judged, axes, "a.npy")


@settings(max_examples=80, deadline=None)
@given(st.data(), axes_of_any_order, dtypes)
def test_hdf5_files_of_any_layout(data, axes, dtype):
    """Any chunks, filters, fill value and missing chunks are read as by h5py."""
    cube = cube_of(axes, dtype)
    modality = modality_of(template_of(".h5", axes), axes, "a/image", n_bands_of(axes))
    chunks = data.draw(st.none() | st.tuples(*(st.integers(1, n) for n in cube.shape)))
    options = {"chunks": chunks, "fillvalue": data.draw(st.sampled_from([None, 1, 7]))}
    if chunks is not None:
        options["compression"] = data.draw(st.sampled_from([None, "gzip", "lzf"]))
        options["shuffle"] = data.draw(st.booleans())
        options["fletcher32"] = data.draw(st.booleans())
        if data.draw(st.booleans()):
            # Grows later, which gives the chunks another index; padded chunks lie at the ends.
            options["maxshape"] = (None, *cube.shape[1:])
    is_whole = data.draw(st.booleans())

    def place(file, name):
        dataset = file.create_dataset(name, cube.shape, cube.dtype, **options)
        dataset[...] = cube
        if not is_whole:
            del file[name]
            dataset = file.create_dataset(name, cube.shape, cube.dtype, **options)
            dataset[:1] = cube[:1]

    limit = data.draw(st.sampled_from([2**20, 1000, cube[..., 0].size * cube.itemsize]))
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        path = write_hdf5(Path(folder) / "a.h5", {"a/image": place})
        with h5py.File(path) as file:
            judged = file["a/image"][...]
        expected = expected_of(judged, axes, "a.h5")
        patch_bytes = sum(len(band[2]) for band in next(iter(expected.values())))
        patch.setattr(cube_module, "MAX_BLOCK_BYTES", max(limit, patch_bytes))
        assert found_in(path, modality) == expected


@settings(max_examples=20, deadline=None)
@given(axes_of_any_order, dtypes, st.booleans(), st.booleans())
def test_npz_files_of_any_layout(axes, dtype, is_packed, is_fortran):
    """Arrays in zip files, compressed or not, are read as by numpy."""
    cube = cube_of(axes, dtype)
    cube = np.asfortranarray(cube) if is_fortran else cube
    modality = modality_of(template_of(".npz", axes), axes, "image", n_bands_of(axes))
    with TemporaryDirectory() as folder:
        path = Path(folder) / "a.npz"
        (np.savez_compressed if is_packed else np.savez)(path, image=cube, other=cube[:1])
        with np.load(path) as file:
            judged = file["image"]
        assert found_in(path, modality) == expected_of(judged, axes, "a.npz")


@pytest.mark.parametrize("chunks", [None, (1, 1, 3, 6, 7), (2, 2, 2, 4, 3), (8, 8, 8, 8, 8)])
@pytest.mark.parametrize("order", ["C", "F"])
def test_zarr_files_with_numbered_samples(tmp_path, chunks, order):
    """Zarr stores may have patches along any axes, and bands by name in another order."""
    cube = cube_of(AXES)
    path = tmp_path / "a.zarr.zip"
    write_store(
        path, cube, ["x", "y", "z"], ["b3", "b1", "b2"], Storage(chunks=chunks, order=order)
    )
    plain = modality_of("{name}.zarr.zip/{sample:d}/{time:d}", AXES, "bands")
    assert found_in(path, plain) == expected_of(cube, AXES, "a.zarr.zip")
    labels = {"sample": "sample", "band": "band"}
    named = modality_of("{name}.zarr.zip/{sample}/{time:2d}", AXES, "bands", labels=labels)
    found = found_in(path, named)
    assert list(found) == sorted(found, key=list(found).index)
    for s, name in enumerate("xyz"):
        for t in range(2):
            bands = bands_at(cube, AXES, sample=s, time=t)
            assert found[f"a.zarr.zip/{name}/{t:02}"] == (bands[1], bands[2], bands[0])
    other = modality_of(
        "{name}.zarr.zip/{sample:d}/{time:d}", AXES, "bands", 2, labels={"band": "band"}
    )
    with pytest.raises(SourceError, match="its bands are 'b3', 'b1', 'b2', expected each of b1"):
        found_in(path, other)


@settings(max_examples=30, deadline=None)
@given(st.data(), axes_of_any_order, dtypes)
def test_zarr_files_of_any_layout(data, axes, dtype):
    """Dimensions in any order, which the store states, and any chunks are read by their names."""
    cube = cube_of(axes, dtype)
    chunks = data.draw(st.tuples(*(st.integers(1, n + 1) for n in cube.shape)))
    storage = Storage(chunks=chunks, order=data.draw(st.sampled_from("CF")))
    with TemporaryDirectory() as folder:
        path = Path(folder) / "a.zarr.zip"
        write_arrays(path, {"bands": (cube, axes.split())}, storage)
        with ZipStore(path, mode="r") as store:
            judged = zarr.open_group(store, mode="r", zarr_format=2)["bands"][:]
        spec_axes = " ".join(data.draw(st.permutations(axes.split())))
        modality = modality_of(
            template_of(".zarr.zip", spec_axes), spec_axes, "bands", n_bands_of(axes)
        )
        order = [axes.split().index(name) for name in spec_axes.split()]
        expected = expected_of(judged.transpose(order), spec_axes, "a.zarr.zip")
        assert found_in(path, modality) == expected


def test_axes_that_a_zarr_store_lacks(tmp_path):
    """An axis that a store lacks has a length of one; others, or no names, are refused."""
    cube, axes = cube_of("band y x"), ["band", "y", "x"]
    write_arrays(tmp_path / "a.zarr.zip", {"bands": (cube, axes)})
    modality = modality_of("{n}.zarr.zip/{time:d}", "band time y x", "bands")
    expected = {"a.zarr.zip/0": bands_at(cube, "band y x")}
    assert found_in(tmp_path / "a.zarr.zip", modality) == expected
    for wrong in (["band", "y", "lon"], ["band", "y", "y"], ["level", "y", "x"]):
        write_arrays(tmp_path / "b.zarr.zip", {"bands": (cube, wrong)})
        with pytest.raises(SourceError, match=r"has the dimensions .*, expected band, time, y, x"):
            found_in(tmp_path / "b.zarr.zip", modality)


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_dtype_is_kept(tmp_path, dtype):
    """Values of any dtype keep every bit, including NaN payloads and negative zeros."""
    cube = cube_of(AXES, dtype)
    path = write_hdf5(tmp_path / "a.h5", {"a/image": cube}, chunks=True, compression="gzip")
    modality = modality_of(template_of(".h5", AXES), AXES, "a/image")
    assert found_in(path, modality) == expected_of(cube, AXES, "a.h5")


def test_groups_that_lack_the_array_are_passed_over(tmp_path):
    """With a field in the array's path, each group is a patch, unless it lacks the array."""
    stack = cube_of("y x band")
    names = {"b_1/post/img": stack, "a_0/post/img": stack + 1, "a_1/pre": stack, "loose": stack}
    path = write_hdf5(tmp_path / "a.h5", names)
    modality = modality_of("{name}.h5/{group}", "y x band", "{group}/post/img")
    assert found_in(path, modality) == {
        "a.h5/a_0": bands_at(stack + 1, "y x band"),
        "a.h5/b_1": bands_at(stack, "y x band"),
    }
    absent = modality_of("{name}.h5/{group}", "y x band", "{group}/none")
    with pytest.raises(SourceError, match=r"no array like \{group\}/none"):
        found_in(path, absent)


def test_bands_that_are_arrays_of_their_own(tmp_path):
    """With ``{band}`` in the path, each band is an array; all have the same patches."""
    cube = cube_of("sample band y x")
    arrays = {f"g/b{i + 1}": cube[:, i] for i in range(3)}
    path = write_hdf5(tmp_path / "a.h5", arrays, chunks=(2, 6, 7))
    modality = modality_of("{name}.h5/{sample:d}", "sample y x", "g/{band}")
    assert found_in(path, modality) == expected_of(cube, "sample band y x", "a.h5")
    arrays["g/b2"] = arrays["g/b2"][:2]
    path = write_hdf5(tmp_path / "b.h5", arrays, chunks=(2, 6, 7))
    with pytest.raises(SourceError, match=r"'g/b2' has \(2,\) patches along sample, but 'g/b1'"):
        found_in(path, modality)


def test_patches_are_named_by_labels(tmp_path):
    """Labels may be texts, integers, or a column of a table; widths pad positions."""
    cube = cube_of("sample band y x")
    table = np.array([(b"t1", 1), (b"t2", 2), (b"t3", 3)], [("id", "S100"), ("n", "i4")])
    arrays = {"image": cube, "n": [30, 10, 20], "t": np.array(["ä", "b", "c"], object), "m": table}
    path = write_hdf5(tmp_path / "a.h5", arrays)
    for label, names in {"n": "30 10 20", "t": "ä b c", "m/id": "t1 t2 t3"}.items():
        modality = modality_of(
            "{name}.h5/{sample}", "sample band y x", "image", labels={"sample": label}
        )
        found = found_in(path, modality)
        assert list(found) == [f"a.h5/{name}" for name in names.split()]
        assert list(found.values()) == list(expected_of(cube, "sample band y x", "").values())
    padded = modality_of("{name}.h5/{sample:6d}", "sample band y x", "image")
    assert list(found_in(path, padded)) == [f"a.h5/{i:06}" for i in range(3)]
    for label, reason in {
        "image": "expected one dimension of labels",
        "none": "no dataset 'none'",
        "m": "expected labels",
    }.items():
        wrong = modality_of(
            "{name}.h5/{sample}", "sample band y x", "image", labels={"sample": label}
        )
        with pytest.raises(SourceError, match=reason):
            found_in(path, wrong)


def test_labels_that_are_no_names_are_problems(tmp_path):
    """A patch whose label does not fit the template has a problem, and the others are read."""
    cube = cube_of("sample band y x")
    path = write_hdf5(tmp_path / "a.h5", {"image": cube, "n": np.array([b"7", b"x", b"9"])})
    modality = modality_of(
        "{name}.h5/{sample:d}", "sample band y x", "image", labels={"sample": "n"}
    )
    members = list(container_at(path, modality).members())
    assert [member.path for member in members] == ["a.h5/7", "a.h5/1", "a.h5/9"]
    assert [bool(member.problem) for member in members] == [False, True, False]
    assert "it is called x, expected a name like {sample:d}" in members[1].problem


def test_each_chunk_is_decoded_once(tmp_path, monkeypatch):
    """Chunks that hold many patches are decoded once for all of them, also by several threads."""
    cube = cube_of("sample time band y x", sizes={"sample": 16, "time": 4})
    path = write_hdf5(tmp_path / "a.h5", {"image": cube}, chunks=(4, 2, 2, 6, 7), compression="lzf")
    modality = modality_of(template_of(".h5", AXES), AXES, "image")
    decoded = Counter()
    original = hdf5_module.Hdf5Cube._chunk

    def counted(self, index):
        decoded[index] += 1
        return original(self, index)

    monkeypatch.setattr(hdf5_module.Hdf5Cube, "_chunk", counted)
    expected = expected_of(cube, AXES, "a.h5")
    assert found_in(path, modality) == expected
    assert set(decoded.values()) == {1}
    assert len(decoded) == 4 * 2 * 2
    decoded.clear()
    members = list(container_at(path, modality).members())
    with ThreadPoolExecutor(4) as pool:
        found = dict(pool.map(lambda m: (m.path, meaning(m.read())), members))
    assert found == expected
    assert set(decoded.values()) == {1}


def test_memory_does_not_depend_on_the_number_of_patches(tmp_path):
    """Of a large file, only a few patches are in memory at a time."""
    cube = np.zeros((64, 4, 128, 128), "f4")
    path = tmp_path / "a.npy"
    np.save(path, cube)
    packed = write_hdf5(
        tmp_path / "a.h5", {"image": cube}, chunks=(1, 4, 128, 128), compression="gzip"
    )
    del cube
    for one, name in ((path, ""), (packed, "image")):
        modality = modality_of(
            f"{{name}}{one.suffix}/{{sample:d}}", "sample band y x", name, n_bands=4
        )
        next(container_at(one, modality).members()).read()  # imports
        tracemalloc.start()
        try:
            for member in container_at(one, modality).members():
                member.read()
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak < 2**20, one


def test_a_patch_does_not_keep_the_others_of_its_chunk(tmp_path):
    """Holding one patch of each chunk takes the memory of these patches, not of the chunks."""
    cube = np.zeros((96, 4, 64, 64), "f4")
    path = write_hdf5(tmp_path / "a.h5", {"image": cube}, chunks=(16, 4, 64, 64))
    modality = modality_of("{name}.h5/{sample:d}", "sample band y x", "image", n_bands=4)
    next(container_at(path, modality).members()).read()  # imports
    tracemalloc.start()
    try:
        rasters = [member.read() for member in container_at(path, modality).members()][::16]
        current, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(rasters) == 6
    assert current < 2 * cube[::16].nbytes < cube[:16].nbytes


def test_npy_files_of_another_size_are_refused(tmp_path):
    """An npy file with more or fewer bytes than its array is damaged, whatever it begins with."""
    np.save(tmp_path / "a.npy", cube_of("sample band y x"))
    data = (tmp_path / "a.npy").read_bytes()
    modality = modality_of("{n}.npy/{sample:d}", "sample band y x")
    for wrong, reason in ((data + b"\0", "it is damaged"), (data[:-1], "it is cut short")):
        (tmp_path / "a.npy").write_bytes(wrong)
        with pytest.raises(ArchiveError, match=reason):
            next(container_at(tmp_path / "a.npy", modality).members())


def test_parts_that_are_too_large_are_refused(tmp_path, monkeypatch):
    """A patch, a chunk or an array that would take too much memory is an error that says so."""
    monkeypatch.setattr(cube_module, "MAX_BLOCK_BYTES", 250)
    monkeypatch.setattr(hdf5_module, "MAX_BLOCK_BYTES", 250)
    path = write_hdf5(tmp_path / "a.h5", {"image": cube_of("sample band y x")})
    modality = modality_of("{name}.h5/{sample:d}", "sample band y x", "image")
    with pytest.raises(SourceError, match="a patch has 252 bytes, expected at most 250"):
        found_in(path, modality)
    path = write_hdf5(tmp_path / "a.h5", {"image": cube_of("sample y x")}, chunks=(3, 6, 7))
    modality = modality_of("{name}.h5/{sample:d}", "sample y x", "image", 1)
    with pytest.raises(SourceError, match="its chunks have 252 bytes, expected at most 250"):
        found_in(path, modality)


def test_members_that_are_too_large_are_refused(tmp_path, monkeypatch):
    """A file in an archive that is too large for memory is left out, with a hint to unpack."""
    for name, n in (("small", 2), ("large", 9)):
        np.save(tmp_path / f"{name}.npy", cube_of("sample band y x", sizes={"sample": n}))
    with tarfile.open(tmp_path / "x.tar", "w") as archive:
        for name in ("large", "small"):
            archive.add(tmp_path / f"{name}.npy", f"{name}.npy")
    monkeypatch.setattr(inside_module, "MAX_HELD_BYTES", 2000)
    modality = modality_of("{name}.npy/{sample:d}", "sample band y x")
    archive = ContainersInArchive(TarArchive([tmp_path / "x.tar"]), modality)
    found = outcome_of(archive, meaning)
    assert [path for path, _ in found.contents] == ["small.npy/0", "small.npy/1"]
    assert "large.npy: takes 2,396 bytes, expected at most 2,000" in found.error
    assert "unpack the archive" in found.error


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("kind", ["plain", "gzip", "lzf", "latest"])
def test_damaged_hdf5_files_give_no_wrong_pixels(tmp_path, kind, seed):
    """Damaged files are errors, or give what h5py gives; with checksums, only what was stored."""
    options = {
        "plain": {},
        "gzip": {"chunks": (2, 3, 6, 7), "compression": "gzip"},
        "lzf": {"chunks": (2, 3, 6, 7), "compression": "lzf"},
        "latest": {"chunks": (1, 3, 6, 7), "fletcher32": True},
    }[kind]
    cube = cube_of("sample band y x")
    path = tmp_path / "a.h5"
    with h5py.File(path, "w", libver="latest" if kind == "latest" else None) as file:
        file.create_dataset("image", data=cube, **options)
    modality = modality_of("{name}.h5/{sample:d}", "sample band y x", "image")
    expected = expected_of(cube, "sample band y x", "a.h5")
    data, rng = path.read_bytes(), random.Random(seed)
    n_refused = 0
    for _ in range(60):
        damaged = bytearray(data)
        for _ in range(rng.choice([1, 1, 3])):
            damaged[rng.randrange(len(data))] ^= rng.choice([1, 0x80, 0xFF])
        path.write_bytes(damaged)
        found = failures_of(path, modality)
        n_refused += bool(found.error or found.failed)
        for place, bands in found.contents:
            if kind == "latest" or bands != expected.get(place):
                assert kind != "latest" or bands == expected[place]
                # Else the damage is where nothing checks it.
                with h5py.File(path) as file:
                    judged = file["image"][int(place.rpartition("/")[2])]
                assert bands == bands_at(judged, "band y x")
    assert n_refused or kind == "plain"


def test_chunks_of_another_size_are_refused(tmp_path):
    """A chunk that decompresses to more or less than its pixels is an error for its patches."""
    cube = cube_of("sample band y x")

    def place(file, name):
        dataset = file.create_dataset(name, data=cube, chunks=(1, 3, 6, 7), compression="gzip")
        for number, n in enumerate((251, 253)):
            other = file.create_dataset(
                f"o{n}", data=np.zeros(n, "u1"), chunks=(n,), compression="gzip"
            )
            _, chunk = other.id.read_direct_chunk((0,))
            dataset.id.write_direct_chunk((number, 0, 0, 0), chunk)

    path = write_hdf5(tmp_path / "a.h5", {"image": place})
    found = failures_of(path, modality_of("{name}.h5/{sample:d}", "sample band y x", "image"))
    assert [path for path, _ in found.contents] == ["a.h5/2"]
    assert len(found.failed) == 2
    assert f"{path}: dataset 'image': its chunk at (0, 0, 0, 0) is damaged" in found.failed[0]


def test_hdf5_files_stay_within_themselves(tmp_path):
    """Links, external and virtual datasets are refused: they may name any file of the machine."""
    cube = cube_of("sample band y x")
    secret = write_hdf5(tmp_path / "secret.h5", {"image": cube, "g/image": cube[0]})
    raw = tmp_path / "secret.bin"
    raw.write_bytes(cube.tobytes())
    layout = h5py.VirtualLayout(cube.shape, cube.dtype)
    layout[:] = h5py.VirtualSource(secret, "image", cube.shape)
    places = {
        "link": lambda file, _: file.update(image=h5py.ExternalLink(secret, "image")),
        "soft": lambda file, _: file.update(image=h5py.SoftLink("/other"), other=cube),
        "virtual": lambda file, _: file.create_virtual_dataset("image", layout),
        "external": lambda file, _: file.create_dataset(
            "image", cube.shape, cube.dtype, external=[(raw, 0, cube.nbytes)]
        ),
    }
    modality = modality_of("{name}.h5/{sample:d}", "sample band y x", "image")
    for name, place in places.items():
        path = write_hdf5(tmp_path / f"{name}.h5", {"image": place})
        with pytest.raises(SourceError, match=r"a link to another place|in other files"):
            found_in(path, modality)
    path = write_hdf5(
        tmp_path / "group.h5",
        {"g": lambda file, _: file.update(g=h5py.ExternalLink(secret, "g"))},
    )
    with pytest.raises(SourceError, match="/g is a link to another place"):
        found_in(path, modality_of("{name}.h5/{g}", "band y x", "{g}/image"))


@pytest.mark.parametrize(
    ("array", "reason"),
    [
        (cube_of("sample y x"), r"its shape is \(3, 6, 7\), expected 4 axes: sample, band, y, x"),
        (np.zeros((2, 3, 0, 4)), "patches without pixels"),
        (np.zeros((2, 3, 5, 4), "c8"), "its dtype is complex64, expected integers"),
        (np.full((2, 3, 5, 4), b"abc"), "its dtype is |S3, expected integers"),
        (np.full((2, 3, 5, 4), "abc", object), "Python objects or texts"),
    ],
)
def test_other_arrays_are_refused(tmp_path, array, reason):
    """Arrays with other axes, or that can't be stored, are errors that name the array."""
    path = write_hdf5(tmp_path / "a.h5", {"image": array})
    with pytest.raises(SourceError, match=reason) as caught:
        found_in(path, modality_of("{name}.h5/{sample:d}", "sample band y x", "image"))
    assert str(path) in caught.value.message
    assert "array 'image'" in caught.value.message


def test_pickled_objects_are_never_loaded(tmp_path):
    """An npy or npz file of objects is refused."""
    trap = np.array([[[[json]]]], object)
    trap[0, 0, 0, 0] = "x"
    np.save(tmp_path / "a.npy", trap)
    np.savez(tmp_path / "a.npz", image=trap, names=np.array(["a"], object))
    with pytest.raises((SourceError, ArchiveError)):
        found_in(
            tmp_path / "a.npy", modality_of("{n}.npy/{sample:d}", "sample band y x", n_bands=1)
        )
    with pytest.raises(SourceError, match="Python objects"):
        found_in(
            tmp_path / "a.npz",
            modality_of("{n}.npz/{sample:d}", "sample band y x", "image", n_bands=1),
        )
    np.savez(tmp_path / "b.npz", image=np.zeros((1, 1, 2, 2)), names=np.array(["a"], object))
    with pytest.raises(SourceError, match="Python objects"):
        found_in(
            tmp_path / "b.npz",
            modality_of(
                "{n}.npz/{sample}", "sample band y x", "image", 1, labels={"sample": "names"}
            ),
        )


def test_many_files_are_not_all_open(tmp_path):
    """However many files a folder has, few are open, and none after the last member is gone."""
    n_files, expected = 40, {}
    for i in range(n_files):
        cube = cube_of("time band y x") + i
        write_hdf5(tmp_path / f"{i:02}.h5", {"image": cube}, chunks=(1, 3, 6, 7))
        expected |= expected_of(cube, "time band y x", f"{i:02}.h5")
    modality = modality_of("{n:d}.h5/{time:d}", "time band y x", "image")
    names = containers_below(tmp_path, modality)
    assert len(names) == n_files
    members = list(ContainerFiles(tmp_path, tmp_path, names, modality).members())
    n_open = len(open_below(tmp_path))
    random.Random(0).shuffle(members)
    with ThreadPoolExecutor(4) as pool:
        found = dict(pool.map(lambda m: (m.path, meaning(m.read())), members))
    assert found == expected
    assert n_open <= 16
    assert len(open_below(tmp_path)) <= 16
    del members
    assert open_below(tmp_path) == []


def open_below(folder):
    """The files below a folder that this process has open."""
    if not Path("/proc/self/fd").is_dir():
        pytest.skip("asks /proc for open files")
    found = []
    for number in Path("/proc/self/fd").iterdir():
        try:
            found.append(number.readlink())
        except OSError:
            continue
    return [path for path in found if path.is_relative_to(folder)]


def test_a_file_that_is_replaced_is_noticed(tmp_path):
    """A file that has become shorter since its patches were found gives an error."""
    path = tmp_path / "a.npy"
    np.save(path, cube_of("sample band y x"))
    modality = modality_of("{n}.npy/{sample:d}", "sample band y x")
    *_, last = container_at(path, modality).members()
    os.truncate(path, path.stat().st_size - 1)
    with pytest.raises(ArchiveError, match="is cut short"):
        last.read()


def test_files_are_found_along_the_template(tmp_path):
    """Files of a folder are found by the template, at any depth if it says so."""
    for name in ("a/x_1.npy", "b/c/x_2.npy", "b/x_3.npy", "b/._x_3.npy", "x_4.npy", "b/y_5.npy"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        np.save(tmp_path / name, cube_of("sample band y x"))
    one = modality_of("{folder}/x_{n:d}.npy/{sample:d}", "sample band y x")
    assert containers_below(tmp_path, one) == ["a/x_1.npy", "b/x_3.npy"]
    anywhere = modality_of("**/x_{n:d}.npy/{sample:d}", "sample band y x")
    assert containers_below(tmp_path, anywhere) == [
        *("a/x_1.npy", "b/c/x_2.npy", "b/x_3.npy", "x_4.npy"),
    ]
    with pytest.raises(SourceError, match="its name does not tell the patches in it"):
        container_at(tmp_path / "b" / "y_5.npy", one)


@pytest.mark.parametrize(
    ("files", "axes", "path", "reason"),
    [
        ("{n}.npy/{time:d}", "time band y", "", "Name y"),
        ("{n}.npy/{time:d}", "time y x", "", "band if the array holds several"),
        ("{n}.npy/{sample:d}", "time band y x", "", "its arrays have the fields time"),
        ("{time}.npy/{time}", "time band y x", "", "Fields of the file's path have other names"),
        ("{n}.npy/{time:d}", "time band y x", "image", "an .npy file holds one"),
        ("{n}.h5/{time:d}", "time band y x", "", "Name the array that the .h5 files hold"),
        ("{n}.h5/{g}", "band y x", "image", "Each axis other than band, y and x is a field"),
        ("{n}.zarr.zip/{g}", "band y x", "{g}/image", "can't have fields"),
    ],
)
def test_specs_that_contradict_themselves(files, axes, path, reason):
    """Axes and templates that don't fit are an error that says what is expected."""
    with pytest.raises(SpecError, match=reason.replace("(", r"\(")):
        modality_of(files, axes, path)


def test_rows_of_an_hdf5_file(tmp_path):
    """Arrays next to the pixels with an element for each patch are columns of a table."""
    arrays = {
        "image": cube_of("sample band y x"),
        "label": np.eye(3, 17, dtype="u1"),
        "Meta-Data/tile:id": np.array([b"t1", b"t2", b"t3"]),
        "info": np.array([(1.5, b"a"), (2.5, b"b"), (3.5, b"c")], [("Lat", "f8"), ("kind", "S3")]),
        "other": np.zeros(5),
        "city": np.array(["M", "B", "K"], object),
    }
    path = write_hdf5(tmp_path / "train_2.h5", arrays)
    modality = modality_of("{split}_{n:d}.h5/{sample:3d}", "sample band y x", "image")
    rows = list(container_at(path, modality).rows())
    assert rows[1] == {
        "file": "train_2",
        "split": "train",
        "n": "2",
        "sample": "001",
        "label": [0, 1, *[0] * 15],
        "meta_data_tile_id": "t2",
        "lat": 2.5,
        "kind": "b",
        "city": "B",
    }
    assert len(rows) == 3
