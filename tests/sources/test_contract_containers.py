"""Files that hold many patches keep the promises of every archive."""

import io
import tarfile
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory

import h5py
import numpy as np

from rico_hdl.sources.arrays.containers import ContainerFiles, container_at
from rico_hdl.sources.arrays.inside import ContainersInArchive
from rico_hdl.sources.tar.archive import TarArchive
from rico_hdl.sources.zip.archive import ZipArchive
from rico_hdl.testing.contracts.archives import SECRET, ArchiveContract, all_bytes, flip
from rico_hdl.testing.zarrs import Storage, write_store
from tests.support.container_files import (
    cube_of,
    expected_of,
    meaning,
    modality_of,
    write_hdf5,
)

AXES = "sample time band y x"


class ContainerContract(ArchiveContract):
    """A file with samples and times."""

    sequential = False
    suffix = ".npy"
    path = ""

    def modality(self):
        """The modality of the files."""
        return modality_of(f"{{split}}{self.suffix}/{{sample:d}}/{{time:d}}", AXES, self.path)

    def write_file(self, path, cube):
        """Write one file."""
        np.save(path, cube)

    def write(self, folder):
        path = folder / f"train{self.suffix}"
        self.write_file(path, cube_of(AXES))
        return [path], expected_of(cube_of(AXES), AXES, path.name)

    def open(self, files):
        return container_at(files[0], self.modality())

    def meaning(self, content):
        return meaning(content)

    def write_hostile(self, folder, outside):
        assert outside.exists()  # nothing in these files can name it
        files, _ = self.write(folder)
        return files, 0

    def checked_bytes(self, files):
        return all_bytes(files, lambda i: i < 10)


class TestNpy(ContainerContract):
    """A file of numpy."""


class TestNpz(ContainerContract):
    """A zip file of numpy, whose arrays have checksums."""

    suffix = ".npz"
    path = "image"

    def write_file(self, path, cube):
        np.savez_compressed(path, image=cube, other=cube[:1])

    def checked_bytes(self, files):
        (path,) = files
        with zipfile.ZipFile(path) as file:
            info = file.getinfo("image.npy")
        start = info.header_offset + 30 + len("image.npy") + 20
        return [(path, i) for i in range(start, info.header_offset + info.compress_size)]


class TestHdf5(ContainerContract):
    """A file of HDF5 with chunks that have checksums."""

    suffix = ".h5"
    path = "a/image"
    chunks = (2, 1, 3, 6, 7)

    def write_file(self, path, cube):
        options = {"compression": "gzip", "shuffle": True, "fletcher32": True}
        write_hdf5(path, {self.path: cube}, chunks=self.chunks, **options)

    def write(self, folder):
        files, expected = super().write(folder)
        # Patches of a chunk come together: both samples at the first time, then at the second.
        order = [(s, t) for block in ((0, 1), (2,)) for t in range(2) for s in block]
        return files, {f"train.h5/{s}/{t}": expected[f"train.h5/{s}/{t}"] for s, t in order}

    def _chunks(self, path):
        with h5py.File(path) as file:
            found = []
            file[self.path].id.chunk_iter(found.append)
            return found

    def checked_bytes(self, files):
        (path,) = files
        return [
            (path, i)
            for chunk in self._chunks(path)
            for i in range(chunk.byte_offset, chunk.byte_offset + chunk.size)
        ]

    def damage_member(self, files):
        (path,) = files
        chunk = next(c for c in self._chunks(path) if c.chunk_offset == (0, 1, 0, 0, 0))
        flip(path, chunk.byte_offset + 20, 0xFF)
        return {"train.h5/0/1", "train.h5/1/1"}

    def write_hostile(self, folder, outside):
        names = np.array([b"0080717", str(outside).encode(), b"../outside.tif"])
        path = folder / "train.h5"
        write_hdf5(path, {"a/image": cube_of(AXES), "names": names})
        self.modality = lambda: modality_of(
            "{split}.h5/{sample}/{time:d}", AXES, self.path, labels={"sample": "names"}
        )
        return [path], 4


class TestZarr(ContainerContract):
    """A zipped store whose samples have no names."""

    suffix = ".zarr.zip"
    path = "bands"

    def write_file(self, path, cube):
        write_store(
            path, cube, ["a", "b", "c"], ["b1", "b2", "b3"], Storage(chunks=(1, 2, 3, 6, 7))
        )

    def checked_bytes(self, files):
        (path,) = files
        with zipfile.ZipFile(path) as archive:
            infos = [info for info in archive.infolist() if info.filename.startswith("bands/")]
        return [
            (path, offset)
            for info in infos
            for offset in range(info.header_offset, info.header_offset + info.compress_size + 30)
        ]


class TestFolder(ContainerContract):
    """Several files below a folder."""

    def write(self, folder):
        expected, files = {}, []
        for i, split in enumerate(("test", "train", "val")):
            files.append(folder / f"{split}.npy")
            np.save(files[-1], cube_of(AXES) + i)
            expected |= expected_of(cube_of(AXES) + i, AXES, f"{split}.npy")
        return files, expected

    def open(self, files):
        names = [file.name for file in files]
        location = files[0].parent if len(files) > 1 else files[0]
        return ContainerFiles(location, files[0].parent, names, self.modality())

    def test_it_says_where_it_is_and_how_it_is_read(self, written):
        """Location, files and kind are known before anything is read."""
        files, _ = written
        archive = self.open(files)
        assert archive.location == str(files[0].parent)
        assert archive.files == tuple(files)
        assert archive.n_bytes_read == 0

    def test_a_damaged_member_fails_alone(self, written):
        """A file that can't be read is named, and those before and after it are unchanged."""
        files, expected = written
        flip(files[1], 0, 0xFF)
        found = self.outcome(files)
        assert dict(found.contents) == {p: c for p, c in expected.items() if "train" not in p}
        assert "1 of 3 files can't be read" in found.error
        assert str(files[1]) in found.error


class InsideContract(ContainerContract):
    """Files with many patches as members of an archive."""

    sequential = True

    def write_members(self, path, members):
        """Write the archive."""

    def members(self):
        """The bytes of each file by its path, and the patches in it."""
        for split in ("test", "train"):
            buffer = io.BytesIO()
            np.save(buffer, cube_of(AXES))
            name = f"top/{split}.npy"
            yield name, buffer.getvalue(), expected_of(cube_of(AXES), AXES, name)

    def checked_bytes(self, files):
        return all_bytes(files, lambda i: i < 512)


class TestTar(InsideContract):
    """Array files in a tar."""

    def write(self, folder):
        path, expected = folder / "x.tar", {}
        with tarfile.open(path, "w") as archive:
            for name, data, patches in self.members():
                info = tarfile.TarInfo(name)
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
                expected |= patches
        return [path], expected

    def open(self, files):
        return ContainersInArchive(TarArchive(files), self.modality())

    def write_hostile(self, folder, outside):
        path = folder / "x.tar"
        (name, data, _), _ = self.members()
        with tarfile.open(path, "w") as archive:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
            for other in (str(outside), f"../{outside.name}"):
                info = tarfile.TarInfo(other)
                info.size = len(SECRET)
                archive.addfile(info, io.BytesIO(SECRET))
        return [path], 2


class TestZip(InsideContract):
    """Array files in a zip."""

    def write(self, folder):
        path, expected = folder / "x.zip", {}
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data, patches in self.members():
                archive.writestr(name, data)
                expected |= patches
        return [path], expected

    def open(self, files):
        return ContainersInArchive(ZipArchive(files), self.modality())

    def checked_bytes(self, files):
        (path,) = files
        with zipfile.ZipFile(path) as archive:
            info = archive.infolist()[0]
        return [(path, i) for i in range(40, info.compress_size)]


class TestZarrInTar(TestTar):
    """Zipped stores in a tar, as for one sample each."""

    suffix = ".zarr.zip"
    path = "bands"

    def members(self):
        for split in ("test", "train"):
            with TemporaryDirectory() as folder:
                path = Path(folder) / "x.zarr.zip"
                write_store(path, cube_of(AXES), ["a", "b", "c"], ["b1", "b2", "b3"])
                data = path.read_bytes()
            name = f"top/{split}.zarr.zip"
            expected = expected_of(cube_of(AXES), AXES, name)
            order = [(s, t) for t in range(2) for s in range(3)]  # a chunk for each time
            yield name, data, {p: expected[p] for s, t in order for p in [f"{name}/{s}/{t}"]}
