"""Zarr stores for tests, and their contents according to the zarr library."""

from itertools import product

import numpy as np
import zarr
from zarr.storage import ZipStore

import corpus
from rico_hdl.datasets import get
from rico_hdl.errors import ArchiveError, SourceError
from rico_hdl.sources.zarr.archive import ZarrArchive
from rico_hdl.testing.zarrs import write_store

SAMPLES = ["0080717", "0060573", "0179869", "0012333", "0216839"]
BANDS = ["vv", "vh", "B8A"]


def cube_of(shape=(5, 4, 3, 6, 7), dtype="int16"):
    """Pixels that encode their sample, time, band, row and column."""
    cube = np.empty(shape, dtype)
    for sample, time, band in product(*map(range, shape[:3])):
        cube[sample, time, band] = corpus.pixels(f"{sample} {time}", band, shape[3:], dtype)
    return cube


def write(path, cube=None, storage=None, bands=BANDS):
    """A store of some pixels."""
    cube = cube_of() if cube is None else cube
    write_store(path, cube, SAMPLES[: len(cube)], bands[: cube.shape[2]], storage)
    return path


def open_store(*files):
    """A store as an archive of the bands that SSL4EO-S12 v1.1 has."""
    modality = get("ssl4eo-s12-v1.1").modality("s1")
    return ZarrArchive(files, modality.arrays, modality.files)


def judged(path):
    """By path, the band of each member, as the zarr library reads it."""
    with ZipStore(path, mode="r") as store:
        group = zarr.open_group(store, mode="r", zarr_format=2)
        cube, samples, bands = group["bands"][:], group["sample"][:], group["band"][:]
    return {
        f"{plain(samples[sample])}/{time}/{plain(bands[band])}.npy": little(
            cube[sample, time, band]
        )
        for sample, time, band in product(*map(range, cube.shape[:3]))
    }


def plain(word):
    """A string, decoded if it is bytes."""
    return word.decode() if isinstance(word, bytes) else str(word)


def little(array):
    """The bytes of an array, little-endian, in C order; with its dtype and shape."""
    array = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
    return array.dtype.name, array.shape, array.tobytes()


def found(path):
    """The same as `judged`, read by the archive and numpy."""
    return {member.path: band_of(member.read()) for member in open_store(path).members()}


def band_of(data):
    """The pixels of a member: dtype, shape and bytes."""
    return data.dtype, data.shape, bytes(data.data)


def outcome(path):
    """The members that can be read, the errors of the others, and the error of the store."""
    contents, reasons, damage = {}, {}, ""
    try:
        for member in open_store(path).members():
            try:
                contents[member.path] = band_of(member.read())
            except ArchiveError as error:
                reasons[member.path] = error.message
    except (ArchiveError, SourceError) as error:
        damage = error.message
    return contents, reasons, damage
