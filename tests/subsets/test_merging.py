"""Several stores of one dataset as one."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import numpy as np
import pytest

import rico_hdl
from rico_hdl.errors import StoreError, UsageError
from rico_hdl.observer import observing
from rico_hdl.store import Manifest
from rico_hdl.subsets.copying import Origins, records_of, write_store
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
    """Two stores with other pixels under the same key are named, and neither is preferred.

    It is so each time that the command is run: what a run has stored says nothing about the other
    store's record.
    """
    first, key = (f"S2A_MSIL2A_20170613T101031_N9999_R022_T33UUP_01_4{i}" for i in (2, 3))
    store_of(tmp_path / "a", {first: s2_patch(3), key: s2_patch(1)})
    store_of(tmp_path / "b", {first: s2_patch(3), key: s2_patch(2)})
    for _ in range(2):
        with pytest.raises(StoreError, match=key) as error:
            rico_hdl.merge([tmp_path / "a", tmp_path / "b"], tmp_path / "whole")
        assert str(tmp_path / "a") in str(error.value)
        assert str(tmp_path / "b") in str(error.value)
        assert [*records(tmp_path / "whole")] == [first]
    assert not rico_hdl.inspect(tmp_path / "whole").complete


def test_a_copy_that_was_stored_is_compared_again(tmp_path) -> None:
    """A record that an earlier run stored from one store is still compared with the other's."""
    names = [f"S2A_MSIL2A_20170613T101031_N9999_R022_T33UUP_01_4{i}" for i in range(3)]
    for name, pixels in (("a", 1), ("b", 2)):
        store_of(tmp_path / name, {key: s2_patch(pixels) for key in names})
    with rico_hdl.open(tmp_path / "a") as a, rico_hdl.open(tmp_path / "b") as b:
        manifests = (Manifest(), Manifest())
        origins = Origins((a, b), manifests, a.spec, None)
        observer = observing(None)

        def begun(is_wanted):
            yield from islice(records_of(a, a.keys(), 1, is_wanted), 2)

        write_store(origins, tmp_path / "whole", begun, 3, overwrite=False, observer=observer)
    with pytest.raises(StoreError, match=f"different records for '{names[0]}'"):
        rico_hdl.merge([tmp_path / "a", tmp_path / "b"], tmp_path / "whole")


def test_progress_counts_each_record_once(store, tmp_path) -> None:
    """The number of records that progress begins with is that of the new store."""
    names = list(records(store))
    rico_hdl.select(store, tmp_path / "a", keys=names[:6])
    rico_hdl.select(store, tmp_path / "b", keys=names[4:])

    class Total:
        total = 0

        def on_start(self, total):
            self.total = total

    observer = Total()
    rico_hdl.merge([tmp_path / "a", tmp_path / "b"], tmp_path / "whole", observer=observer)
    assert observer.total == len(names)


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
