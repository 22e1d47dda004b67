"""The journal on its own, and after a crash of the machine."""

from __future__ import annotations

import shutil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rico_hdl.checking.verification import verify
from rico_hdl.decoding.tiff import Raster
from rico_hdl.errors import StoreError
from rico_hdl.record import encode
from rico_hdl.store import JournalEntry, NewestEntries, StoreWriter, digest, journal, read_journal
from rico_hdl.store.blocks import Gap
from rico_hdl.values import Origin, Record
from tests.support.reading import records

ORIGINS = [Origin("s1", "/data/S1"), Origin("s2", "/däta/S2"), Origin("", "")]
LAYOUTS = [(), (("B02", "uint16", (2, 3)),), (("VH", "float32", (1, 1)), ("VV", "float32", (1, 1)))]


def entries():
    """Entries with any keys, digests, sizes, origins and layouts."""
    return st.builds(
        JournalEntry,
        st.binary(min_size=1, max_size=511),
        st.integers(0, 2**128 - 1),
        st.integers(0, 2**63),
        st.sampled_from(ORIGINS),
        st.sampled_from(LAYOUTS),
        st.booleans(),
        st.booleans(),
    )


def write(path, *groups):
    """Append groups of entries as blocks."""
    with path.open("ab", buffering=0) as file:
        for group in groups:
            journal.append(file, group)


@given(st.lists(st.lists(entries(), min_size=1, max_size=5), max_size=4))
def test_appended_entries_are_read_back(tmp_path_factory, groups):
    """Every field of every entry survives, block by block."""
    path = tmp_path_factory.mktemp("journal") / "journal"
    write(path, *groups)
    found = list(journal.blocks(path))
    assert [block.entries for block in found] == groups
    assert (found[-1].stop if found else 0) == path.stat().st_size


@given(st.lists(st.lists(entries(), min_size=1, max_size=5), min_size=1, max_size=4))
def test_the_newest_entry_of_a_key_counts(tmp_path_factory, groups):
    """Entries come back sorted by key, one for each key, without removed ones."""
    path = tmp_path_factory.mktemp("journal") / "journal"
    write(path, *groups)
    newest = {entry.key: entry for group in groups for entry in group}
    expected = [newest[key] for key in sorted(newest) if not newest[key].removed]
    noted = NewestEntries(path)
    assert list(noted) == expected
    assert list(noted) == expected
    assert noted.stop == path.stat().st_size
    assert [block.entries for block in noted.last] == groups[-journal.N_UNSETTLED :]


def some_entries(n, start=0):
    """Entries with n different keys."""
    return [
        JournalEntry(f"key-{i:03}".encode(), i**9, i, ORIGINS[0], LAYOUTS[1])
        for i in range(start, n)
    ]


def test_every_cut_leaves_the_blocks_before_it(tmp_path):
    """A journal that is cut at any byte gives its intact blocks and their ends."""
    path = tmp_path / "journal"
    groups = [some_entries(3), some_entries(6, 3), some_entries(8, 6)]
    write(path, *groups)
    data = path.read_bytes()
    stops = [0, *(block.stop for block in journal.blocks(path))]
    for cut in range(len(data)):
        path.write_bytes(data[:cut])
        found = list(journal.blocks(path))
        n = sum(stop <= cut for stop in stops) - 1
        assert [block.entries for block in found] == groups[:n]
        state = read_journal(path)
        assert (state.stop, state.last) == (stops[n], found)
        assert state.totals.n_records == sum(map(len, groups[:n]))
        assert state.gaps == ([] if cut == stops[n] else [Gap(stops[n], cut, torn=True)])


def test_every_flipped_bit_costs_its_own_block_alone(tmp_path):
    """A flipped bit invalidates only its own block, and all others are read."""
    path = tmp_path / "journal"
    groups = [some_entries(2), some_entries(4, 2), some_entries(6, 4)]
    write(path, *groups)
    data = path.read_bytes()
    stops = [0, *(block.stop for block in journal.blocks(path))]
    assert stops[-1] == len(data)
    for bit in range(8 * len(data)):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        path.write_bytes(flipped)
        n = max(i for i, stop in enumerate(stops) if stop <= bit // 8)
        assert [block.entries for block in journal.blocks(path)] == groups[:n] + groups[n + 1 :]
        state = read_journal(path)
        (gap,) = state.gaps
        assert (gap.start, gap.stop) == (stops[n], stops[n + 1])
        assert state.stop == stops[-2 if n == 2 else -1]
        assert NewestEntries(path).gaps == [gap]
        # Only at the end can a kill have left such a block.
        assert n == 2 or state.is_damaged


@pytest.mark.parametrize("n_bytes", [0, 1, 23, 24, 100, 2**20 - 5, 2**20 + 3])
def test_blocks_behind_any_damage_are_found(tmp_path, n_bytes):
    """Arbitrary bytes between two blocks are skipped, including magic numbers."""
    path = tmp_path / "journal"
    groups = [some_entries(3), some_entries(6, 3)]
    write(path, groups[0])
    first = path.stat().st_size
    junk = (b"RJ1\n" + bytes(range(1, 200))) * (n_bytes // 203 + 1)
    with path.open("ab") as file:
        file.write(junk[:n_bytes])
    write(path, groups[1])
    assert [block.entries for block in journal.blocks(path)] == groups
    expected = [Gap(first, first + n_bytes, torn=False)] if n_bytes else []
    assert read_journal(path).gaps == expected


def test_a_short_write_is_a_full_disk():
    """A partly written block is an error, even though the system reports none."""

    class Short:
        def write(self, data):
            return len(data) - 1

    with pytest.raises(OSError, match="No space left"):
        journal.append(Short(), some_entries(1))


def record(number):
    """A record of one band; the same number gives the same record."""
    key = f"key-{number:03}".encode()
    pixels = number.to_bytes(2, "little") * 600
    data = encode(("B02",), [Raster("uint16", (20, 30), pixels)])
    layout = (("B02", "uint16", (20, 30)),)
    origin = Origin("s2", "/data")
    return Record(key, origin, data, digest.record_digest(key, data), layout, constant=True)


N_COMMITS, N_RECORDS = 5, 4


ORIGIN = Origin("s2", "/data")


def finish(target):
    """Put or confirm the missing records, as a conversion does; returns the number of puts."""
    n = 0
    with StoreWriter(target, modality_of=lambda _, layout: "s2" if layout else "") as store:
        elsewhere = dict(store.provenance.elsewhere([ORIGIN]))
        for number in range(N_COMMITS * N_RECORDS):
            wanted = record(number)
            if wanted.key not in store:
                store.put(wanted)
                n += 1
            elif wanted.key in elsewhere:
                assert store.holds(wanted)
                store.confirm(wanted, elsewhere[wanted.key])
        store.commit()
        assert not store.provenance.unproven()
        totals = store.totals
    # The writer's totals agree with the journal.
    again = read_journal(target / "rico-hdl.journal").totals
    assert (again.n_records, again.digest) == (totals.n_records, totals.digest)
    assert again.modalities["s2"].n_patches == again.n_records
    assert again.modalities["s2"].n_constant == again.n_records
    assert list(again.modalities["s2"].layouts) == [record(0).layout]
    return n


@pytest.fixture(scope="module")
def snapshots(tmp_path_factory):
    """The files after each commit, preceded by an empty folder's, and the finished folder."""
    root = tmp_path_factory.mktemp("snapshots")
    with StoreWriter(root / "target") as store:
        for commit in range(N_COMMITS + 1):
            for number in range((commit - 1) * N_RECORDS, commit * N_RECORDS):
                if commit:
                    store.put(record(number))
            store.commit()
            (root / str(commit)).mkdir()
            for name in ("data.mdb", "rico-hdl.journal"):
                shutil.copy(root / "target" / name, root / str(commit) / name)
    return root


@pytest.mark.parametrize("tail", ["", "torn", "zeros", "junk"])
@pytest.mark.parametrize("journal_at", range(N_COMMITS + 1))
@pytest.mark.parametrize("data_at", range(N_COMMITS + 1))
def test_any_two_states_are_reconciled(tmp_path, snapshots, data_at, journal_at, tail):
    """Whichever commits a crash takes from the database or the journal, a new run restores them."""
    target = tmp_path / "target"
    target.mkdir()
    shutil.copy(snapshots / str(data_at) / "data.mdb", target / "data.mdb")
    note = target / "rico-hdl.journal"
    shutil.copy(snapshots / str(journal_at) / "rico-hdl.journal", note)
    # A block being written: cut off, or allocated by the file system but never filled; or bytes
    # that no kill leaves there.
    whole = (snapshots / str(N_COMMITS) / "rico-hdl.journal").read_bytes()
    behind = {"": b"", "torn": whole[:90], "zeros": bytes(90), "junk": whole[-90:]}[tail]
    note.write_bytes(note.read_bytes() + behind)

    before = verify(target)
    kinds = {finding.kind for finding in before.findings}
    if journal_at - data_at in range(journal.N_UNSETTLED + 1):
        assert kinds == set()
        assert before.n_unfinished == N_RECORDS * (journal_at - data_at)
    elif journal_at > data_at:
        assert kinds == ({"missing", "damaged"} if tail else {"missing"})
    elif data_at and tail:
        assert kinds == {"damaged"}
        assert before.n_unproven == N_RECORDS * (data_at - journal_at)
    elif journal_at and data_at:
        assert kinds == {"extra"}

    assert finish(target) == N_RECORDS * (N_COMMITS - data_at)
    assert records(target) == records(snapshots / "target")
    after, expected = verify(target), verify(snapshots / "target")
    assert (after.findings, after.n_unproven, after.n_unfinished) == ([], 0, 0)
    assert after.content_digest == expected.content_digest
    assert finish(target) == 0


def test_journal_that_cannot_be_written_loses_nothing(tmp_path, monkeypatch):
    """If the note of a transaction can't be written, the transaction is not committed."""
    with StoreWriter(tmp_path) as store:
        store.put(record(0))

    def fail(file, entries):
        del file, entries
        raise OSError(28, "No space left on device")

    store = StoreWriter(tmp_path)
    store.put(record(1))
    with monkeypatch.context() as patched:
        patched.setattr(journal, "append", fail)
        with pytest.raises(StoreError, match="No space left on device") as caught:
            store.commit()
    store.close()
    assert str(tmp_path) in caught.value.message
    assert "run the same command again" in caught.value.hint
    assert len(records(tmp_path)) == 1
    assert verify(tmp_path).findings == []
    assert finish(tmp_path) == N_COMMITS * N_RECORDS - 1
    assert verify(tmp_path).findings == []
