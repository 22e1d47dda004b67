"""Damaged manifests: a clear error or no harm, for everything that reads a store."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import corpus
import rico_hdl
from corpus.archives import tar_of
from rico_hdl.datasets import get
from rico_hdl.errors import RicoError
from rico_hdl.store import Manifest
from tests.support.manifests import NAME, load, make_0_1, mutated, replaced

SPEC = get("bigearthnet")
N_MUTATIONS = 100


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> tuple[Path, dict[str, Path]]:
    """A store with two modalities, a damaged archive and a patch that was left out."""
    root = tmp_path_factory.mktemp("made")
    sources = corpus.generate(SPEC, root / "source", 3, modalities=["s1", "s2"])
    data = tar_of(sources["s1"])
    (root / "x.tar").write_bytes(data[: len(data) // 2])
    sources = {"s1": root / "x.tar", "s2": sources["s2"]}
    rico_hdl.convert(SPEC, sources, root / "target")
    assert len(load(root / "target")["failures"]) == 2
    return root / "target", sources


def is_refused(target: Path) -> bool:
    """Whether a manifest can't be read; if so, every reader says the same."""
    try:
        Manifest.read(target)
    except RicoError:
        return True
    return False


def read_all(target: Path) -> list[RicoError]:
    """Read a store in every way; returns the errors that are allowed."""
    calls = [
        lambda: Manifest.read(target),
        lambda: len(rico_hdl.open(target).modalities),
        lambda: rico_hdl.open(target).dataset,
        lambda: rico_hdl.open(target).bands("s2"),
        lambda: rico_hdl.open(target).keys("s2"),
        lambda: rico_hdl.open(target).read(next(iter(rico_hdl.open(target)))),
        lambda: str(rico_hdl.inspect(target).to_dict()).encode(),
        lambda: rico_hdl.verify(target, n_workers=1),
        lambda: rico_hdl.compare_with_sources(target, n_workers=1),
    ]
    errors = []
    for call in calls[1:2] if is_refused(target) else calls:
        try:
            call()
        except RicoError as error:
            str(error).encode()
            errors.append(error)
    return errors


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("part", range(3))
def test_a_damaged_manifest_is_an_error_or_harmless(tmp_path, made, version, part):
    """Whatever a manifest holds, each reader gives a result or an error with a message."""
    target = tmp_path / "target"
    shutil.copytree(made[0], target)
    values = make_0_1(target) if version == 1 else load(target)
    n_errors = 0
    for seed in range(part * N_MUTATIONS, (part + 1) * N_MUTATIONS):
        text = mutated(values, seed)
        (target / NAME).write_bytes(text)
        try:
            errors = read_all(target)
        except Exception as error:
            error.add_note(f"seed {seed}: {text[:2000]!r}")
            raise
        n_errors += bool(errors)
        assert (target / NAME).read_bytes() == text
    assert 0 < n_errors < N_MUTATIONS


@pytest.mark.fuzz
def test_other_damage_is_an_error_or_harmless(tmp_path, made, rounds, seed):
    """New random mutations meet the same conditions as the fixed ones."""
    for number in rounds(10):
        for version in (1, 2):
            folder = tmp_path / f"{number}-{version}"
            folder.mkdir()
            test_a_damaged_manifest_is_an_error_or_harmless(folder, made, version, seed + number)
            shutil.rmtree(folder)


def test_each_field_may_hold_anything(tmp_path, made):
    """Each field of a manifest may hold any of several values that it should never hold."""
    target = tmp_path / "target"
    shutil.copytree(made[0], target)
    for text in replaced(load(target)):
        (target / NAME).write_bytes(text)
        try:
            read_all(target)
        except Exception as error:
            error.add_note(repr(text[:5000]))
            raise


@pytest.mark.parametrize("part", range(2))
def test_a_conversion_continues_or_refuses_a_damaged_manifest(tmp_path, made, part):
    """A conversion ends with an error and unchanged records, or with an intact manifest."""
    target, sources = tmp_path / "target", {"s2": made[1]["s2"]}
    shutil.copytree(made[0], target)
    values = load(target)
    database = (target / "data.mdb").read_bytes()
    n_errors = n = 30
    for seed in range(10_000 + part * n, 10_000 + (part + 1) * n):
        text = mutated(values, seed)
        (target / NAME).write_bytes(text)
        try:
            rico_hdl.convert(SPEC, sources, target, n_workers=1)
        except RicoError:
            assert (target / NAME).read_bytes() == text
            continue
        except Exception as error:
            error.add_note(f"seed {seed}: {text[:2000]!r}")
            raise
        n_errors -= 1
        assert rico_hdl.verify(target, n_workers=1).findings == []
        assert (target / "data.mdb").read_bytes() == database
    assert 0 < n_errors < n
