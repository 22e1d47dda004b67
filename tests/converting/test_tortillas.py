"""Converting tortillas: real files of GEO-Bench-2, damaged ones, and sets of parts."""

from __future__ import annotations

import random
import shutil
import warnings

import pytest
import rasterio
from rasterio.errors import NotGeoreferencedWarning

import corpus
import rico_hdl
from corpus.archives import publish
from corpus.tortillas import of_folder, tortilla_of, write_parts
from rico_hdl.converting.conversion import convert
from rico_hdl.datasets import get
from rico_hdl.drafting.drafting import draft_spec
from rico_hdl.testing.contracts.files import flip
from tests.support.reading import arrays, assert_same, records, same_bits
from tests.support.tortilla_files import leaves, tables

SETS = ("benv2", "treesatai")
SPEC = get("geo-bench-2-benv2")


def gdals_leaves(path):
    """The pixels of each leaf, of shape (band, row, column), as GDAL reads them by their place."""
    found = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        for name, (start, n_bytes) in leaves(path).items():
            with rasterio.open(f"/vsisubfile/{start}_{n_bytes},{path}") as file:
                found[name] = file.read()
    return found


@pytest.mark.parametrize("name", SETS)
def test_real_files_have_the_pixels_that_gdal_reads(samples, tmp_path, name):
    """Every leaf becomes a record, with the bands that GDAL reads at its place in the file."""
    path = samples / "GEO-Bench-2" / f"{name}.tortilla"
    spec = get(f"geo-bench-2-{name}")
    summary = rico_hdl.convert(spec, path, tmp_path)
    assert (summary.failures, summary.complete) == ([], True)
    stored, expected = arrays(tmp_path), gdals_leaves(path)
    assert len(stored) == len(expected)
    for leaf, bands in expected.items():
        (modality,) = [m for m in spec.modalities if m.files.match(leaf)]
        patch = stored[modality.key.format(modality.files.match(leaf))]
        assert len(patch) == len(bands)
        for band, pixels in zip(modality.bands, bands, strict=True):
            assert same_bits(patch[band.name], pixels), (leaf, band.name)
            assert band.shape == pixels.shape
    assert rico_hdl.verify(tmp_path).findings == []
    assert rico_hdl.compare_with_sources(tmp_path).findings == []


def test_the_first_band_of_real_sentinel_1_is_vh(samples):
    """Cross-polarised backscatter is weaker, in each patch: the bands are VH, VV."""
    found = gdals_leaves(samples / "GEO-Bench-2" / "benv2.tortilla")
    patches = [bands for leaf, bands in found.items() if leaf.endswith("/s1.tif")]
    assert len(patches) == 9
    assert all(bands[0].mean() < bands[1].mean() - 5 for bands in patches)
    assert SPEC.modality("s1").band_names == ("VH", "VV")


@pytest.mark.parametrize("name", SETS)
def test_drafts_of_real_files_convert_every_leaf(samples, tmp_path, name):
    """A draft has a modality for each kind of leaf, and converts as it is."""
    path = samples / "GEO-Bench-2" / f"{name}.tortilla"
    (tmp_path / "draft.toml").write_text(draft_spec(path).text)
    assert rico_hdl.convert(tmp_path / "draft.toml", path, tmp_path / "store").failures == []
    assert len(records(tmp_path / "store")) == len(leaves(path))


@pytest.mark.parametrize("name", SETS)
def test_ids_of_rows_begin_the_keys(samples, tmp_path, name):
    """Splits and labels can be joined: each row's id begins the keys of its patches."""
    path = samples / "GEO-Bench-2" / f"{name}.tortilla"
    spec = get(f"geo-bench-2-{name}")
    rico_hdl.convert(spec, path, tmp_path)
    ids = [row["tortilla:id"] for row in next(tables(path.read_bytes()))[2]]
    expected = {f"{one}_{modality.name}" for one in ids for modality in spec.modalities}
    assert expected == set(records(tmp_path))


@pytest.fixture
def made(tmp_path):
    """A small BENv2 as a folder, and the store that it gives."""
    sources = corpus.generate(SPEC, tmp_path / "source", 6)
    convert(SPEC, sources, tmp_path / "expected")
    return sources["s1"], tmp_path / "expected"


def pieces_of(folder):
    """The samples of a folder."""
    return of_folder(folder, sorted(path.relative_to(folder) for path in folder.rglob("*.tif")))


def test_a_folder_and_its_tortilla_give_the_same_store(tmp_path, made):
    """Members have the paths of unpacked files, and a conversion that goes on finds them stored."""
    folder, expected = made
    path = tmp_path / "x.tortilla"
    path.write_bytes(tortilla_of(pieces_of(folder)))
    for n_written in (6, 0):
        summary = rico_hdl.convert(SPEC, path, tmp_path / "out")
        assert (summary.complete, summary.failures) == (True, [])
        assert summary.n_written == {"s1": n_written, "s2": n_written}
    assert records(tmp_path / "out") == records(expected)


def test_missing_parts_are_a_failure_until_they_are_there(tmp_path, made):
    """What is there is converted; the failure names what is not, and the same command goes on."""
    folder, expected = made
    pieces = pieces_of(folder)
    (tmp_path / "set").mkdir()
    files = write_parts(tmp_path / "set" / "x.tortilla", [pieces[:2], pieces[2:]])
    moved = shutil.move(files[1], tmp_path)
    summary = rico_hdl.convert(SPEC, tmp_path / "set", tmp_path / "out")
    assert not summary.complete
    assert {failure.kind for failure in summary.failures} == {"incomplete"}
    assert "1 of 2 parts are missing: x.0001.part.tortilla" in summary.failures[0].reason
    assert len(records(tmp_path / "out")) == 2 * len(pieces[:2])
    shutil.move(moved, files[1])
    assert rico_hdl.convert(SPEC, tmp_path / "set", tmp_path / "out").complete
    assert records(tmp_path / "out") == records(expected)


def test_an_incomplete_download_is_a_failure(tmp_path, made):
    """A file that was cut short stores nothing, since places are at its end, and says so."""
    folder, _ = made
    path = tmp_path / "x.tortilla"
    path.write_bytes(tortilla_of(pieces_of(folder))[:-5000])
    summary = rico_hdl.convert(SPEC, {"s2": path}, tmp_path / "out")
    (failure,) = summary.failures
    assert failure.kind == "damaged"
    assert "is cut short at byte" in failure.reason
    assert not summary.complete


def test_damage_outside_of_leaves_never_changes_pixels(tmp_path, made):
    """With any damaged header or footer, each record is an intact patch's, or there is an error.

    A letter of an id may differ: nothing in the file repeats it.
    """
    folder, expected = made
    path = tmp_path / "x.tortilla"
    path.write_bytes(tortilla_of(pieces_of(folder)))
    inside = set()
    for start, n_bytes in leaves(path).values():
        inside |= set(range(start, start + n_bytes))
    outside = sorted(set(range(path.stat().st_size)) - inside)
    known = set(records(expected).values())
    rng = random.Random(0)
    n_failed = 0
    for number, offset in enumerate(rng.sample(outside, 25)):
        change = rng.choice([1, 0x20, 0x80])
        flip(path, offset, change)
        target = tmp_path / f"out-{number}"
        try:
            summary = rico_hdl.convert(SPEC, path, target)
        except rico_hdl.RicoError:
            n_failed += 1
        else:
            found = list(records(target).values())
            assert set(found) <= known, offset
            assert summary.failures or len(found) == len(known), offset
            n_failed += bool(summary.failures)
        flip(path, offset, change)
        shutil.rmtree(target, ignore_errors=True)
    assert n_failed


def test_the_published_part_alone_is_complete(tmp_path):
    """Where a publisher offers one part of a set, the others are not missed."""
    spec = get("geo-bench-2-biomassters")
    sources = corpus.generate(spec, tmp_path / "source", 3)
    downloads = publish(spec, sources, tmp_path / "downloads")
    assert convert(spec, downloads, tmp_path / "ours").complete
    convert(spec, sources, tmp_path / "theirs")
    assert_same(tmp_path / "ours", tmp_path / "theirs")
    renamed = downloads["s1"].with_name("other.0000.part.tortilla")
    shutil.copyfile(downloads["s1"], renamed)
    summary = convert(spec, dict.fromkeys(sources, renamed), tmp_path / "other")
    assert {failure.kind for failure in summary.failures} == {"incomplete"}
