"""Tortilla and TACO files: names, places, damage, sets of files, and what the footers say."""

from __future__ import annotations

import os
import random
import struct
import zipfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from corpus.tortillas import HEADER_BYTES, Piece, footer_of, nested, tortilla_of, write_parts
from rico_hdl.errors import ArchiveError, IncompleteArchiveError, SourceError
from rico_hdl.sources.opening import archives_in, open_archive
from rico_hdl.sources.tortilla import footer as footers
from rico_hdl.sources.tortilla.archive import MAX_DEPTH, TortillaArchive
from rico_hdl.testing.contracts.archives import outcome_of
from rico_hdl.testing.contracts.files import flip
from tests.support.tortilla_files import leaves, tables

SETS = ("benv2", "treesatai")
COLLECTION = {"id": "c", "dataset_version": "1"}


def pieces_of(n=3, prefix="sample"):
    """Samples that are files."""
    rng = random.Random(n)
    return [Piece(f"{prefix}_{i}", rng.randbytes(40 + i)) for i in range(n)]


def write(path, data):
    """The archive in a file with these bytes."""
    path.write_bytes(data)
    return TortillaArchive([path])


def footer_with(pieces, **columns):
    """The footer of some samples with other values in some columns."""
    table = pq.read_table(pa.BufferReader(footer_of(pieces)))
    for name, values in columns.items():
        full = f"tortilla:{name}"
        table = table.set_column(table.column_names.index(full), full, pa.array(values))
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd", use_dictionary=False)
    return sink.getvalue().to_pybytes()


class TestRealFiles:
    """The two files at hand, of GEO-Bench-2."""

    @pytest.mark.parametrize("name", SETS)
    def test_leaves_are_those_that_the_footers_place(self, samples, name):
        """Every leaf has the bytes at the place that pyarrow reads from the footers."""
        path = samples / "GEO-Bench-2" / f"{name}.tortilla"
        places, data = leaves(path), path.read_bytes()
        found = {m.path: m.read() for m in open_archive(path, None).members()}
        assert found == {p: data[start : start + n] for p, (start, n) in places.items()}
        assert len(found) == {"benv2": 18, "treesatai": 27}[name]

    @pytest.mark.parametrize("name", SETS)
    def test_rows_are_the_footers(self, samples, name):
        """Rows are what pyarrow reads, under names without prefixes, without places in the file."""
        path = samples / "GEO-Bench-2" / f"{name}.tortilla"
        rows = next(tables(path.read_bytes()))[2]
        expected = [
            {key.partition(":")[2] or key: value for key, value in row.items()} for row in rows
        ]
        for row in expected:
            del row["offset"], row["length"]
            row["file"] = name
        assert list(TortillaArchive([path]).rows()) == expected

    @pytest.mark.parametrize("name", SETS)
    def test_no_damage_of_headers_and_footers_gives_other_leaves(self, samples, tmp_path, name):
        """With a damaged byte outside of leaves, each content is a leaf's, or there is an error."""
        path = tmp_path / f"{name}.tortilla"
        data = (samples / "GEO-Bench-2" / path.name).read_bytes()
        path.write_bytes(data)
        known = {data[start : start + n] for start, n in leaves(path).values()}
        outside = sorted(
            set(range(len(data))).difference(
                *(range(start, start + n) for start, n in leaves(path).values())
            )
        )
        rng = random.Random(name)
        n_silent = 0
        for offset in rng.sample(outside, 60):
            change = rng.choice([1, 0x20, 0x80, 0xFF])
            flip(path, offset, change)
            found = outcome_of(TortillaArchive([path]))
            flip(path, offset, change)
            assert {content for _, content in found.contents} <= known, offset
            assert len(found.contents) == len(known) or found.error or found.failed, offset
            n_silent += not (found.error or found.failed)
        assert n_silent < 60


class TestEveryByte:
    """A small file, each of whose bytes is damaged in turn."""

    @pytest.fixture(params=["tortilla", "taco", "uncompressed"])
    def file(self, request, tmp_path):
        """The path of a file, and its leaves by path."""
        inner = [Piece("a", b"alpha-alpha"), Piece("b", b"beta-beta-beta")]
        pieces = [nested("one", inner), Piece("x", b"delta")]
        compression = "none" if request.param == "uncompressed" else "zstd"
        footer = footer_of(pieces, compression=compression, store_schema=False)
        path = tmp_path / "x.tortilla"
        collection = COLLECTION if request.param == "taco" else None
        path.write_bytes(tortilla_of(pieces, collection=collection, footer=footer))
        data = path.read_bytes()
        return path, {p: data[start : start + n] for p, (start, n) in leaves(path).items()}

    @pytest.fixture
    def n_tried(self, file, request):
        """How many bytes to damage: all, unless most of them matter, as in compressed tables."""
        path, _ = file
        is_plain = request.node.callspec.params["file"] == "uncompressed"
        return path.stat().st_size if is_plain else 300

    def test_flipped(self, file, n_tried):
        """Each content is a leaf's bytes, one by one; others are missing with an error."""
        path, expected = file
        data = path.read_bytes()
        places = [range(start, start + n) for start, n in leaves(path).values()]
        known = sorted(expected.values())
        n_errors = n_renamed = 0
        # Leaves have no checksum.
        outside = [i for i in range(len(data)) if not any(i in place for place in places)]
        outside = random.Random(0).sample(outside, min(n_tried, len(outside)))
        for offset in outside:
            change = (0x01, 0x80)[offset % 2]
            flip(path, offset, change)
            found = outcome_of(TortillaArchive([path]))
            flip(path, offset, change)
            contents = sorted(content for _, content in found.contents)
            if found.error or found.failed:
                n_errors += 1
                assert set(contents) <= set(known), offset
            else:
                # Perhaps a changed letter of an id, which nothing in the file repeats.
                assert contents == known, offset
                n_renamed += dict(found.contents) != expected
        assert n_errors > len(outside) / 3
        assert n_renamed < n_errors / 10

    def test_truncated(self, file):
        """However many bytes are there, leaves are intact and the loss is an error."""
        path, expected = file
        n_bytes = path.stat().st_size
        for n in range(n_bytes - 1, -1, -1):
            os.truncate(path, n)
            found = outcome_of(TortillaArchive([path]))
            assert found.error, n
            assert dict(found.contents).items() <= expected.items(), n

    def test_longer(self, file):
        """Bytes after the end are an error."""
        path, _ = file
        with path.open("ab") as out:
            out.write(b"\0")
        assert "but its header states" in outcome_of(TortillaArchive([path])).error


class TestNames:
    """Paths of members."""

    def test_formats_give_extensions(self, tmp_path):
        """GDAL's names of formats become extensions, unless an id has its own."""
        kinds = {
            "GTiff": "tif", "COG": "tif", "HDF5": "h5", "PNG": "png", "JPEG": "jpg",
            "netCDF": "nc", "VRT": "vrt",
        }  # fmt: skip
        pieces = [Piece(f"id_{kind}", b"x", kind) for kind in kinds]
        pieces += [Piece("label.json", b"{}", "BYTES"), Piece("scene.TIF", b"x", "GTiff")]
        found = [m.path for m in write(tmp_path / "x.tortilla", tortilla_of(pieces)).members()]
        assert found == [
            *(f"id_{kind}.{extension}" for kind, extension in kinds.items()),
            "label.json",
            "scene.TIF",
        ]

    def test_repeated_ids_are_a_problem_of_each(self, tmp_path):
        """Samples with the same name can't be told apart: none is given."""
        pieces = [Piece("a", b"1"), Piece("b", b"2"), Piece("a.tif", b"3")]
        members = list(write(tmp_path / "x.tortilla", tortilla_of(pieces)).members())
        assert [(m.path, bool(m.problem)) for m in members] == [
            ("a.tif", True),
            ("b.tif", False),
            ("a.tif", True),
        ]
        assert "several samples are called 'a.tif'" in members[0].problem

    def test_a_repeated_folder_is_a_problem_of_its_members(self, tmp_path):
        """So are tortillas with the same name."""
        pieces = [nested("a", [Piece("s1", b"1")]), nested("a", [Piece("s2", b"1")])]
        members = list(write(tmp_path / "x.tortilla", tortilla_of(pieces)).members())
        assert [(m.path, bool(m.problem)) for m in members] == [("a/s1.tif", 1), ("a/s2.tif", 1)]

    def test_any_depth_within_bounds(self, tmp_path):
        """Tortillas may be nested several times, but not endlessly."""
        piece = Piece("leaf", b"content")
        for level in range(MAX_DEPTH):
            piece = nested(str(level), [piece])
        (member,) = write(tmp_path / "x.tortilla", tortilla_of([piece])).members()
        assert member.path.count("/") == MAX_DEPTH
        assert member.read() == b"content"
        archive = write(tmp_path / "y.tortilla", tortilla_of([nested("more", [piece])]))
        with pytest.raises(ArchiveError, match=f"nested in more than {MAX_DEPTH} others"):
            list(archive.members())

    def test_a_sample_too_large_is_a_problem(self, tmp_path, monkeypatch):
        """A leaf beyond the limit is not read; a nested tortilla may be larger."""
        monkeypatch.setattr(footers, "MAX_MEMBER_BYTES", 100)
        pieces = [nested("a", [Piece("x", bytes(101)), Piece("y", bytes(100))])]
        members = list(write(tmp_path / "x.tortilla", tortilla_of(pieces)).members())
        assert [bool(m.problem) for m in members] == [True, False]
        assert "takes 101 bytes" in members[0].problem


class TestPlaces:
    """Places of samples and footers."""

    @pytest.mark.parametrize(
        ("columns", "reason"),
        [
            ({"offset": [200, 239, 281]}, "expected a place between byte 240"),
            ({"length": [40, 42, 42]}, "expected a place between byte 282"),
            ({"length": [40, 41, 43]}, "between byte 281 and 323"),
            ({"offset": [199, 240, 281]}, "expected a place between byte 200"),
            ({"offset": [200, 240, -1]}, "from byte -1 on"),
            ({"length": [40, 41, -42]}, "takes -42 bytes"),
            ({"offset": [200, 240, 2**63 - 1]}, "from byte 9,223"),
            ({"offset": pa.array([200, 240, 2**64 - 1], pa.uint64())}, "has a footer"),
            ({"offset": ["200", "240", "281"]}, "column tortilla:offset of integers"),
            ({"id": [1, 2, 3]}, "column tortilla:id of text"),
            ({"id": ["a", None, "c"]}, "sample 2 has no tortilla:id"),
            ({"length": [40, 41, None]}, "sample 3 has no tortilla:length"),
        ],
    )
    def test_places_that_can_not_be(self, tmp_path, columns, reason):
        """Overlaps, places outside, and values of another kind are damage; nothing is given."""
        pieces = pieces_of()
        data = tortilla_of(pieces, footer=footer_with(pieces, **columns))
        archive = write(tmp_path / "x.tortilla", data)
        members = archive.members()
        with pytest.raises(ArchiveError, match=reason) as raised:
            next(members)
        assert not isinstance(raised.value, IncompleteArchiveError)
        assert str(tmp_path / "x.tortilla") in raised.value.message
        assert raised.value.hint

    @pytest.mark.parametrize("filler", [bytes(41), b"x" * 41])
    def test_bytes_of_no_sample_are_an_error(self, tmp_path, filler):
        """A sample that the footer lacks is not forgotten, and the one before it may be longer."""
        pieces = pieces_of()
        pieces[1] = Piece("sample_1", filler)
        kept = footer_with(pieces[::2], offset=[200, 281])
        archive = write(tmp_path / "x.tortilla", tortilla_of(pieces, footer=kept))
        found = []
        with pytest.raises(
            IncompleteArchiveError, match="41 bytes from byte 240 on have no sample"
        ):
            found += archive.members()
        members = archive.members()
        first, second = next(members), next(members)
        assert (first.path, second.path) == ("sample_0.tif", "sample_2.tif")
        assert "its length, of 40 bytes, may be damaged" in first.problem
        assert second.read() == pieces[2].data

    def test_samples_may_be_in_any_order(self, tmp_path):
        """The order of members is that of the footer."""
        pieces = pieces_of()
        footer = footer_with(pieces[::-1], offset=[281, 240, 200])
        archive = write(tmp_path / "x.tortilla", tortilla_of(pieces, footer=footer))
        assert [(m.path, m.read()) for m in archive.members()] == [
            (f"{piece.id}.tif", piece.data) for piece in pieces[::-1]
        ]

    def test_bytes_in_the_free_part_of_a_header_are_reported(self, tmp_path):
        """Both programs write zeros there."""
        data = bytearray(tortilla_of(pieces_of()))
        data[120:122] = b"ab"
        archive = write(tmp_path / "x.tortilla", data)
        with pytest.raises(IncompleteArchiveError, match="2 bytes of its header are unknown"):
            list(archive.members())

    def test_a_damaged_sample_costs_no_other(self, tmp_path):
        """The leaves of all other samples are given; then the damage is an error."""
        inner = [[Piece("s1", b"12"), Piece("s2", b"3")] for _ in range(3)]
        data = bytearray(tortilla_of([nested(f"s{i}", p) for i, p in enumerate(inner)]))
        second = HEADER_BYTES + len(tortilla_of(inner[0]))
        data[second] ^= 1
        archive = write(tmp_path / "x.tortilla", data)
        found = outcome_of(archive)
        assert [path for path, _ in found.contents] == [
            "s0/s1.tif", "s0/s2.tif", "s2/s1.tif", "s2/s2.tif",
        ]  # fmt: skip
        assert "x.tortilla/s1 is not a tortilla: it begins with" in found.error

    def test_a_file_that_becomes_shorter(self, tmp_path):
        """A leaf that is not there any more is an error, never a part of it."""
        archive = write(tmp_path / "x.tortilla", tortilla_of(pieces_of()))
        members = list(archive.members())
        os.truncate(tmp_path / "x.tortilla", 260)
        assert members[0].read() == pieces_of()[0].data
        with pytest.raises(ArchiveError, match=r"sample_1\.tif: the file ends after 20 of its 41"):
            members[1].read()

    def test_a_footer_that_is_no_table(self, tmp_path):
        """A footer in another format is damage, described in a sentence."""
        data = tortilla_of(pieces_of(), footer=b"not parquet at all")
        with pytest.raises(ArchiveError, match="footer that can't be read: is not a parquet file"):
            list(write(tmp_path / "x.tortilla", data).members())

    def test_absurd_sizes_take_no_memory(self, tmp_path):
        """Numbers of samples and bytes beyond the limits are refused before anything is read."""
        data = bytearray(tortilla_of(pieces_of()))
        struct.pack_into("<2Q", data, 2, 10, 2**60)
        with pytest.raises(ArchiveError, match="has a damaged header"):
            list(write(tmp_path / "x.tortilla", data).members())
        struct.pack_into("<2Q", data, 2, 2**60, 1000)
        with pytest.raises(ArchiveError, match="is cut short at byte"):
            list(write(tmp_path / "x.tortilla", data).members())
        path = tmp_path / "large.tortilla"
        with path.open("wb") as file:
            n = footers.MAX_FOOTER_BYTES + 1
            file.write(struct.pack("<2s3Q", b"#y", HEADER_BYTES, n, 1))
            file.truncate(HEADER_BYTES + n)
        with pytest.raises(ArchiveError, match="footer of 67,108,865 bytes"):
            list(TortillaArchive([path]).members())

    def test_too_many_samples(self, tmp_path, monkeypatch):
        """A footer that lists more samples than fit into memory is refused."""
        monkeypatch.setattr(footers, "MAX_SAMPLES", 2)
        with pytest.raises(ArchiveError, match="lists 3 samples, expected at most 2"):
            list(write(tmp_path / "x.tortilla", tortilla_of(pieces_of())).members())

    def test_ids_and_collections_are_bounded(self, tmp_path, monkeypatch):
        """Ids of absurd length, and a huge collection, are refused."""
        monkeypatch.setattr(footers, "MAX_TEXT_BYTES", 30)
        assert len(list(write(tmp_path / "x.tortilla", tortilla_of(pieces_of(3))).members())) == 3
        with pytest.raises(ArchiveError, match="texts take more than 30 bytes"):
            list(write(tmp_path / "x.tortilla", tortilla_of(pieces_of(4))).members())
        monkeypatch.setattr(footers, "MAX_COLLECTION_BYTES", 10)
        with pytest.raises(ArchiveError, match=r"collection of \d+ bytes, expected at most 10"):
            list(write(tmp_path / "x.taco", tortilla_of(pieces_of(), 1, COLLECTION)).members())

    def test_an_early_form_is_named(self, tmp_path):
        """Files by an early pytortilla have a text where the number of parts is now."""
        data = bytearray(tortilla_of(pieces_of()))
        data[18:42] = b"GTiff".ljust(24)
        with pytest.raises(ArchiveError, match="early pytortilla, which put the format 'GTiff'"):
            list(write(tmp_path / "x.tortilla", data).members())

    def test_a_taco_ends_with_its_collection(self, tmp_path):
        """A collection that is no JSON is damage."""
        data = tortilla_of(pieces_of(), collection=COLLECTION)
        assert len(list(write(tmp_path / "x.taco", data).members())) == 3
        with pytest.raises(ArchiveError, match="does not end with a collection in JSON"):
            list(write(tmp_path / "y.taco", data[:-1] + b"]").members())


class TestSets:
    """Sets of files, each with a footer."""

    def write(self, folder, n=3, collection=None):
        """A set of `n` files with two samples each."""
        groups = [pieces_of(2, f"part{i}") for i in range(n)]
        path = folder / ("x.tortilla" if collection is None else "x.taco")
        return write_parts(path, groups, collection)

    @pytest.mark.parametrize("collection", [None, COLLECTION])
    def test_any_part_names_all(self, tmp_path, collection):
        """Whichever part is named, all are read; a folder lists the first."""
        files = self.write(tmp_path, collection=collection)
        assert archives_in(tmp_path) == files[:1]
        for file in files:
            archive = open_archive(file, None)
            assert archive.files == tuple(files)
            assert len(list(archive.members())) == 6
        assert {row["file"] for row in open_archive(files[0], None).rows()} == {"x"}

    def test_missing_parts_are_named(self, tmp_path):
        """A gap, or parts that only the headers tell of, are named after the last member."""
        files = self.write(tmp_path, 5)
        files[1].unlink()
        files[4].unlink()
        for file in (files[0], files[2], files[3]):
            found = []
            with pytest.raises(IncompleteArchiveError) as raised:
                found += open_archive(file, None).members()
            reason = "2 of 5 parts are missing: x.0001.part.tortilla, x.0004.part.tortilla"
            assert reason in raised.value.message
            members = open_archive(file, None).members()
            assert [next(members).path for _ in range(6)] == [
                f"part{part}_{i}.tif" for part in (0, 2, 3) for i in range(2)
            ]

    def test_parts_that_nobody_publishes_are_not_missing(self, tmp_path):
        """If a dataset's published files are known, these are all parts of the set."""
        files = self.write(tmp_path, 5)
        for file in files[2:]:
            file.unlink()
        names = [file.name for file in files]
        assert len(list(TortillaArchive(files[:2], names[:2]).members())) == 4
        with pytest.raises(IncompleteArchiveError, match=r"1 of 3 parts are missing: x\.0002"):
            list(TortillaArchive(files[:2], names[:3]).members())
        with pytest.raises(IncompleteArchiveError, match="3 of 5 parts are missing"):
            list(TortillaArchive(files[:2], ["x*.tortilla", "y.0000.part.tortilla"]).members())

    def test_a_part_under_another_name_is_not_the_whole(self, tmp_path):
        """A renamed part is read, but not taken for complete."""
        files = self.write(tmp_path)
        renamed = files[0].rename(tmp_path / "renamed.tortilla")
        with pytest.raises(IncompleteArchiveError, match="one of 3 parts, of which its name says"):
            list(open_archive(renamed, None).members())

    def test_a_whole_file_under_a_parts_name_is_doubtful(self, tmp_path):
        """A file that says that it is complete belongs to no set."""
        files = self.write(tmp_path)
        files[1].write_bytes(tortilla_of(pieces_of()))
        with pytest.raises(
            IncompleteArchiveError, match=r"0001\.part\.tortilla: is one of 1 part, found 3"
        ):
            list(open_archive(files[0], None).members())

    def test_sets_next_to_each_other(self, tmp_path):
        """Other sets, and single files, are archives of their own."""
        (tmp_path / "other.tortilla").write_bytes(tortilla_of(pieces_of()))
        files = self.write(tmp_path, 2) + self.write(tmp_path, 2, COLLECTION)
        found = archives_in(tmp_path)
        assert found == sorted([files[0], files[2], tmp_path / "other.tortilla"])

    def test_a_sample_in_two_parts_is_a_problem(self, tmp_path):
        """Ids are unique in a set; a second sample of the same name is not given."""
        files = write_parts(tmp_path / "x.tortilla", [pieces_of(2), pieces_of(2)])
        members = list(open_archive(files[0], None).members())
        assert [bool(m.problem) for m in members] == [False, False, True, True]
        assert "an earlier part has a sample called 'sample_0.tif', too" in members[2].problem

    def test_a_damaged_part_costs_no_other(self, tmp_path):
        """The samples of the other parts are given, then the error names the part."""
        files = self.write(tmp_path)
        flip(files[1], files[1].stat().st_size - 1, 0xFF)
        found = outcome_of(open_archive(files[0], None))
        assert len(found.contents) == 4
        assert "x.0001.part.tortilla has a footer that can't be read" in found.error
        files[2].unlink()
        error = outcome_of(open_archive(files[0], None)).error
        assert "and 1 more" in error  # the missing part


class TestOpening:
    """Recognising the files."""

    @pytest.mark.parametrize("name", ["x", "x.bin", "x.tortilla", "x.taco", "x.TORTILLA"])
    @pytest.mark.parametrize("collection", [None, COLLECTION])
    def test_by_their_first_bytes(self, tmp_path, name, collection):
        """Whatever its name, a tortilla or TACO is read as such."""
        path = tmp_path / name
        path.write_bytes(tortilla_of(pieces_of(), collection=collection))
        assert len(list(open_archive(path, None).members())) == 3

    @pytest.mark.parametrize("head", [b"#yes: a text\n" * 99, b"WXYZ" * 99])
    def test_texts_that_begin_alike_are_none(self, tmp_path, head):
        """Two letters are not enough."""
        path = tmp_path / "x"
        path.write_bytes(head)
        with pytest.raises(SourceError, match=r"expected a folder or an archive.*\n.*\.tortilla"):
            open_archive(path, None)

    def test_a_damaged_file_is_known_by_its_name(self, tmp_path):
        """The error says what is wrong with it as a tortilla."""
        path = tmp_path / "x.tortilla"
        path.write_bytes(b"##" + tortilla_of(pieces_of())[2:])
        with pytest.raises(ArchiveError, match="is not a tortilla: it begins with 23 23"):
            list(open_archive(path, None).members())

    def test_taco_version_2_is_a_zip(self, tmp_path):
        """Version 2 of TACO, ``.tacozip``, is a zip and is read as one."""
        path = tmp_path / "x.tacozip"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("TACO_HEADER", bytes(116))
            archive.writestr("DATA/sample_0/s2.tif", b"content")
        assert archives_in(tmp_path) == [path]
        members = {m.path: m.read() for m in open_archive(path, None).members()}
        assert members["DATA/sample_0/s2.tif"] == b"content"


class TestRows:
    """What the footers say about samples."""

    def test_names_are_those_of_fields(self, tmp_path):
        """Prefixes are dropped unless that is ambiguous; other characters become underscores."""
        metadata = {
            "tortilla:data_split": "train",
            "stac:time_start": 1.5,
            "time_start": "morning",
            "rai:female": 3,
            "Land Cover (%)": [0.5, 0.25],
            "__index_level_0__": 7,
            "missing": None,
            "struct": {"a": 1},
        }
        pieces = [Piece("a", b"1", "GTiff", metadata), nested("b", pieces_of(1), **metadata)]
        rows = list(write(tmp_path / "x.y.tortilla", tortilla_of(pieces)).rows())
        assert rows[0] == {
            "id": "a",
            "file_format": "GTiff",
            "data_split": "train",
            "time_start": "morning",
            "stac_time_start": 1.5,
            "female": 3,
            "land_cover____": [0.5, 0.25],
            "missing": None,
            "file": "x.y",
        }
        assert [row["id"] for row in rows] == ["a", "b"]

    def test_many_rows_take_little_memory(self, tmp_path):
        """Rows are read from several pages, and agree with the members' order."""
        n = 5000
        pieces = [Piece(f"s{i}", b"", "GTiff", {"labels": [f"{i}"] * (i % 3)}) for i in range(n)]
        footer = footer_of(pieces, data_page_size=500, row_group_size=1100, write_batch_size=50)
        archive = write(tmp_path / "x.tortilla", tortilla_of(pieces, footer=footer))
        rows = list(archive.rows())
        assert [row["id"] + ".tif" for row in rows] == [m.path for m in archive.members()]
        assert [row["labels"] for row in rows] == [[f"{i}"] * (i % 3) for i in range(n)]

    def test_damage_is_an_error(self, tmp_path):
        """A damaged footer gives no rows."""
        data = tortilla_of(pieces_of(), footer=b"PAR1 nothing PAR1")
        with pytest.raises(ArchiveError, match=r"x\.tortilla has a footer"):
            list(write(tmp_path / "x.tortilla", data).rows())
        with pytest.raises(SourceError, match="no such file"):
            list(TortillaArchive([tmp_path / "absent.tortilla"]).rows())
