"""Specs that contradict themselves are refused when they are created."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rico_hdl.datasets import registry
from rico_hdl.errors import SpecError
from rico_hdl.spec import Arrays, Axis, Band, Columns, KeyColumn, Template

S2 = registry()["bigearthnet"].modality("s2")
HYDRO = registry()["hydro"].modalities[0]
KEYS = (KeyColumn("scene", "id"), KeyColumn("patch", "name"))


def axes(names, path=""):
    """Arrays in files."""
    return Arrays(path, tuple(map(Axis, names.split())))


@pytest.mark.parametrize(
    ("modality", "changes", "message"),
    [
        (S2, {"files": "{scene}/{patch}_{band_folder}.tif"}, "but no {band}"),
        (S2, {"files": "{patch}/{band_folder}_{band}.tif"}, "has the folder ''"),
        (S2, {"files": "{a:*}/{patch}_{band}.tif", "key": "{a}"}, "which spans folders"),
        (S2, {"files": "{a}/{p}_{band}.tif", "key": "{a:*}/{p}"}, "which spans folders"),
        (S2, {"bands": (Band("A", "X"), Band("B", "Y", other_tokens=("X",)))}, "several files: X"),
        (S2, {"bands": (Band("A", "X"), Band("B", "X", index=3))}, r"\[1, 3\].* in the file of X"),
        (S2, {"bands": (Band("A", "X", folder="f"),)}, "has the folder 'f'"),
        (S2, {"bands": (Band("A", "f/X"),)}, "with a slash"),
        (HYDRO, {"bands": (Band("A", other_tokens=("X",)),)}, "has no {band}"),
        (HYDRO, {"archive_names_folder": True}, "can't be called like the first folder"),
        (
            S2,
            {"archive_names_folder": True, "files": "{band}/{scene}_{patch}.tif"},
            "can't be called like the first folder",
        ),
        (S2, {"key": "{scene}_{tile}"}, "needs fields that .* lacks"),
        (S2, {"bands": ()}, "unique names and places"),
        (S2, {"bands": (Band("A", "X"), Band("A", "Y"))}, "unique names and places"),
        (HYDRO, {"bands": (Band("A", index=1), Band("B", index=1))}, "unique names and places"),
        (HYDRO, {"bands": (Band("A", index=1), Band("B", index=3))}, r"indexes \[1, 3\]"),
        (HYDRO, {"bands": (Band("A", index=0), Band("B", index=1))}, r"indexes \[0, 1\]"),
        (S2, {"columns": Columns((KeyColumn("patch", "id"),))}, "columns give the fields"),
        (S2, {"columns": Columns(KEYS, files="image")}, "column 'image' holds its files, but each"),
        (S2, {"columns": Columns((*KEYS[1:], KeyColumn("scene")))}, "no column holds the field"),
        (HYDRO, {"columns": Columns((KeyColumn("number", "id"),))}, "no column is named for them"),
        (HYDRO, {"arrays": axes("band y x")}, "its files are .tif"),
        (HYDRO, {"files": "patch_{number}.npy"}, "its .npy files need axes"),
        (HYDRO, {"files": "patch_{number}.npz", "arrays": axes("band y x")}, "is named ''"),
        (HYDRO, {"files": "patch_{number}.npy", "arrays": axes("band y x", "a")}, "is named 'a'"),
        (
            HYDRO,
            {"files": "patch_{number}.h5", "arrays": axes("y x", "a")},
            "are y, x, expected band",
        ),
        (
            HYDRO,
            {"files": "patch_{number}.h5", "arrays": axes("time band y x", "a")},
            "axes are time",
        ),
        (
            HYDRO,
            {"files": "patch_{number}.h5", "arrays": axes("band y x", "{band}")},
            "expected x, y in",
        ),
        (S2, {"arrays": Arrays("x", (Axis("p", "patch"), Axis("b", "band")))}, "arrays give the"),
    ],
)
def test_a_modality_that_contradicts_itself_is_refused(modality, changes, message):
    """Invalid fields and bands that can't be distinguished are errors with a clear message."""
    templates = {n: Template.parse(changes[n]) for n in ("files", "key") if n in changes}
    with pytest.raises(SpecError, match=f"modality '{modality.name}': .*{message}"):
        replace(modality, presets=(), **changes | templates)


@pytest.mark.parametrize("attribute", ["name", "option"])
def test_modalities_that_share_a_name_are_refused(attribute):
    """Two modalities with the same name or option are an error."""
    spec = registry()["bigearthnet"]
    first, second, *rest = spec.modalities
    second = replace(second, **{attribute: getattr(first, attribute)})
    with pytest.raises(SpecError, match=f"modalities share a {attribute}"):
        replace(spec, modalities=(first, second, *rest))


def test_a_missing_modality_is_named():
    """The error for an unknown modality lists the known ones."""
    with pytest.raises(SpecError, match="no modality 's3'") as error:
        registry()["bigearthnet"].modality("s3")
    assert error.value.hint == "It has: s1, s2, reference-maps."
