"""Tar archives satisfy the contract of archives."""

import io
import tarfile

from corpus.archives import COMPRESSIONS
from rico_hdl.sources.tar.archive import TarArchive
from rico_hdl.testing.contracts.archives import ArchiveContract, all_bytes
from tests.support.tar_files import BLOCK, saved, some_contents, tar_of


class TestTar(ArchiveContract):
    """An uncompressed tar file."""

    sequential = True
    suffix = "tar"
    n_parts = 1

    def write(self, folder):
        contents = some_contents()
        packed = COMPRESSIONS[self.suffix](tar_of(contents))
        stops = [len(packed) * i // self.n_parts for i in range(1, self.n_parts)]
        return saved(folder, packed, *stops), contents

    def open(self, files):
        return TarArchive(files)

    def write_hostile(self, folder, outside):
        file = io.BytesIO()
        with tarfile.open(fileobj=file, mode="w") as tar:
            for name in (str(outside), f"../{outside.name}", "a/../../b"):
                info = tarfile.TarInfo(name)
                info.size = 3
                tar.addfile(info, io.BytesIO(b"abc"))
            for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE):
                info = tarfile.TarInfo("link.tif")
                info.type, info.linkname = kind, str(outside)
                tar.addfile(info)
        return saved(folder, COMPRESSIONS[self.suffix](file.getvalue())), 5

    def checked_bytes(self, files):
        # Only headers have checksums; contents and padding have none.
        (file,) = files
        data = file.read_bytes()
        return [
            (file, at + i)
            for at in range(0, len(data), BLOCK)
            if data[at + 257 : at + 262] == b"ustar"
            for i in range(BLOCK)
        ]


class TestTarGz(TestTar):
    """A tar file with a checksum at its end: members are read before damage is known."""

    suffix = "tar.gz"

    def checked_bytes(self, files):
        return all_bytes(files, lambda i: i >= 10)  # the header has no checksum

    def judge_damaged(self, found, _, where):
        assert found.error, where


class TestTarZst(TestTarGz):
    """The same with zstd."""

    suffix = "tar.zst"

    def checked_bytes(self, files):
        return all_bytes(files)


class TestSplitTar(TestTar):
    """A compressed tar file in three parts."""

    suffix = "tar.zst"
    n_parts = 3

    def checked_bytes(self, files):
        return all_bytes(files)

    judge_damaged = TestTarGz.judge_damaged
