"""Several stores of one dataset as one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import rico_hdl
from rico_hdl.errors import StoreError, UsageError
from rico_hdl.store import Manifest
from tests.support.reading import assert_same, records
from tests.support.running import run
from tests.support.stores import converted, s2_patch, store_of


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Path:
    """A converted BigEarthNet."""
    return converted("bigearthnet", tmp_path_factory.mktemp("store"), 8)


def test_parts_make_the_whole_again(store, tmp_path) -> None:
    """Parts of a store, merged in any order, have its records and its content digest."""
    names = list(records(store))
    for i in range(3):
        rico_hdl.select(store, tmp_path / str(i), keys=names[i::3])
    summary = rico_hdl.merge([tmp_path / name for name in "201"], tmp_path / "whole")
    assert_same(tmp_path / "whole", store)
    assert sum(summary.n_written.values()) == len(names)
    assert rico_hdl.verify(tmp_path / "whole").findings == []
    assert rico_hdl.compare_with_sources(tmp_path / "whole").findings == []
    info = rico_hdl.inspect(tmp_path / "whole")
    assert info.complete
    assert len(info.made_of["stores"]) == 3
    # Records in the order of keys fill pages to the brim, as in a conversion of folders.
    assert (tmp_path / "whole/data.mdb").stat().st_size <= (store / "data.mdb").stat().st_size


def test_a_record_may_be_in_several_stores(store, tmp_path) -> None:
    """A record that is the same in two stores is stored once, and another one is an error."""
    names = list(records(store))
    rico_hdl.select(store, tmp_path / "a", keys=names[:6])
    rico_hdl.select(store, tmp_path / "b", keys=names[4:])
    rico_hdl.merge([tmp_path / "a", tmp_path / "b"], tmp_path / "whole")
    assert_same(tmp_path / "whole", store)


def test_different_records_of_a_key_are_refused(tmp_path) -> None:
    """Two stores with other pixels under the same key are named, and neither is preferred."""
    key = "S2A_MSIL2A_20170613T101031_N9999_R022_T33UUP_01_43"
    store_of(tmp_path / "a", {key: s2_patch(1)})
    store_of(tmp_path / "b", {key: s2_patch(2)})
    with pytest.raises(StoreError, match=key) as error:
        rico_hdl.merge([tmp_path / "a", tmp_path / "b"], tmp_path / "whole")
    assert str(tmp_path / "a") in str(error.value)
    assert str(tmp_path / "b") in str(error.value)


def test_stores_of_different_datasets_are_refused(store, tmp_path) -> None:
    """Only stores of one dataset are merged, and each only once."""
    other = converted("eurosat-multi-spectral", tmp_path / "eurosat", 2)
    with pytest.raises(StoreError, match="holds bigearthnet, and"):
        rico_hdl.merge([store, other], tmp_path / "whole")
    store_of(tmp_path / "unknown", {"a": {"A": np.zeros((1, 1), np.uint8)}})
    with pytest.raises(StoreError, match="an unknown dataset"):
        rico_hdl.merge([store, tmp_path / "unknown"], tmp_path / "whole")
    with pytest.raises(UsageError, match="each once"):
        rico_hdl.merge([store, store], tmp_path / "whole")
    assert not (tmp_path / "whole").exists()


def test_a_part_with_gaps_makes_a_whole_with_gaps(store, tmp_path) -> None:
    """Failures of a store stay with its records, and it does not become complete by merging."""
    rico_hdl.select(store, tmp_path / "a", modality="s2")
    rico_hdl.select(store, tmp_path / "b", modality="s1")
    manifest = Manifest.read(tmp_path / "a")
    manifest.failures = [rico_hdl.PatchFailure("key", "s2", "/path", None, "damaged")]
    manifest.modalities["s2"].complete = False
    manifest.write(tmp_path / "a")
    rico_hdl.merge([tmp_path / "a", tmp_path / "b"], tmp_path / "whole")
    merged = Manifest.read(tmp_path / "whole")
    assert merged.failures == manifest.failures
    assert (merged.modalities["s2"].complete, merged.modalities["s1"].complete) == (False, True)


def test_the_command_merges(store, tmp_path) -> None:
    """The command line merges stores, and says what it was made of."""
    rico_hdl.select(store, tmp_path / "a", modality="s2")
    rico_hdl.select(store, tmp_path / "b", modality="s1")
    result = run("merge", tmp_path / "a", tmp_path / "b", tmp_path / "whole")
    assert result.returncode == 0, result.stderr
    assert len(records(tmp_path / "whole")) == 16
    assert f"merged from {tmp_path / 'a'}" in run("info", tmp_path / "whole").stdout
