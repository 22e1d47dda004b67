"""Files that operating systems and tools leave behind are recognised by their names."""

import pytest

from rico_hdl.sources.leftovers import is_in_leftover, is_leftover

LEFT = [
    *("._B02.tif", ".DS_Store", "__MACOSX", ".Trashes", ".Spotlight-V100", ".fseventsd"),
    *("Thumbs.db", "desktop.ini", "$RECYCLE.BIN", "System Volume Information"),
    *(".Trash-1000", "lost+found", ".snapshot", ".zfs", "@eaDir", "#recycle"),
    *(".ipynb_checkpoints", "B02.tif.aux.xml", "B02.tif.ovr", ".nfs0001", ".B02.tif.Xa81"),
]
KEPT = ["B02.tif", "patch_0.tif", "_MACOSX", "Thumbs", "found", "a.b", "MTD.xml", "S2A_1.tif", "~"]


@pytest.mark.parametrize("name", LEFT)
def test_a_leftover_is_known_by_its_name(name):
    """A leftover is known as a file or folder, and anywhere in a path."""
    assert is_leftover(name)
    assert is_in_leftover(f"a/{name}/b")
    assert is_in_leftover(f"{name}/b")


@pytest.mark.parametrize("name", KEPT)
def test_other_names_are_kept(name):
    """Names of patches, bands and scenes are no leftovers."""
    assert not is_leftover(name)
    assert not is_in_leftover(f"a/{name}/b")
