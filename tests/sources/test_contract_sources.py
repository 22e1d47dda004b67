"""Every source satisfies the contract of sources."""

import io
import os
import tarfile
import zipfile
from pathlib import Path

import pytest

from rico_hdl.patches.hints import BoundedListing
from rico_hdl.patches.member_files import MemberFiles
from rico_hdl.patches.path_listing import PathListing
from rico_hdl.sources import FolderSource
from rico_hdl.sources.above import FolderFromAbove
from rico_hdl.sources.tar.archive import TarArchive
from rico_hdl.sources.zip.archive import ZipArchive
from rico_hdl.testing.contracts.sources import CONTENTS, ListsContract, ReadsContract, write_files


class TestFolder(ListsContract, ReadsContract):
    """A folder on disk."""

    def listed(self, folder, contents):
        write_files(folder, contents)
        return FolderSource(folder)

    readable = listed

    @pytest.mark.parametrize("n_bytes", [1, 1000, 299_999])
    def test_a_short_read_is_continued(self, tmp_path, monkeypatch, n_bytes):
        """If the system returns fewer bytes than requested, the rest is read."""
        source = self.readable(tmp_path, CONTENTS)
        whole = os.read
        monkeypatch.setattr(os, "read", lambda file, n: whole(file, min(n, n_bytes)))
        assert source.read("a/9.tif") == CONTENTS["a/9.tif"]
        assert source.read("a/b/c.tif") == CONTENTS["a/b/c.tif"]

    def test_links_are_followed_but_not_in_circles(self, tmp_path):
        """Links to files and folders are followed, and links to a folder above are omitted."""
        source = self.readable(tmp_path / "source", CONTENTS)
        elsewhere = tmp_path / "elsewhere"
        write_files(elsewhere, {"x/y.tif": b"elsewhere"})
        root = Path(source.location)
        (root / "linked").symlink_to(elsewhere)
        (root / "a" / "up").symlink_to(root)
        (root / "a" / "here").symlink_to(root / "a")
        (root / "a" / "b" / "file.tif").symlink_to(root / "a" / "9.tif")
        assert ("linked", True) in source.entries("")
        assert source.entries("linked/x") == [("y.tif", False)]
        assert source.read("linked/x/y.tif") == b"elsewhere"
        assert {entry.name for entry in source.entries("a")} == {"10.tif", "9.tif", "b", "b.tif"}
        assert ("file.tif", False) in source.entries("a/b")
        assert source.read("a/b/file.tif") == b"9"

    def test_no_file_stays_open(self, tmp_path):
        """Files don't stay open, whether they could be read or not."""
        source = self.readable(tmp_path, CONTENTS)
        before = os.open(os.devnull, os.O_RDONLY)
        os.close(before)
        for _ in range(3):
            source.read("a/9.tif")
            with pytest.raises(OSError, match="directory"):
                source.read("a")
        after = os.open(os.devnull, os.O_RDONLY)
        os.close(after)
        assert after == before


class TestBounded(ListsContract):
    """A folder with a limited number of listings."""

    def listed(self, folder, contents):
        write_files(folder, contents)
        return BoundedListing(FolderSource(folder))


class Below:
    """A folder of a source, as a source."""

    def __init__(self, source, folder):
        self.source, self.folder = source, folder
        self.location, self.n_bytes_held, self.check = source.location, 0, source.check

    def entries(self, folder):
        return self.source.entries(f"{self.folder}/{folder}".rstrip("/"))

    def names(self, folder):
        return self.source.names(f"{self.folder}/{folder}".rstrip("/"))

    def read(self, path, *limit):
        return self.source.read(f"{self.folder}/{path}", *limit)


class TestFromAbove(ListsContract, ReadsContract):
    """A folder whose last two names begin all paths, as seen from inside again."""

    def listed(self, folder, contents):
        write_files(folder / "x" / "y", contents)
        return Below(FolderFromAbove(folder / "x" / "y", 2), "x/y")

    readable = listed

    def test_folders_above_hold_one_folder(self, tmp_path):
        """The folders above hold nothing but the next one, and other paths lead nowhere."""
        source = self.listed(tmp_path, CONTENTS).source
        assert (source.entries(""), source.names("x")) == ([("x", True)], ["y"])
        assert source.place_of("x/y/a/9.tif") == f"{tmp_path}/x/y/a/9.tif"
        for ask in (source.entries, source.names, source.read):
            for path in ("y", "x/z", "y/x", "x/a/9.tif"):
                with pytest.raises(FileNotFoundError):
                    ask(path)


class TestListed(ListsContract):
    """Paths of an archive, listed as folders."""

    def listed(self, folder, contents):
        return PathListing(str(folder), list(contents))


class HeldContract(ReadsContract):
    """Members of an archive as the files of a patch."""

    def odd_paths(self):
        return ("c.tif", "a")


class TestHeldTar(HeldContract):
    """Members of a sequential archive, which are in memory."""

    def readable(self, folder, contents):
        file = io.BytesIO()
        with tarfile.open(fileobj=file, mode="w") as tar:
            for path, content in contents.items():
                info = tarfile.TarInfo(path)
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
        path = folder / "x.tar"
        path.write_bytes(file.getvalue())
        held = {member.path: member.read() for member in TarArchive([path]).members()}
        return MemberFiles(str(path), held, sum(map(len, held.values())))


class TestHeldZip(HeldContract):
    """Members of a zip, which are read on request."""

    def readable(self, folder, contents):
        path = folder / "x.zip"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in contents.items():
                # zipfile can't write names that are not UTF-8
                archive.writestr(name.replace("\udce4", "?"), content)
        files = {m.path.replace("?", "\udce4"): m for m in ZipArchive([path]).members()}
        return MemberFiles(str(path), files)
