"""Zip archives satisfy the contract of archives."""

import zipfile

from rico_hdl.sources.zip.archive import ZipArchive
from rico_hdl.testing.contracts.archives import ArchiveContract, all_bytes
from rico_hdl.testing.contracts.files import flip
from tests.support.zip_files import Piece, pieces_of, some_contents, write, zip_of


class TestZip(ArchiveContract):
    """An archive by `zipfile`."""

    sequential = False

    def write(self, folder):
        contents = some_contents()
        (folder / "x.zip").write_bytes(zip_of(contents))
        return [folder / "x.zip"], contents

    def open(self, files):
        return ZipArchive(files)

    def write_hostile(self, folder, outside):
        pieces = [
            Piece(str(outside).encode(), b"abc"),
            Piece(b"../outside.tif", b"abc"),
            Piece(b"a/../../b", b"abc"),
            Piece(b"link.tif", str(outside).encode(), mode=0o120777),
            Piece(b"C:\\outside.tif", b"abc", system=0),
        ]
        return write(folder / "x.zip", pieces), len(pieces)

    def checked_bytes(self, files):
        return all_bytes(files)

    def damage_member(self, files):
        with zipfile.ZipFile(files[0]) as archive:
            info = archive.infolist()[3]
        flip(files[0], info.header_offset + 30 + len(info.filename) + 7, 0xFF)
        return {info.filename}


class TestVolumes(TestZip):
    """A set of volumes, with members that span two of them."""

    def write(self, folder):
        contents = some_contents()
        pieces = pieces_of(contents)
        return write(folder / "x.zip", pieces, volume_bytes=3000), contents

    damage_member = ArchiveContract.damage_member
