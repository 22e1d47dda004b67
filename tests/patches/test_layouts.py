"""Patches whose files are in several folders, or hold several bands: walked and in archives."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rico_hdl.patches.archives import Assembly
from rico_hdl.patches.found import every_path_of, paths_of
from rico_hdl.patches.path_listing import PathListing
from rico_hdl.patches.unmatched import UnmatchedFiles
from rico_hdl.patches.walking import find, find_within
from rico_hdl.sources import Member
from rico_hdl.spec import Band, Modality, Template
from rico_hdl.values import Patch, PatchFailure, Position, Repeated


def modality(files, key, bands, **options):
    """A modality with these templates and bands."""
    template = Template.parse(files, **options.pop("patterns", {}))
    return Modality(
        name="x",
        title="samples",
        option="--x-dir",
        files=template,
        key=Template.parse(key),
        bands=bands,
        example="-",
        folder="",
        **options,
    )


RGB = tuple(Band(name, "10m_RGB", i) for i, name in enumerate("RGB", 1))
TWO = (Band("A"), Band("E"))
SPELLED = (
    Band("B1", "443", other_tokens=("442",), folder="60"),
    Band("B2", "492", folder="10"),
    Band("B3", "560", other_tokens=("559",), folder="10"),
)
LAYOUTS = {
    "several bands in several files": modality("{s}/{p}/{p}_{band}.tif", "{s}_{p}", (*RGB, *TWO)),
    "tokens with separators": modality("{p}_{band}.tif", "{p}", (*RGB, Band("I", "10m_I"))),
    "folders of bands": modality("{s}/tiles/{band}/{p}_{band}.png", "{s}_{p}", TWO),
    "folders of bands at the top": modality("{band}/{p}.tif", "{p}", TWO),
    "folders of bands anywhere": modality("**/{band}/{p}.tif", "{p}", TWO),
    "folders of bands, further folders below": modality("{s}/{band}/{p}/x.tif", "{s}_{p}", TWO),
    "folders and several spellings": modality(
        "{s}/{band_folder}/{s}_{band}_{p:d}.tif", "{s}_{p:d}", SPELLED
    ),
    "several spellings in one folder": modality(
        "{p}_{band}.tif", "{p}", (Band("A", "a", other_tokens=("b", "c_d")), Band("B", "e"))
    ),
    "folders that are spanned": modality("train/{c:*}/{p}.tif", "{p}", (Band("A"),)),
    "spanned folders anywhere": modality("**/t/{c:*}/{p}_{band}.tif", "{p}", TWO),
    "a field around spanned folders": modality("{s}/{c:*}/{s}_{p}.tif", "{s}_{p}", (Band("A"),)),
}
SCENES, NUMBERS = ("s1", "s2"), ("1", "2")
CLASSES = ("a", "a/b", "b/a/b")


def values_of(made):
    """The values of a few patches of a modality."""
    choices = {"s": SCENES, "p": NUMBERS, "c": CLASSES}
    rows = [()]
    for field in made.patch_fields:
        rows = [(*row, value) for row in rows for value in choices[field]]
    return rows


def walked(made, paths):
    """The patches that walking finds: paths by key, and the reasons for others."""
    found, wrong = {}, {}
    for patch in find(PathListing("/x", paths), made, n_threads=1):
        fields = dict(zip(made.patch_fields, patch.values, strict=True))
        key = made.key.format(fields), fields.get("c")
        if patch.problem:
            wrong[key] = "two files"
        elif patch.missing:
            wrong[key] = patch.missing
        else:
            found[key] = paths_of(made, patch.prefix, patch.values, patch.variants)
    return found, wrong


class Listed:
    """An archive with members of these paths."""

    location, files, n_bytes_read = "/x.tar", (Path("/x.tar"),), 0

    def __init__(self, paths, *, sequential=True):
        self.paths, self.sequential = paths, sequential

    def members(self):
        for path in self.paths:
            yield Member(path, path.encode)


def assembled(made, paths, **options):
    """The patches that an archive gives, as `walked` does."""
    found, wrong = {}, {}
    for item in Assembly(made, Listed(paths, **options)):
        if isinstance(item, Patch):
            key = item.key, item.fields.get("c")
            assert [item.source.read(path) for path in item.paths] == [
                path.encode() for path in item.paths
            ]
            assert key not in found
            found[key] = item.paths
        elif isinstance(item, PatchFailure):
            names = tuple(item.reason.partition(" ")[2].partition(" ")[2].split(", "))
            wrong[item.key] = "two files" if item.reason.startswith("two files") else names
        else:
            assert isinstance(item, Position | Repeated)
    return found, wrong


@st.composite
def trees(draw):
    """A layout, and the paths of some of its files and of others, in any order."""
    title = draw(st.sampled_from(sorted(LAYOUTS)))
    made = LAYOUTS[title]
    usual = [path for values in values_of(made) for path in paths_of(made, "", values)]
    every = [path for values in values_of(made) for path in every_path_of(made, "", values)]
    chosen = set(draw(st.sampled_from([usual, every])))
    chosen -= set(draw(st.lists(st.sampled_from(usual), max_size=4)))
    chosen |= set(draw(st.lists(st.sampled_from(every), max_size=2)))
    chosen |= set(draw(st.lists(st.sampled_from(["readme.txt", "s1/60/x.tif", "Z/1.tif"]))))
    return made, draw(st.permutations(sorted(chosen)))


@given(trees(), st.booleans())
def test_walking_equals_assembling(tree, sequential):
    """Folders and archives with the same files give the same patches, and leave out the same."""
    made, paths = tree
    if made.files.span:  # the same key in several classes is a copy
        paths = [path for path in paths if "/b" not in path]
    found, wrong = walked(made, paths)
    theirs, reasons = assembled(made, paths, sequential=sequential)
    # A second spelling may come after its patch is complete. It is a failure then, too.
    assert {key: paths for key, paths in theirs.items() if key[0] not in reasons} == found
    assert reasons == {key: reason for (key, _), reason in wrong.items()}


@given(st.sampled_from(sorted(LAYOUTS)), st.data())
def test_paths_give_back_their_values(title, data):
    """The values of fields come back from the paths that they give, also below other folders."""
    made = LAYOUTS[title]
    values = data.draw(st.sampled_from(values_of(made)))
    above = data.draw(st.sampled_from(["", "x/", "x/y/"])) if made.files.span else ""
    for path in every_path_of(made, above, values):
        fields = made.fields_of(path)
        assert fields is not None
        if not made.paths.segments[0].fields or not above:
            assert fields == dict(zip(made.patch_fields, values, strict=True))


@pytest.mark.parametrize("title", sorted(LAYOUTS))
def test_whole_trees_are_found(title):
    """All patches of a tree are found, each with its files in the order of its bands."""
    made = LAYOUTS[title]
    rows = values_of(made)
    paths = [path for values in rows for path in paths_of(made, "", values)]
    unmatched = UnmatchedFiles(made)
    found = list(find(PathListing("/x", paths), made, unmatched=unmatched))
    assert {(patch.values, patch.missing, patch.problem) for patch in found} == {
        (values, (), "") for values in rows
    }
    assert {path for p in found for path in paths_of(made, p.prefix, p.values)} == set(paths)
    assert unmatched.n_files == 0


def test_files_in_folders_of_bands_that_belong_to_none_are_counted():
    """A misspelt file in the folder of a band is counted once, with and without other folders."""
    for title in ("folders of bands", "folders of bands at the top", "folders of bands anywhere"):
        made = LAYOUTS[title]
        paths = [path for values in values_of(made) for path in paths_of(made, "", values)]
        folder = paths[0].rpartition("/")[0]
        suffix = made.suffix
        unmatched = UnmatchedFiles(made)
        listing = PathListing("/x", [*paths, f"{folder}/a/b{suffix}", f"C/d{suffix}"])
        if title == "folders of bands":
            listing = PathListing("/x", [*paths, f"{folder}/nothing{suffix}"])
        list(find(listing, made, unmatched=unmatched))
        unmatched.look(listing)
        assert unmatched.n_files == (1 if title == "folders of bands" else 2), title


def test_patches_within_a_folder_of_a_band():
    """A hint that leads from the folder of a band up to the source finds whole patches."""
    made = LAYOUTS["folders of bands"]
    paths = [path for values in values_of(made) for path in paths_of(made, "", values)]
    for folder in ("s1", "s1/tiles", "s1/tiles/A"):
        found = list(find_within(PathListing("/x", paths), made, folder))
        assert [(patch.values, patch.missing) for patch in found] == [
            (("s1", "1"), ()),
            (("s1", "2"), ()),
        ]


def test_missing_files_are_named_by_their_bands():
    """A missing file is reported as the bands that it holds."""
    made = LAYOUTS["several bands in several files"]
    paths = [path for path in paths_of(made, "", ("s1", "1")) if "RGB" not in path]
    assert walked(made, paths) == ({}, {("s1_1", None): ("R", "G", "B")})
    assert assembled(made, paths) == ({}, {"s1_1": ("R", "G", "B")})


def test_two_spellings_of_one_file_say_so():
    """The reason for leaving out a patch with two files for a band names both and the band."""
    made = LAYOUTS["folders and several spellings"]
    paths = list(every_path_of(made, "", ("s1", "1")))
    (patch,) = find(PathListing("/x", paths), made)
    assert patch.problem.startswith("two files for band B1, named 443 and 442, expected one")
    for order in (paths, paths[::-1]):
        items = list(Assembly(made, Listed(order)))
        (failure,) = [item for item in items if isinstance(item, PatchFailure)]
        assert "two files for band" in failure.reason
        assert failure.key == "s1_1"


@pytest.mark.parametrize("sequential", [True, False])
def test_files_far_apart_are_bounded(sequential):
    """If the files of too many patches are far apart, some are left out; later runs find them."""
    made = modality("{band}/{p}.tif", "{p}", TWO)
    paths = [f"{band}/{n:03}.tif" for band in "AE" for n in range(40)]
    stored, n_left_out = set(), []
    while n_left_out[-1:] != [0]:
        found = Assembly(
            made,
            Listed(paths, sequential=sequential),
            is_wanted=lambda key, _, known=frozenset(stored): key not in known,
            max_waiting_bytes=30_000,
        )
        items = list(found)
        failures = [item for item in items if isinstance(item, PatchFailure)]
        assert all("too far from the others" in failure.reason for failure in failures)
        n_left_out.append(len(failures))
        stored |= {item.key for item in items if isinstance(item, Patch)}
        assert len(n_left_out) < 20
    assert (len(stored), len(n_left_out) > 1) == (40, True)
