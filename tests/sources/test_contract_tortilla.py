"""Tortilla and TACO files satisfy the contract of archives."""

import random

from corpus.tortillas import Piece, nested, tortilla_of, write_parts
from rico_hdl.sources.tortilla.archive import TortillaArchive
from rico_hdl.testing.contracts.archives import ArchiveContract
from tests.support.tortilla_files import header_bytes

COLLECTION = {"id": "sample", "dataset_version": "1.0.0", "description": "samples"}


def some_pieces(seed=0, prefix="sample"):
    """Four samples with three files each, and the contents by path."""
    rng = random.Random(seed)
    pieces, contents = [], {}
    for i in range(4):
        files = [Piece(name, rng.randbytes(rng.randrange(200, 900))) for name in ("s1", "s2", "x")]
        pieces.append(
            nested(f"{prefix}_{i}", files, **{"tortilla:data_split": "train", "lon": 0.5})
        )
        contents |= {f"{prefix}_{i}/{file.id}.tif": file.data for file in files}
    return pieces, contents


class TestTortilla(ArchiveContract):
    """Samples that are tortillas themselves, as in GEO-Bench-2."""

    sequential = False
    collection = None

    def write(self, folder):
        pieces, contents = some_pieces()
        path = folder / "x.tortilla"
        path.write_bytes(tortilla_of(pieces, collection=self.collection))
        return [path], contents

    def open(self, files):
        return TortillaArchive(files)

    def write_hostile(self, folder, outside):
        odd = [str(outside), "../outside", "..", "a/../../b", "", "."]
        pieces = [Piece(name, b"abc", "BYTES") for name in odd]
        pieces.append(nested("../..", [Piece("good", b"abc"), Piece("../outside", b"abc")]))
        pieces.append(Piece("good", b"abc"))
        path = folder / "x.tortilla"
        path.write_bytes(tortilla_of(pieces))
        return [path], len(odd) + 2

    def checked_bytes(self, files):
        # The leaves have no checksums, and a footer's ids need not be what they were.
        return [(path, offset) for path in files for offset in header_bytes(path)]


class TestTaco(TestTortilla):
    """A TACO of version 1, with a collection at its end."""

    collection = COLLECTION


class TestFlat(TestTortilla):
    """Samples that are files."""

    def write(self, folder):
        rng = random.Random(1)
        kinds = {"GTiff": ".tif", "HDF5": ".h5", "BYTES": "", "PNG": ".png"}
        pieces, contents = [], {}
        for i in range(8):
            kind = list(kinds)[i % len(kinds)]
            pieces.append(Piece(f"sample_{i}", rng.randbytes(rng.randrange(200, 900)), kind))
            contents[f"sample_{i}{kinds[kind]}"] = pieces[-1].data
        path = folder / "x.tortilla"
        path.write_bytes(tortilla_of(pieces))
        return [path], contents


class TestParts(TestTortilla):
    """A set of three files, the last one with fewer samples."""

    def write(self, folder):
        groups = [some_pieces(i, f"part_{i}") for i in range(3)]
        files = write_parts(folder / "x.tortilla", [pieces for pieces, _ in groups])
        return files, {path: data for _, contents in groups for path, data in contents.items()}
