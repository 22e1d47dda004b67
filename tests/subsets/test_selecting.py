"""A part of a store as a store of its own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import lmdb
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import rico_hdl
from rico_hdl.errors import StoreError, UnknownKeyError, UsageError
from rico_hdl.store import Manifest, digest
from rico_hdl.subsets.places import touching
from tests.support.labelled import Labelled, Row, bigearthnet
from tests.support.reading import records
from tests.support.running import run
from tests.support.stores import converted, s2_patch, store_of

N_PATCHES = 12
"""Of each modality."""


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Path:
    """A converted BigEarthNet."""
    return converted("bigearthnet", tmp_path_factory.mktemp("store"), N_PATCHES)


def total_digest(folder: Path) -> int:
    """The content digest in a store's manifest, as a number."""
    return digest.from_text(Manifest.read(folder).content_digest)


def test_records_are_copied_byte_for_byte(store, tmp_path) -> None:
    """A selection holds exactly the chosen records, can be verified, and says what it is."""
    summary = rico_hdl.select(store, tmp_path / "s2", modality="s2")
    expected = {
        k: v for k, v in records(store).items() if k in set(rico_hdl.open(store).keys("s2"))
    }
    assert len(expected) == N_PATCHES
    assert records(tmp_path / "s2") == expected
    assert summary.n_written == {"s2": N_PATCHES}
    assert rico_hdl.verify(tmp_path / "s2").findings == []
    assert rico_hdl.verify(tmp_path / "s2").n_unproven == 0
    info = rico_hdl.inspect(tmp_path / "s2")
    assert info.complete
    assert info.dataset == "bigearthnet"
    assert info.made_of["stores"][0]["path"] == str(store)
    assert info.selection == {"modalities": ["s2"]}


def test_digests_add_up(store, tmp_path) -> None:
    """The content digests of a part and of the rest sum up to that of the whole."""
    names = list(records(store))
    rico_hdl.select(store, tmp_path / "some", keys=names[::3])
    rico_hdl.select(store, tmp_path / "rest", keys=[n for i, n in enumerate(names) if i % 3])
    whole = digest.add(total_digest(tmp_path / "some"), total_digest(tmp_path / "rest"))
    assert whole == total_digest(store)


def test_a_part_is_compared_with_the_sources_of_the_whole(store, tmp_path) -> None:
    """Comparing with the sources reports no patches that were not selected, and finds damage."""
    names = list(records(store))
    rico_hdl.select(store, tmp_path / "part", keys=names[5:9])
    result = rico_hdl.compare_with_sources(tmp_path / "part")
    assert (result.findings, result.n_records) == ([], 4)
    with lmdb.open(str(tmp_path / "part")) as env, env.begin(write=True) as txn:
        value = txn.get(names[5].encode())
        txn.put(names[5].encode(), value[:-1] + bytes([value[-1] ^ 1]))
    (finding,) = rico_hdl.compare_with_sources(tmp_path / "part").findings
    assert finding.key == names[5]


def test_a_fraction_depends_on_names_and_seed_alone(store, tmp_path) -> None:
    """The same samples are chosen from a whole store and from a part, and more include fewer."""
    rico_hdl.select(store, tmp_path / "half", fraction=0.5, seed=3)
    rico_hdl.select(store, tmp_path / "most", fraction=0.9, seed=3)
    rico_hdl.select(tmp_path / "most", tmp_path / "half of most", fraction=0.5, seed=3)
    rico_hdl.select(store, tmp_path / "other", fraction=0.5, seed=4)
    half, most, again, other = (
        set(records(tmp_path / name)) for name in ("half", "most", "half of most", "other")
    )
    assert half < most
    assert again == half
    assert other != half


@given(fraction=st.floats(0.001, 1), seed=st.integers(-5, 5))
def test_a_fraction_is_about_that_share(large, fraction, seed) -> None:
    """A share of many patches has about as many patches as it says."""
    chosen = rico_hdl.Selection.of(fraction=fraction, seed=seed)
    n = 2000
    try:
        found = len(chosen.chosen(large))
    except UsageError:
        found = 0
    assert abs(found - fraction * n) < 5 * (n * fraction) ** 0.5 + 1


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """A store of 2,000 tiny patches."""
    band = np.zeros((1, 1), np.uint8)
    folder = tmp_path_factory.mktemp("large")
    store_of(folder, {f"patch_{i}": {"A": band} for i in range(2000)})
    with rico_hdl.open(folder) as opened:
        yield opened


@pytest.fixture(scope="module")
def labelled(tmp_path_factory) -> Labelled:
    """BigEarthNet with its labels, splits and pairs."""
    found = bigearthnet(tmp_path_factory.mktemp("labelled"))
    rico_hdl.convert("bigearthnet", {}, found.store, labels=[found.metadata])
    return found


def patches_of(rows: list[Row]) -> set[str]:
    """The keys of all patches of some samples."""
    return {key for r in rows for key in (r.patch_id, r.s1_name, f"{r.patch_id}_reference_map")}


def test_patches_of_a_sample_stay_together(labelled, tmp_path) -> None:
    """Of a labelled sample, either all patches are selected or none, and its labels come along."""
    rico_hdl.select(labelled.store, tmp_path / "half", fraction=0.5, seed=2)
    found = set(records(tmp_path / "half"))
    rows = [row for row in labelled.rows if row.patch_id in found]
    assert 0 < len(rows) < len(labelled.rows)
    named = patches_of(labelled.rows)
    assert found & named == patches_of(rows)
    rico_hdl.select(labelled.store, tmp_path / "one", keys=[labelled.rows[3].s1_name])
    assert set(records(tmp_path / "one")) == patches_of([labelled.rows[3]])
    rico_hdl.select(labelled.store, tmp_path / "s2", modality="s2", fraction=0.5, seed=2)
    assert {row.patch_id for row in rows} <= set(records(tmp_path / "s2"))
    with rico_hdl.open(tmp_path / "half") as part, rico_hdl.open(labelled.store) as whole:
        for split in part.splits:
            expected = {row.patch_id for row in rows if row.split == split}
            assert set(part.keys("s2", split=split)) == expected
        keys = part.keys("s2", labelled=True)
        assert np.array_equal(part.labels(keys), whole.labels(list(keys)))
        assert part.classes == whole.classes
    assert rico_hdl.verify(tmp_path / "half").findings == []


def test_a_part_that_is_complete_has_its_labels(labelled, tmp_path) -> None:
    """Whenever the manifest says that a part is complete, its labels are there."""
    seen = []

    class Looking:
        def on_records(self, *numbers):
            if numbers[1]:
                seen.append((tmp_path / "train" / "labels.safetensors").exists())

    rico_hdl.select(labelled.store, tmp_path / "train", split="train", observer=Looking())
    assert seen
    assert all(seen)
    assert rico_hdl.inspect(tmp_path / "train").labels["splits"]["train"]


def test_splits_and_labels_select(labelled, tmp_path) -> None:
    """A split and classes select the samples that have them, with all patches."""
    rico_hdl.select(labelled.store, tmp_path / "train", split="train")
    train = [row for row in labelled.rows if row.split == "train"]
    assert set(records(tmp_path / "train")) == patches_of(train)
    some = sorted({label for row in train for label in row.labels})[:2]
    rico_hdl.select(labelled.store, tmp_path / "some", label=some, split="train")
    rows = [row for row in train if {*some} & {*row.labels}]
    assert rows
    assert set(records(tmp_path / "some")) == patches_of(rows)
    with pytest.raises(UsageError, match="no class is called 'Forests'"):
        rico_hdl.select(labelled.store, tmp_path / "none", label="Forests")
    with pytest.raises(UsageError, match="split"):
        rico_hdl.select(labelled.store, tmp_path / "none", split="holdout")


def test_parts_with_labels_are_merged(labelled, tmp_path) -> None:
    """The labels of parts are those of the whole again, and can be replaced in neither."""
    for name in rico_hdl.open(labelled.store).splits:
        rico_hdl.select(labelled.store, tmp_path / name, split=name)
    parts = [tmp_path / name for name in rico_hdl.open(labelled.store).splits]
    rico_hdl.merge(parts, tmp_path / "merged")
    with rico_hdl.open(tmp_path / "merged") as merged, rico_hdl.open(labelled.store) as whole:
        keys = whole.keys("s2", labelled=True)
        assert list(merged.keys("s2")) == list(keys)
        assert np.array_equal(merged.labels(keys), whole.labels(keys))
        assert merged.pairs("s1", "s2").keys() == whole.pairs("s1", "s2").keys()
    assert rico_hdl.verify(tmp_path / "merged").findings == []


def test_a_box_selects_what_touches_it(tmp_path) -> None:
    """A box selects exactly the patches that touch it, also across the 180th meridian."""
    whole = converted("eurosat-multi-spectral", tmp_path / "eurosat", 6)
    with rico_hdl.open(whole) as opened:
        keys, bounds = opened.keys(), opened.georefs().bounds()
    assert len({tuple(row) for row in bounds.tolist()}) > 1
    west, south, east, north = bounds[2].tolist()
    middle = ((west + east) / 2, (south + north) / 2)
    rico_hdl.select(whole, tmp_path / "one", bbox=[*middle, *middle])
    expected = [
        key
        for key, (w, s, e, n) in zip(keys, bounds.tolist(), strict=True)
        if w <= middle[0] <= e and s <= middle[1] <= n
    ]
    assert keys[2] in expected
    assert len(expected) < len(keys)
    assert list(records(tmp_path / "one")) == expected
    with rico_hdl.open(whole) as opened, rico_hdl.open(tmp_path / "one") as part:
        for key in expected:
            found, known = part.georef(key), opened.georef(key)
            assert (found.crs, found.bounds, found.time) == (known.crs, known.bounds, known.time)
        around = rico_hdl.Selection.of(bbox=[middle[0], -90, middle[0] - 1e-9, 90])
        assert list(around.chosen(opened)) == list(keys)
        for box, words in ((["1", "2", "3"], "west, south"), ([0, 5, 1, 4], "south first")):
            with pytest.raises(UsageError, match=words):
                rico_hdl.Selection.of(bbox=box)


@pytest.mark.parametrize(
    ("patch", "box", "expected"),
    [
        ((179, 0, -179, 1), (179.5, 0, 180, 1), True),
        ((179, 0, -179, 1), (-180, 0, -179.5, 1), True),
        ((179, 0, -179, 1), (-178, 0, 178, 1), False),
        ((179, 0, -179, 1), (170, 0, -170, 1), True),
        ((175, 0, 176, 1), (170, 0, -170, 1), True),
        ((-171, 0, -170.5, 1), (170, 0, -170, 1), True),
        ((10, 0, 11, 1), (170, 0, -170, 1), False),
        ((10, 0, 11, 1), (11, 1, 12, 2), True),
        ((10, 0, 11, 1), (10, 1.1, 12, 2), False),
        ((10, 0, 11, 1), (11.1, 0, 12, 2), False),
    ],
)
def test_boxes_across_the_180th_meridian(patch, box, expected) -> None:
    """Patches and boxes that cross the 180th meridian touch what is on both sides of it."""

    class Georefs:
        def bounds(self) -> np.ndarray:
            return np.array([patch], float)

    class Placed:
        path = Path("store")

        def georefs(self, keys: object) -> Georefs:
            del keys
            return Georefs()

    assert touching(Placed(), [], box).tolist() == [expected]


def test_a_limit_takes_the_first_ones(store, tmp_path) -> None:
    """A limit chooses the first patches in the order of keys."""
    rico_hdl.select(store, tmp_path / "few", modality="s1", limit=3)
    assert list(records(tmp_path / "few")) == list(rico_hdl.open(store).keys("s1"))[:3]


def test_an_original_store_is_selected_from(tmp_path) -> None:
    """A store without journal and manifest gets both in its part."""
    patches = {
        f"S2A_MSIL2A_20170613T101031_N9999_R022_T33UUP_{i:02}_43": s2_patch(i) for i in range(5)
    }
    store_of(tmp_path / "store", patches)
    rico_hdl.select(tmp_path / "store", tmp_path / "part", limit=2)
    assert list(records(tmp_path / "part")) == sorted(patches)[:2]
    result = rico_hdl.verify(tmp_path / "part")
    assert (result.findings, result.n_unproven) == ([], 0)
    assert rico_hdl.open(tmp_path / "part").dataset == "bigearthnet"


def test_a_damaged_record_is_not_copied(store, tmp_path) -> None:
    """A record that differs from its note is an error, and nothing of it is stored."""
    shutil.copytree(store, tmp_path / "damaged")
    names = list(records(store))
    with lmdb.open(str(tmp_path / "damaged")) as env, env.begin(write=True) as txn:
        value = txn.get(names[4].encode())
        txn.put(names[4].encode(), value[:-1] + bytes([value[-1] ^ 1]))
    with pytest.raises(StoreError, match=names[4]):
        rico_hdl.select(tmp_path / "damaged", tmp_path / "part")
    assert names[4] not in records(tmp_path / "part")
    assert rico_hdl.verify(tmp_path / "part").findings == []


def test_another_selection_is_refused(store, tmp_path) -> None:
    """A folder with another selection, a conversion, or foreign records is left as it is."""
    rico_hdl.select(store, tmp_path / "part", limit=2)
    before = records(tmp_path / "part")
    with pytest.raises(StoreError, match="another selection"):
        rico_hdl.select(store, tmp_path / "part", limit=3)
    with pytest.raises(StoreError, match="a conversion of bigearthnet"):
        rico_hdl.select(tmp_path / "part", store)
    store_of(tmp_path / "foreign", {"a": {"A": np.zeros((1, 1), np.uint8)}})
    with pytest.raises(StoreError, match="without a manifest"):
        rico_hdl.select(store, tmp_path / "foreign", limit=2)
    with pytest.raises(UsageError, match="both as a store and as the target"):
        rico_hdl.select(store, store)
    assert records(tmp_path / "part") == before
    rico_hdl.select(store, tmp_path / "part", limit=3, overwrite=True)
    assert len(records(tmp_path / "part")) == 3


def test_nothing_is_converted_into_a_part(store, tmp_path) -> None:
    """A conversion into a store that was made of another one is refused."""
    rico_hdl.select(store, tmp_path / "part", modality="s2")
    source = Manifest.read(store).modalities["s1"].sources[0]
    with pytest.raises(StoreError, match="made of other stores"):
        rico_hdl.convert("bigearthnet", {"s1": source}, tmp_path / "part")


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"fraction": 0}, UsageError, "fraction=0"),
        ({"fraction": 1.5}, UsageError, "at most 1"),
        ({"limit": 0}, UsageError, "at least 1"),
        ({"modality": "s3"}, UsageError, "s3"),
        ({"keys": ["nowhere"]}, UnknownKeyError, "nowhere"),
        ({"keys": "nowhere"}, UsageError, "one key"),
        ({"fraction": 1e-9}, UsageError, "none of its 36 patches"),
    ],
)
def test_a_wrong_criterion_is_explained(store, tmp_path, options, error, words) -> None:
    """An invalid criterion is an error that names it, and creates no store."""
    with pytest.raises(error, match=words):
        rico_hdl.select(store, tmp_path / "part", **options)
    assert not (tmp_path / "part").exists()


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs signals of POSIX")
def test_a_killed_selection_is_continued(large, tmp_path) -> None:
    """After kill -9 the same command adds what is missing, and the result is the same."""
    code = (
        "import sys, rico_hdl.store.writer as w, rico_hdl, os, signal\n"
        "put, n = w.StoreWriter.put, [0]\n"
        "def put_some(self, record):\n"
        "    n[0] += 1\n"
        "    if n[0] % 300 == 0: self.commit()\n"
        "    if n[0] == 1000: os.kill(os.getpid(), signal.SIGKILL)\n"
        "    put(self, record)\n"
        "w.StoreWriter.put = put_some\n"
        "rico_hdl.select(sys.argv[1], sys.argv[2])\n"
    )
    command = [sys.executable, "-c", code, str(large.path), str(tmp_path / "part")]
    killed = subprocess.run(command, check=False, capture_output=True)
    assert killed.returncode == -signal.SIGKILL
    n_before = len(records(tmp_path / "part"))
    assert 0 < n_before < 1000
    summary = rico_hdl.select(large.path, tmp_path / "part")
    assert summary.n_present == n_before
    assert records(tmp_path / "part") == records(large.path)
    assert rico_hdl.verify(tmp_path / "part").findings == []


def test_the_command_selects(store, tmp_path) -> None:
    """The command line takes keys from a file, prints a summary, and info tells what was chosen."""
    names = list(records(store))
    (tmp_path / "keys.txt").write_text("\n".join(names[:4]) + "\n")
    result = run("select", store, tmp_path / "part", "--keys", tmp_path / "keys.txt", "--json")
    assert result.returncode == 0, result.stderr
    assert sum(json.loads(result.stdout)["n_written"].values()) == 4
    assert list(records(tmp_path / "part")) == names[:4]
    shown = run("info", tmp_path / "part").stdout
    assert f"selected from {store}" in shown
    assert "keys: 4 of a list" in shown
    empty = run("select", store, tmp_path / "other", "--keys", os.devnull)
    assert empty.returncode == 2
    assert "holds no keys" in empty.stderr


@pytest.mark.skipif(os.name == "nt", reason="needs signals of POSIX")
@pytest.mark.usefixtures("interruptible")
def test_an_interrupted_command_can_be_continued(large, tmp_path) -> None:
    """Ctrl-C ends the command with code 130 and a hint, and what is stored stays."""
    code = (
        "import sys, time, rico_hdl.store.writer as w\n"
        "put = w.StoreWriter.put\n"
        "def slowly(self, record):\n"
        "    time.sleep(0.01)\n"
        "    put(self, record)\n"
        "w.StoreWriter.put = slowly\n"
        "from rico_hdl.cli import main\n"
        "sys.exit(main())\n"
    )
    command = [sys.executable, "-c", code, "select", str(large.path), str(tmp_path / "part")]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 30
    while not (tmp_path / "part" / "rico-hdl.json").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 130, errors
    assert "Run the same command again to continue" in errors
    assert rico_hdl.verify(tmp_path / "part").findings == []
