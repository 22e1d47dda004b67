"""Labels and splits from the publishers' files."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

import corpus
from rico_hdl import labels
from rico_hdl.datasets import registry
from rico_hdl.errors import SourceError, UsageError
from tests.support import labelled

CORINE_LEVEL_3 = (
    111, 112, 121, 122, 123, 124, 131, 132, 133, 141, 142, 211, 212, 213, 221, 222, 223, 231, 241,
    242, 243, 244, 311, 312, 313, 321, 322, 323, 324, 331, 332, 333, 334, 335, 411, 412, 421, 422,
    423, 511, 512, 521, 522, 523,
)  # fmt: skip
"""The 44 classes of CORINE Land Cover."""


def test_classes_are_in_alphabetical_order():
    """The default order is ConfigILM's alphabetical one, the other one that of the publication."""
    assert len(set(labels.CLASSES)) == 19
    assert list(labels.CLASSES) == sorted(labels.NOMENCLATURE)
    assert labels.CLASSES[:2] == ("Agro-forestry areas", "Arable land")
    assert labels.NOMENCLATURE[0] == "Urban fabric"
    assert labels.NOMENCLATURE[-1] == "Marine waters"


def test_classes_are_configilms():
    """ConfigILM has the same classes, in the same two orders."""
    theirs = pytest.importorskip(
        "configilm.extra.BENv2_utils",
        reason="configilm is not installed (requirements/torch.txt)",
        exc_type=ImportError,
    )
    assert list(labels.CLASSES) == list(theirs.NEW_LABELS)
    assert tuple(labels.NOMENCLATURE) == tuple(theirs.NEW_LABELS_ORIGINAL_ORDER)


def test_every_corine_code_is_mapped_once_or_known_to_be_left_out():
    """32 of CORINE's 44 codes belong to one class each, and the other 12 to none."""
    mapped = [code for codes in labels.CODES.values() for code in codes]
    assert set(labels.CODES) == set(labels.CLASSES)
    assert len(mapped) == len(set(mapped)) == 32
    left_out = set(CORINE_LEVEL_3) - set(mapped)
    assert left_out == {122, 123, 124, 131, 132, 133, 141, 142, 332, 334, 335, 423}
    assert set(mapped) <= set(CORINE_LEVEL_3)


def test_nomenclature_follows_the_codes():
    """The publication's order of classes is that of their first codes."""
    firsts = [labels.CODES[name][0] for name in labels.NOMENCLATURE]
    assert firsts == sorted(firsts)


@pytest.mark.parametrize("classes", [labels.CLASSES, labels.NOMENCLATURE])
def test_masks_hold_class_indexes(classes):
    """Each code of a reference map becomes the index of its class, or else the index to ignore."""
    codes = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    mask = labels.class_indexes(codes, classes, ignore_index=255)
    assert mask.dtype == np.int64
    for code, index in zip(codes.ravel().tolist(), mask.ravel().tolist(), strict=True):
        names = [name for name, own in labels.CODES.items() if code in own]
        assert ([] if index == 255 else [classes[index]]) == names


@given(st.sets(st.sampled_from(labels.CLASSES)), st.permutations(labels.CLASSES))
def test_multi_hot_marks_the_labels(names, classes):
    """A vector has a one for each label, at its position in the order of classes."""
    vector = labels.multi_hot(names, classes)
    assert {classes[i] for i in np.flatnonzero(vector)} == names
    assert set(vector.tolist()) <= {0, 1}


def test_unknown_names_are_named():
    """A label that is not a class, and an order of other than the 19 classes, are errors."""
    with pytest.raises(UsageError, match="'Glaciers'"):
        labels.multi_hot(["Glaciers"])
    with pytest.raises(
        UsageError, match=re.escape("unknown ['Glaciers'], missing ['Agro-forestry areas'")
    ):
        labels.check_classes(["Glaciers", *labels.CLASSES[2:]])
    with pytest.raises(UsageError, match="20 names"):
        labels.check_classes([*labels.CLASSES, labels.CLASSES[0]])


@pytest.mark.parametrize(
    ("dataset", "classes"),
    [
        ("eurosat-multi-spectral", labels.EUROSAT_CLASSES),
        ("uc-merced", labels.UC_MERCED_CLASSES),
    ],
)
def test_class_is_in_the_key(dataset, classes):
    """The class of a patch is that of its folder, and classes are in alphabetical order."""
    spec = registry()[dataset]
    assert spec.labels is not None
    assert spec.labels.classes == classes  # of stores, and of programs that import them
    patches = corpus.patches(spec, spec.modalities[0], 2 * len(classes))
    indexes = labels.class_indexes_of_keys([patch.key for patch in patches], classes)
    assert list(classes) == sorted(classes)
    assert [classes[i] for i in indexes] == [patch.fields["class"] for patch in patches]
    assert set(indexes) == set(range(len(classes)))


def test_key_of_another_dataset_has_no_class():
    """A key without a known class is an error that lists the classes."""
    with pytest.raises(UsageError, match="'patch', expected one of: AnnualCrop"):
        labels.class_indexes_of_keys(["River_1", "patch_0"], labels.EUROSAT_CLASSES)


@pytest.mark.parametrize(
    ("text", "key_of", "keys"),
    [
        ("AnnualCrop_1.jpg\nRiver_20.tif\n", labels.file_stem, ["AnnualCrop_1", "River_20"]),
        ("River/River_2.tif\r\n\r\nForest/Forest_1.tif", labels.file_stem, ["River_2", "Forest_1"]),
        ("\ufeffairplane00.tif,0\n", labels.file_stem, ["airplane00"]),
        (
            "T1/T1-Y01_X02/T1-Y01_X02-DATA.npy\nT1/T1-Y01_X03/T1-Y01_X03-DATA.npy\n",
            labels.folder_name,
            ["T1-Y01_X02", "T1-Y01_X03"],
        ),
        ("enmap/0000102/00000.tif\n", labels.folder_and_file, ["0000102_00000.tif"]),
    ],
)
def test_split_files_name_keys(tmp_path, text, key_of, keys):
    """The rows of a publisher's split file become keys, in their order."""
    path = tmp_path / "split.txt"
    path.write_bytes(text.encode())
    assert labels.read_split(path, key_of) == keys


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a.tif\nb.tif\na.jpg\n", "row 3: 'a' is already in row 1"),
        ("\n\n", "names no patch"),
        ("flat.npy\n", "row 1: 'flat.npy'"),
    ],
)
def test_bad_split_files_are_errors(tmp_path, text, message):
    """A split file with a repeated patch, without patches, or with other rows is an error."""
    path = tmp_path / "split.txt"
    path.write_text(text)
    key_of = labels.folder_name if "flat" in text else labels.file_stem
    with pytest.raises(SourceError, match=message):
        labels.read_split(path, key_of)


def test_missing_split_file_is_an_error(tmp_path):
    """A missing split file is an error that names it."""
    with pytest.raises(SourceError, match=r"absent\.csv"):
        labels.read_split(tmp_path / "absent.csv")


class TestMetadata:
    """``metadata.parquet``, written with pyarrow."""

    def write(self, path: Path, rows, **replaced):
        """A table of (patch_id, s1_name, labels, split)."""
        labelled.write_metadata(path, [labelled.Row(*row) for row in rows], **replaced)
        return path

    ROWS = (
        ("S2A_9", "S1A_1", ["Pastures", "Arable land"], "train"),
        ("S2A_10", "S1B_2", [], "train"),
        ("S2B_1", "S1A_3", ["Marine waters"], "validation"),
        ("S2A_2", "S1B_4", ["Urban fabric"], "test"),
        ("S2A_11", "S1B_5", ["Marine waters", "Inland waters", "Pastures"], "train"),
    )

    def test_split_is_read(self, tmp_path):
        """The patches of a split are sorted by key, each with its S1 patch, map and labels."""
        path = self.write(tmp_path / "metadata.parquet", self.ROWS)
        table = labels.read_metadata(path, "train")
        assert table.s2_keys == ["S2A_10", "S2A_11", "S2A_9"]
        assert table.s1_keys == ["S1B_2", "S1B_5", "S1A_1"]
        assert table.reference_map_keys[0] == "S2A_10_reference_map"
        rows = [[], ["Marine waters", "Inland waters", "Pastures"], ["Pastures", "Arable land"]]
        assert table.labels.tolist() == [labels.multi_hot(names).tolist() for names in rows]

    def test_val_and_none_are_understood(self, tmp_path):
        """``val`` is the validation split, and None means all splits."""
        path = self.write(tmp_path / "metadata.parquet", self.ROWS)
        assert labels.read_metadata(path, "val").s2_keys == ["S2B_1"]
        assert len(labels.read_metadata(path)) == len(self.ROWS)
        with pytest.raises(UsageError, match="no split is called 'training'"):
            labels.read_metadata(path, "training")

    def test_order_of_classes_can_be_chosen(self, tmp_path):
        """Vectors follow the given order of classes."""
        path = self.write(tmp_path / "metadata.parquet", self.ROWS)
        table = labels.read_metadata(path, "test", classes=labels.NOMENCLATURE)
        assert table.labels.tolist() == [[1] + [0] * 18]

    def test_snow_and_clouds_are_added(self, tmp_path):
        """The patches of the second file join those of the first, if they are in the same split."""
        path = self.write(tmp_path / "metadata.parquet", self.ROWS)
        extra = self.write(
            tmp_path / "snow.parquet",
            [("S2A_0", "S1A_0", ["Pastures"], "train"), ("S2A_1", "S1A_9", [], "test")],
        )
        table = labels.read_metadata(path, "train", snow_cloud=extra)
        assert table.s2_keys == ["S2A_0", "S2A_10", "S2A_11", "S2A_9"]
        with pytest.raises(SourceError, match=r"3 patches .* twice, such as S2A_10"):
            labels.read_metadata(path, "train", snow_cloud=path)

    @given(
        st.lists(
            st.tuples(
                st.lists(st.sampled_from(labels.CLASSES), unique=True, max_size=4),
                st.sampled_from(labels.SPLITS),
            ),
            min_size=1,
            max_size=9,
        )
    )
    def test_labels_stay_with_their_patch(self, tmp_path, drawn):
        """For any labels and splits, each patch gets its own."""
        rows = [(f"S2_{i}", f"S1_{i}", names, split) for i, (names, split) in enumerate(drawn)]
        path = self.write(tmp_path / "metadata.parquet", rows)
        for split in labels.SPLITS:
            table = labels.read_metadata(path, split)
            found = zip(table.s2_keys, table.s1_keys, table.labels, strict=True)
            assert {(a, b, tuple(v)) for a, b, v in found} == {
                (a, b, tuple(labels.multi_hot(names))) for a, b, names, s in rows if s == split
            }

    @pytest.mark.parametrize(
        ("replaced", "message"),
        [
            ({"labels": [["Glaciers"]] * 5}, "1 unknown classes, such as 'Glaciers'"),
            ({"labels": ["Pastures"] * 5}, "column labels holds 'Pastures', expected a list"),
            ({"labels": [None] * 5}, "column labels holds neither text nor lists"),
            ({"labels": [None, *[["Pastures"]] * 4]}, "column labels holds None, expected a list"),
            ({"s1_name": pa.array([None] * 5, pa.string())}, "have no name"),
        ],
    )
    def test_other_contents_are_errors(self, tmp_path, replaced, message):
        """Unknown classes, labels that are not lists, and patches without a name are errors."""
        path = self.write(tmp_path / "metadata.parquet", self.ROWS, **replaced)
        with pytest.raises(SourceError, match=message):
            labels.read_metadata(path, "train")

    def test_other_files_are_errors(self, tmp_path):
        """A file that is missing, not Parquet, or another table is an error that names it."""
        path = tmp_path / "metadata.parquet"
        with pytest.raises(
            SourceError, match=r"metadata\.parquet: can't be read as a table of patches"
        ):
            labels.read_metadata(path)
        path.write_text("patch_id,labels\n")
        with pytest.raises(SourceError, match="can't be read as a table of patches"):
            labels.read_metadata(path)
        pq.write_table(pa.table({"patch_id": ["a"]}), path)
        with pytest.raises(SourceError, match="lacks the columns s1_name, labels, split"):
            labels.read_metadata(path)
