"""Zipped Zarr stores keep the promises of every archive."""

import zipfile

from rico_hdl.testing.contracts.archives import ArchiveContract, flip
from rico_hdl.testing.zarrs import Storage, write_store
from tests.support.zarr_files import BANDS, SAMPLES, band_of, cube_of, judged, open_store, write

SHAPE = (3, 2, 3, 6, 7)


class TestZarr(ArchiveContract):
    """A store with a chunk for each sample."""

    sequential = False
    chunks = (1, 2, 3, 6, 7)

    def write(self, folder):
        path = write(folder / "x.zarr.zip", cube_of(SHAPE), Storage(chunks=self.chunks))
        return [path], judged(path)

    def open(self, files):
        return open_store(*files)

    def meaning(self, content):
        return band_of(content)

    def write_hostile(self, folder, outside):
        names = ["0080717", str(outside), f"../{outside.name}"]
        path = folder / "x.zarr.zip"
        write_store(path, cube_of((3, 1, 1, 2, 2)), names, ["vv"])
        return [path], 2

    def checked_bytes(self, files):
        # Arrays of no use here, such as coordinates, may be damaged without a word.
        (path,) = files
        with zipfile.ZipFile(path) as archive:
            infos = [info for info in archive.infolist() if info.filename.startswith("bands/")]
        return [
            (path, offset)
            for info in infos
            for offset in range(info.header_offset, info.header_offset + info.compress_size + 30)
        ]

    def damage_member(self, files):
        (path,) = files
        with zipfile.ZipFile(path) as archive:
            info = archive.getinfo("bands/1.0.0.0.0")
        flip(path, info.header_offset + 30 + len(info.filename) + 20, 0xFF)
        return {f"{SAMPLES[1]}/{time}/{band}.npy" for time in range(2) for band in BANDS}


class TestLargeChunks(TestZarr):
    """A store with one chunk, which all members share."""

    chunks = SHAPE
    damage_member = ArchiveContract.damage_member  # it costs all of them
