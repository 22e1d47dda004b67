"""Repairs on a file system whose disk is copied during the writes, as after a power loss.

Each copy holds exactly what the file system had written until then. It is mounted elsewhere, where
the file system recovers as after a crash, and the store on it is verified and continued. Only root
may mount; `tests/store/test_repairing.py` produces the same states by hand.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from rico_hdl.converting.conversion import convert
from rico_hdl.store import Manifest, StoreWriter, journal, writer
from tests.store.test_repairing import (
    MODALITY,
    SPEC,
    Repair,
    check_repaired,
    check_unfinished,
    repair,
    small_commits,
)

__all__ = ["repair", "small_commits"]

IMAGE_BYTES = 24 * 2**20


def ran(*command: object) -> None:
    """Run a system command; the test is skipped if it isn't possible here."""
    result = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)
    if result.returncode:
        pytest.skip(f"{command[0]} is not possible here: {result.stderr.strip()}")


@contextmanager
def mounted(image: Path, folder: Path) -> Iterator[Path]:
    """The mounted file system of an image."""
    folder.mkdir(exist_ok=True)
    ran("mount", "-o", "loop", image, folder)
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def new_image(path: Path) -> Path:
    """An image of an empty ext4 file system with a journal."""
    tools = ("mkfs.ext4", "mount", "umount")
    if os.name != "posix" or os.geteuid() != 0 or not all(map(shutil.which, tools)):
        pytest.skip("only root can mount a file system")
    with path.open("wb") as file:
        file.truncate(IMAGE_BYTES)
    ran("mkfs.ext4", "-q", "-F", path)
    return path


@pytest.mark.usefixtures("small_commits")
def test_a_repair_survives_a_power_loss_at_every_step(tmp_path, repair: Repair, monkeypatch):
    """The disk at each step holds an intact, unfinished store; the same command completes it."""
    image = new_image(tmp_path / "image")
    copies: list[Path] = []

    def copy() -> None:
        copies.append(tmp_path / f"copy-{len(copies):02}")
        # Without holes, of which a sparse copy of a few megabytes would be full.
        subprocess.run(["cp", "--sparse=always", image, copies[-1]], check=True)

    def copied(function):
        """The function, copying the disk before and after each call."""

        def call(*arguments, **options):
            copy()
            result = function(*arguments, **options)
            copy()
            return result

        return call

    with mounted(image, tmp_path / "disk") as disk:
        shutil.copytree(repair.doubtful, disk / "target")
        subprocess.run(["sync", "--file-system", str(disk / "target")], check=True)
        with monkeypatch.context() as patched:
            # One block for each confirmed record: no commit follows that settles the previous one.
            patched.setattr(writer, "_ENTRIES_AT_ONCE", 1)
            patched.setattr(journal, "append", copied(journal.append))
            patched.setattr(StoreWriter, "commit", copied(StoreWriter.commit))
            assert convert(SPEC, {MODALITY: repair.folder}, disk / "target").complete
    n_unfinished = 0
    for number, path in enumerate(copies):
        try:
            with mounted(path, tmp_path / "restored") as restored:
                if not Manifest.read(restored / "target").complete:
                    n_unfinished += 1
                    check_unfinished(restored / "target", repair)
                    assert convert(SPEC, {MODALITY: repair.folder}, restored / "target").complete
                check_repaired(restored / "target", repair)
        except AssertionError as error:
            raise AssertionError(f"after a power loss at copy {number}") from error
        path.unlink()
    assert n_unfinished > 25
