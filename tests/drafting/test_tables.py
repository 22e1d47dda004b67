"""Drafting specs from parquet tables: they load, and convert what they were drafted from."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tifffile

import rico_hdl
from rico_hdl.drafting.drafting import draft_spec
from rico_hdl.errors import SourceError
from tests.support.image_files import png
from tests.support.parquet_files import write_images
from tests.support.reading import arrays
from tests.support.running import python, run


def stack_of(i, n_bands, dtype="u1"):
    """Pixels that encode an image, band, row and column."""
    return (np.arange(n_bands * 20).reshape(n_bands, 4, 5) + i).astype(dtype)


def tiff(path, stack):
    """The bytes of a TIFF, by tifffile."""
    options = {"planarconfig": "separate"} if len(stack) > 1 else {}
    data = stack if len(stack) > 1 else stack[0]
    tifffile.imwrite(path, data, photometric="minisblack", **options)
    return path.read_bytes()


def converted(tmp_path, source):
    """The arrays of a store that a draft gives without failures, and the draft's spec."""
    draft = draft_spec(source, "drafted")
    (tmp_path / "drafted.toml").write_text(draft.text, encoding="utf-8")
    assert rico_hdl.load_spec(tmp_path / "drafted.toml") == draft.spec
    summary = rico_hdl.convert(tmp_path / "drafted.toml", source, tmp_path / "store")
    assert summary.failures == []
    return arrays(tmp_path / "store"), draft


@pytest.mark.parametrize("folders", [("", ""), ("train", "test")], ids=["names", "folders"])
def test_images_with_labels(tmp_path, folders):
    """Tables of images with labels become one modality, whose key and labels have the class."""
    for number, folder in enumerate(folders):
        place = tmp_path / "hub" / folder
        place.mkdir(parents=True, exist_ok=True)
        name = "0000.parquet" if folder else f"part-{number}.parquet"
        write_images(place / name, [png(stack_of(10 * number + i, 3)) for i in range(4)])
    stored, draft = converted(tmp_path, tmp_path / "hub")
    assert len(stored) == 8
    assert draft.n_patches == {"image": 8}
    assert draft.spec.labels.field == "label"
    text = " ".join(draft.text.replace("\n# ", " ").split())
    assert "columns may name patches better than table and row: image.path, id." in text
    for number, folder in enumerate(folders):
        for i in range(4):
            key = f"{folder}_0000_{i}_{i % 3}" if folder else f"part-{number}_{i}_{i % 3}"
            for b, name in enumerate(("red", "green", "blue")):
                expected = stack_of(10 * number + i, 3)[b]
                assert np.array_equal(stored[key][name], expected)


def test_images_with_masks_and_previews(tmp_path):
    """Each column of images is a modality, masks by their name; previews are left out."""
    rows = [
        {
            "image": {"bytes": tiff(tmp_path / "a.tif", stack_of(i, 4, "u2")), "path": None},
            "label_mask": png(stack_of(i, 1)),
            "thumbnail": png(stack_of(i, 3)),
            "Land Class": f"class {i % 2}",
        }
        for i in range(3)
    ]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "x.parquet")
    stored, draft = converted(tmp_path, tmp_path / "x.parquet")
    image, mask = draft.spec.modalities
    assert (image.name, image.role, image.columns.files) == ("image", "image", "image")
    assert (mask.name, mask.role, mask.columns.files) == ("label-mask", "mask", "label_mask")
    assert "DECIDE" in draft.text
    assert draft.spec.labels.field == "land_class"
    for i in range(3):
        bands = stored[f"x_{i}_class {i % 2}_image"]
        assert np.array_equal([bands[f"band{b}"] for b in (1, 2, 3, 4)], stack_of(i, 4, "u2"))
        found = stored[f"x_{i}_class {i % 2}_label-mask"]["label-mask"]
        assert np.array_equal(found, stack_of(i, 1)[0])


def test_a_column_for_each_band(tmp_path):
    """Columns that are called like bands are the bands of one modality."""
    rows = [
        {
            name: tiff(tmp_path / "a.tif", stack_of(10 * i + b, 1, "u2"))
            for b, name in enumerate(("B02", "B03", "B8A"))
        }
        for i in range(3)
    ]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "x.parquet")
    stored, draft = converted(tmp_path, tmp_path / "x.parquet")
    (modality,) = draft.spec.modalities
    assert modality.band_names == ("B02", "B03", "B8A")
    for i in range(3):
        for b, name in enumerate(modality.band_names):
            assert np.array_equal(stored[f"x_{i}"][name], stack_of(10 * i + b, 1, "u2")[0])


def test_the_command_drafts_tables(tmp_path):
    """The command writes the file and says what to run, which works."""
    (tmp_path / "hub").mkdir()
    write_images(tmp_path / "hub" / "a.parquet", [png(stack_of(i, 1)) for i in range(3)])
    done = run("new", tmp_path / "hub", "--output", tmp_path / "mine.toml")
    assert done.returncode == 0, done.stderr
    assert "image  image, 1 band, 3 patches: {file}/{row}/{label}.png" in done.stdout
    (command,) = [line.split() for line in done.stdout.splitlines() if "rico-hdl convert" in line]
    assert python("-m", "rico_hdl", *command[1:], cwd=tmp_path).returncode == 0


def test_tables_of_something_else(tmp_path):
    """Tables whose bytes are no images, or without bytes, are errors that say what was found."""
    write_images(tmp_path / "x.parquet", [b"no image", b"either"])
    with pytest.raises(SourceError, match="column image begins with 6e 6f 20 69"):
        draft_spec(tmp_path / "x.parquet")
    pq.write_table(pa.table({"a": [1]}), tmp_path / "x.parquet")
    with pytest.raises(SourceError, match="is a parquet table, expected image files"):
        draft_spec(tmp_path / "x.parquet")
