"""Comparing a store with its sources, value by value."""

from __future__ import annotations

import shutil
from pathlib import Path

import lmdb
import numpy as np
import pytest
from safetensors.numpy import load, save

import corpus
from rico_hdl import errors
from rico_hdl.checking.comparison import compare_with_sources
from rico_hdl.converting.conversion import convert
from rico_hdl.datasets import registry
from rico_hdl.decoding.gdal import GdalDecoder
from tests.support.image_files import gdal_has_libjpeg_turbo
from tests.support.reading import records

BIGEARTHNET = registry()["bigearthnet"]
S2 = BIGEARTHNET.modality("s2")
DECODERS = pytest.mark.parametrize("make_decoder", [None, GdalDecoder], ids=["fast", "gdal"])


@DECODERS
def test_converted_stores_equal_their_sources(typical_spec, tmp_path, make_decoder):
    """Each dataset's store equals its sources, with our decoder and with GDAL.

    A GDAL that decodes colour JPEG in another way is an error.
    """
    sources = corpus.generate(typical_spec, tmp_path / "source", 1)
    convert(typical_spec, sources, tmp_path / "target")
    is_jpeg = all(str(modality.files).endswith(".jpg") for modality in typical_spec.modalities)
    if make_decoder is not None and is_jpeg and not gdal_has_libjpeg_turbo():
        with pytest.raises(errors.UsageError, match="another library than libjpeg-turbo"):
            compare_with_sources(tmp_path / "target", make_decoder=make_decoder)
        return
    result = compare_with_sources(tmp_path / "target", make_decoder=make_decoder)
    assert result.findings == []
    assert result.n_records == len(typical_spec.modalities)
    assert result.n_bytes == sum(map(len, records(tmp_path / "target").values()))


@DECODERS
def test_a_changed_pixel_is_named(bigearthnet, tmp_path, make_decoder):
    """A pixel that differs is reported with band, row, column and both values."""
    target = tmp_path / "target"
    convert(BIGEARTHNET, bigearthnet, target)
    key, value = next((k, v) for k, v in records(target).items() if "B8A" in load(v))
    bands = {name: band.copy() for name, band in load(value).items()}
    bands["B8A"][7, 11] ^= 512
    bands["B8A"][9, 3] ^= 1
    _replace(target, {key: save(bands)})
    (finding,) = compare_with_sources(target, make_decoder=make_decoder).findings
    assert (finding.kind, finding.key) == ("damaged", key)
    true = load(value)["B8A"][7, 11]
    assert finding.reason == (
        f"band B8A differs from its file in 2 pixels, first at row 7, column 11: "
        f"stored {true ^ 512}, but the file holds {true}"
    )


def _replace(target: Path, values: dict[str, bytes | None]) -> None:
    with lmdb.open(str(target), map_size=2**30) as env, env.begin(write=True) as txn:
        for key, value in values.items():
            if value is None:
                txn.delete(key.encode())
            else:
                txn.put(key.encode(), value)


def test_not_a_number_and_minus_zero_are_compared_as_bits(bigearthnet, tmp_path):
    """NaNs with different payloads, and 0.0 and -0.0, differ; equal NaNs don't."""
    target = tmp_path / "target"
    convert(BIGEARTHNET, {"s1": bigearthnet["s1"]}, target)
    content = records(target)
    first, second = list(content)[:2]
    nan = {name: band.copy() for name, band in load(content[first]).items()}
    assert np.isnan(nan["VH"][0, 0])
    nan["VH"].view("uint32")[0, 0] ^= 1
    zero = {name: band.copy() for name, band in load(content[second]).items()}
    assert zero["VV"][-1, -1] == 0
    zero["VV"][-1, -1] = 0.0
    _replace(target, {first: save(nan), second: save(zero)})
    reasons = {f.key: f.reason for f in compare_with_sources(target).findings}
    assert "in 1 pixels, first at row 0, column 0" in reasons[first]
    assert "in 1 pixels, first at row 119, column 119" in reasons[second]


def test_other_bands_shapes_and_dtypes_are_named(bigearthnet, tmp_path):
    """Missing and extra bands, other dtypes and shapes, and broken records are reported."""
    target = tmp_path / "target"
    convert(BIGEARTHNET, bigearthnet, target)
    stored = {k: load(v) for k, v in records(target).items() if "B02" in load(v)}
    keys = list(stored)[:5]
    lacking, more, wide, short, broken = ({**stored[key]} for key in keys)
    del lacking["B02"]
    more["B99"] = more["B02"]
    wide["B02"] = wide["B02"].astype("uint32")
    short["B02"] = short["B02"][:-1]
    values = [save(lacking), save(more), save(wide), save(short), save(broken)[:50]]
    _replace(target, dict(zip(keys, values, strict=True)))
    reasons = {f.key: f.reason for f in compare_with_sources(target).findings}
    assert list(reasons) == sorted(keys)
    expected = [
        "band B02 is not stored",
        "stored bands that the file lacks: B99",
        "band B02 is stored as uint32 (120, 120), but its file holds uint16 (120, 120)",
        "band B02 is stored as uint16 (119, 120), but its file holds uint16 (120, 120)",
    ]
    assert [reasons[key] for key in keys[:4]] == expected
    assert "not a record" in reasons[keys[4]]


def test_missing_and_extra_patches_are_found(bigearthnet, tmp_path):
    """A patch that only the source has is missing; one that only the store has is extra."""
    target = tmp_path / "target"
    convert(BIGEARTHNET, bigearthnet, target)
    content = records(target)
    key = next(iter(content))
    _replace(target, {key: None, f"{key}-copy": content[key]})
    gone = corpus.patches(BIGEARTHNET, S2, 6)[2]
    shutil.rmtree(bigearthnet["s2"] / gone.folder)
    found = {f.key: f.kind for f in compare_with_sources(target).findings}
    assert found == {key: "missing", f"{key}-copy": "extra", gone.key: "extra"}
    # If one modality is compared, patches of the others are not extra.
    only = compare_with_sources(target, {"s2": bigearthnet["s2"]})
    assert {f.key: f.kind for f in only.findings} == {gone.key: "extra"}


def test_a_source_that_cannot_be_read_any_more_is_found(bigearthnet, tmp_path):
    """A stored patch that can no longer be read is a finding; one that was never stored is not."""
    patches = corpus.patches(BIGEARTHNET, S2, 6)
    never, later = (bigearthnet["s2"] / patches[i].files[0] for i in (1, 3))
    never.write_bytes(b"")
    target = tmp_path / "target"
    assert len(convert(BIGEARTHNET, bigearthnet, target).failures) == 1
    assert compare_with_sources(target).findings == []
    later.write_bytes(later.read_bytes()[:300])
    (finding,) = compare_with_sources(target).findings
    assert (finding.kind, finding.key) == ("unexpected", patches[3].key)
    assert "its source can't be read" in finding.reason


def test_parts_from_several_folders_are_compared_with_each(bigearthnet, tmp_path):
    """A modality that was converted from two folders is compared with both."""
    other = tmp_path / "other"
    patches = corpus.patches(BIGEARTHNET, S2, 6)
    for patch in patches[:2]:
        (other / patch.folder).parent.mkdir(parents=True, exist_ok=True)
        shutil.move(bigearthnet["s2"] / patch.folder, other / patch.folder)
    target = tmp_path / "target"
    convert(BIGEARTHNET, {"s2": bigearthnet["s2"]}, target)
    convert(BIGEARTHNET, {"s2": other}, target)
    assert len(records(target)) == 6
    result = compare_with_sources(target)
    assert (result.findings, result.n_records) == ([], 6)


def test_moved_sources_can_be_given(bigearthnet, tmp_path):
    """Sources that were moved are an error unless their new location is given."""
    target = tmp_path / "target"
    convert(BIGEARTHNET, {"s1": bigearthnet["s1"]}, target)
    moved = bigearthnet["s1"].rename(tmp_path / "moved")
    with pytest.raises(errors.SourceError, match="the source of s1 no longer exists"):
        compare_with_sources(target)
    assert compare_with_sources(target, {"s1": moved}).findings == []


def test_a_store_of_the_original_needs_a_manifest_first(bigearthnet, tmp_path):
    """Without a manifest the error says what to do; afterwards the store can be compared."""
    convert(BIGEARTHNET, bigearthnet, tmp_path / "whole")
    target = tmp_path / "target"
    with lmdb.open(str(target), map_size=2**30) as env, env.begin(write=True) as txn:
        for key, value in records(tmp_path / "whole").items():
            txn.put(key.encode(), value)
    with pytest.raises(errors.StoreError, match=r"no rico-hdl\.json") as e:
        compare_with_sources(target)
    assert "Run the conversion's command again" in e.value.hint
    convert(BIGEARTHNET, bigearthnet, target)
    result = compare_with_sources(target)
    assert (result.findings, result.n_records) == ([], 18)
