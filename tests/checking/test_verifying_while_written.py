"""Verifying a store while a conversion writes to it: no false alarm, and no false all-clear."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from rico_hdl.checking.verification import verify
from rico_hdl.errors import StoreError
from rico_hdl.store import Pages, StoreWriter
from rico_hdl.testing.contracts.files import flip
from tests.support.reading import records
from tests.support.writing import SIDES, N, key_of, record, writer

SECONDS = 1.5
"""How long a store is verified repeatedly in a short run."""


def begin(folder: Path, side: int) -> Path:
    """A store of the patches that the writers use."""
    with StoreWriter(folder, commit_bytes=400_000) as store:
        for number in range(N):
            store.put(record(key_of(number), number, 0, side))
    return folder


def verified(folder: Path, seconds: float) -> tuple[list[int], list[str]]:
    """For some time, the number of records in each verification, and any findings."""
    counts: list[int] = []
    wrong: list[str] = []
    end = time.monotonic() + seconds
    while time.monotonic() < end or not counts:
        result = verify(folder, n_workers=2)
        assert result.is_being_written
        assert result.n_unproven == 0
        counts.append(result.n_records)
        wrong += map(str, result.findings)
    return counts, wrong


def said_of(folder: Path) -> list[str]:
    """The findings of a verification, or its error."""
    try:
        return [str(finding) for finding in verify(folder, n_workers=2).findings]
    except StoreError as error:
        return [error.message]


@pytest.mark.parametrize("size", SIDES)
def test_a_running_conversion_is_no_damage(tmp_path, size):
    """While records are added and replaced, each check proves the state committed at its start."""
    folder = begin(tmp_path / "store", SIDES[size])
    with writer("grow", folder, SIDES[size]) as process:
        counts, wrong = verified(folder, SECONDS)
        assert process.poll() is None
        process.kill()
    assert wrong == []
    assert counts == sorted(counts)
    assert counts[0] >= N
    result = verify(folder)
    assert (result.findings, result.is_being_written) == ([], False)
    assert result.n_records == len(records(folder)) >= counts[-1]


@pytest.mark.parametrize("size", SIDES)
def test_a_damaged_store_is_not_called_intact_while_it_is_written(tmp_path, size):
    """A wrong bit in a record is a finding, or an error that names it, even during a conversion."""
    folder = begin(tmp_path / "store", SIDES[size])
    with StoreWriter(folder) as store:  # no writer replaces this record
        store.put(record("a_record", 7, 0, SIDES[size]))
    _, stop = Pages(folder).find(b"a_record")
    flip(folder / "data.mdb", stop - 1)
    with writer("grow", folder, SIDES[size]):
        said = said_of(folder)
    assert any("damaged: a_record: " in one for one in said)


@pytest.mark.parametrize("kind", ["convert", "overwrite"])
def test_many_conversions_are_no_damage(tmp_path, kind):
    """While conversions follow each other within milliseconds, nothing is reported as damaged."""
    folder = begin(tmp_path / "store", SIDES["large"])
    n = 0
    with writer(kind, folder, SIDES["large"]):
        end = time.monotonic() + SECONDS
        while time.monotonic() < end or not n:
            said = said_of(folder)
            assert not said or "being written to" in said[0]
            n += not said
    assert verify(folder).findings == []


@pytest.mark.soak
@pytest.mark.parametrize("size", SIDES)
def test_a_long_conversion_is_no_damage(tmp_path, size):
    """The same as during a running conversion, for a minute."""
    folder = begin(tmp_path / "store", SIDES[size])
    with writer("grow", folder, SIDES[size]):
        assert verified(folder, 60)[1] == []
    assert verify(folder).findings == []
