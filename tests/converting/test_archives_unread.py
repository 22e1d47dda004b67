"""Partly unreadable archives on the command line: they never look complete."""

import io
import random
import re
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest

import corpus
from corpus.archives import COMPRESSIONS, files_below, split, tar_of, zip_of
from rico_hdl.checking.comparison import compare_with_sources
from rico_hdl.checking.inspection import inspect
from rico_hdl.converting.conversion import convert
from rico_hdl.converting.summary import Summary
from rico_hdl.datasets import get
from rico_hdl.errors import SourceError
from rico_hdl.store import Manifest
from rico_hdl.values import ArchiveFailure, PatchFailure
from tests.support.reading import records
from tests.support.running import run

SPEC = get("eurosat-multi-spectral")  # one file per patch: one wrong name loses it
NAME = "s2"
OPTION = SPEC.modality(NAME).option
N_PATCHES = 12
JUNK = random.Random(0).randbytes(1536)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """The folder of some patches."""
    root = tmp_path_factory.mktemp("source")
    return corpus.generate(SPEC, root, N_PATCHES, noise=True)[NAME]


@pytest.fixture(scope="module")
def whole(tmp_path_factory, folder) -> Path:
    """The store that the unpacked folder gives."""
    target = tmp_path_factory.mktemp("whole")
    convert(SPEC, {NAME: folder}, target)
    return target


def halves_of(folder: Path) -> tuple[bytes, bytes]:
    """Two tars with half of the patches each."""
    paths = files_below(folder)
    return tar_of(folder, paths=paths[::2]), tar_of(folder, paths=paths[1::2])


def converted(path: Path, target: Path) -> ArchiveFailure | None:
    """The archive failure of a conversion; its other failures are those of the given patches."""
    failures = convert(SPEC, {NAME: path}, target).failures
    archives = [failure for failure in failures if isinstance(failure, ArchiveFailure)]
    assert len(archives) <= 1
    return archives[0] if archives else None


def converted_or_refused(path: Path, target: Path) -> Summary | None:
    """The summary of a conversion; None if the archive is refused by name."""
    with suppress(SourceError):
        return convert(SPEC, {NAME: path}, target)
    with pytest.raises(SourceError, match=re.escape(str(path))):
        convert(SPEC, {NAME: path}, target)
    return None


def assert_reported(path: Path, target: Path, kind: str, *reasons: str) -> None:
    """Assert that conversion, store, comparison and report agree on an untrusted archive."""
    result = run(SPEC.name, OPTION, path, "--target-dir", target)
    assert result.returncode == 1
    assert f"1 archive {kind}" in result.stderr
    for reason in (str(path), *reasons):
        assert reason in result.stderr, result.stderr
    manifest = Manifest.read(target)
    assert not manifest.complete
    (failure,) = [f for f in manifest.failures if isinstance(f, ArchiveFailure)]
    assert failure.kind == kind
    info = inspect(target)
    assert (info.incomplete if kind == "incomplete" else info.damaged) == [str(failure)]
    assert f"{kind}: {path}" in run("info", target).stdout
    compared = run("verify", target, "--sources")
    assert compared.returncode == 1
    for reason in reasons:
        assert reason in compared.stdout + compared.stderr


@pytest.mark.parametrize("suffix", sorted(COMPRESSIONS))
@pytest.mark.parametrize("how", ["tars", "streams", "parts", "lone block"])
def test_appended_tars_are_read(tmp_path, whole, folder, suffix, how):
    """Patches after the first end of a tar are stored, and the store is complete."""
    halves = halves_of(folder)
    compress, path = COMPRESSIONS[suffix], tmp_path / f"x.{suffix}"
    if how == "streams":
        path.write_bytes(compress(halves[0]) + compress(halves[1]))
    elif how == "lone block":
        data = tar_of(folder)
        at = data.index(files_below(folder)[6].as_posix().encode())
        path.write_bytes(compress(data[:at] + bytes(512) + data[at:]))
    else:
        path.write_bytes(compress(b"".join(halves)))
    if how == "parts":
        path = split(path.read_bytes(), tmp_path / f"y.{suffix}")[0]
    assert converted(path, tmp_path / "target") is None
    assert records(tmp_path / "target") == records(whole)
    assert Manifest.read(tmp_path / "target").complete
    assert compare_with_sources(tmp_path / "target").findings == []


@pytest.mark.parametrize("suffix", ["tar", "tar.zst"])
def test_junk_in_a_tar_is_reported_everywhere(tmp_path, whole, folder, suffix):
    """Bytes between two tars put their records in doubt, and an intact copy resolves it."""
    halves = halves_of(folder)
    path, target = tmp_path / f"x.{suffix}", tmp_path / "target"
    path.write_bytes(COMPRESSIONS[suffix](halves[0] + JUNK + halves[1]))
    assert_reported(path, target, "damaged", "1,536 bytes can't be accounted for")
    assert records(target) == records(whole)
    path.write_bytes(COMPRESSIONS[suffix](halves[0] + halves[1]))
    summary = convert(SPEC, {NAME: path}, target)
    assert summary.complete
    assert records(target) == records(whole)
    assert compare_with_sources(target).findings == []


@pytest.mark.parametrize("suffix", ["tar", "tar.gz"])
def test_junk_after_a_tar_is_reported_everywhere(tmp_path, whole, folder, suffix):
    """Bytes after a tar make the store incomplete; once cut off, nothing is converted again."""
    path, target = tmp_path / f"x.{suffix}", tmp_path / "target"
    path.write_bytes(COMPRESSIONS[suffix](tar_of(folder) + JUNK))
    assert_reported(path, target, "incomplete", "1,536 bytes can't be accounted for", "appended")
    assert records(target) == records(whole)
    path.write_bytes(COMPRESSIONS[suffix](tar_of(folder)))
    summary = convert(SPEC, {NAME: path}, target)
    assert summary.complete
    assert (summary.n_present[NAME], summary.n_written[NAME]) == (N_PATCHES, 0)


def test_a_wrong_name_in_a_zip_is_reported_everywhere(tmp_path, whole, folder):
    """A patch hidden by one wrong bit in a zip's directory is reported with both names."""
    path, target = tmp_path / "x.zip", tmp_path / "target"
    victim = files_below(folder)[3].as_posix()
    data = bytearray(zip_of(folder))
    at = data.rindex(victim.encode()) + len(victim) - 1
    data[at] ^= 1
    path.write_bytes(data)
    assert_reported(path, target, "incomplete", victim, f"{victim[:-1]}{chr(data[at])}")
    assert len(records(target)) == N_PATCHES - 1
    command = [SPEC.name, OPTION, path, "--target-dir", tmp_path / "other", "--dry-run", "--json"]
    assert victim in run(*command).stdout
    path.write_bytes(zip_of(folder))
    summary = convert(SPEC, {NAME: path}, target)
    assert summary.complete
    assert (summary.n_present[NAME], summary.n_written[NAME]) == (N_PATCHES - 1, 1)
    assert records(target) == records(whole)
    assert compare_with_sources(target).findings == []


@pytest.mark.parametrize("kind", ["incomplete", "damaged"])
def test_only_doubtful_records_are_replaced(tmp_path, folder, kind):
    """Other sources replace the values of a damaged archive, but not of an incomplete one."""
    changed = tmp_path / "changed"
    for path in files_below(folder):
        (changed / path).parent.mkdir(parents=True, exist_ok=True)
        data = bytearray((folder / path).read_bytes())
        data[-1] ^= 1
        (changed / path).write_bytes(data)
    tar = tar_of(changed)
    more = tar_of(changed, paths=files_below(folder)[:1])
    (tmp_path / "x.tar").write_bytes(tar + JUNK + (more if kind == "damaged" else b""))
    target = tmp_path / "target"
    failure = converted(tmp_path / "x.tar", target)
    assert failure is not None
    assert failure.kind == kind
    before = records(target)
    summary = convert(SPEC, {NAME: folder}, target)
    conflicts = [f for f in summary.failures if isinstance(f, PatchFailure)]
    if kind == "damaged":
        assert summary.n_mended == N_PATCHES
        assert not conflicts
    else:
        assert summary.n_mended == 0
        assert len(conflicts) == N_PATCHES
        assert records(target) == before


def test_an_intact_folder_settles_an_incomplete_archive(tmp_path, folder, whole):
    """Once another source agrees with everything from an incomplete archive, it is resolved."""
    (tmp_path / "x.tar").write_bytes(tar_of(folder, paths=files_below(folder)[:5]) + JUNK)
    target = tmp_path / "target"
    assert converted(tmp_path / "x.tar", target) is not None
    summary = convert(SPEC, {NAME: folder}, target)
    assert (summary.n_present[NAME], summary.n_written[NAME]) == (5, N_PATCHES - 5)
    assert Manifest.read(target).complete
    assert records(target) == records(whole)


def structure_of_zip(data: bytes) -> list[int]:
    """The offsets of all bytes of a zip except its members' data."""
    offsets = set(range(len(data)))
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for info in archive.infolist():
            n_name, n_extra = (int.from_bytes(data[info.header_offset + i :][:2], "little")
                               for i in (26, 28))  # fmt: skip
            start = info.header_offset + 30 + n_name + n_extra
            offsets -= set(range(start, start + info.compress_size))
    return sorted(offsets)


def structure_of_tar(data: bytes) -> list[int]:
    """The offsets of all bytes of a tar's headers and end."""
    offsets, at = [], 0
    while at < len(data):
        offsets += range(at, min(at + 512, len(data)))
        n_bytes = int(data[at + 124 : at + 135] or b"0", 8) if data[at] else 0
        at += 512 + -(-n_bytes // 512) * 512
    return offsets


@pytest.mark.parametrize("suffix", ["zip", "tar", "tar.gz", "tar.zst"])
def test_a_flipped_bit_is_harmless_or_reported(tmp_path, folder, whole, suffix):
    """After any bit flip, all records are there, or a failure is named and the exit code not 0."""
    data = zip_of(folder) if suffix == "zip" else tar_of(folder)
    places = structure_of_zip(data) if suffix == "zip" else structure_of_tar(data)
    if suffix in {"tar.gz", "tar.zst"}:
        data = COMPRESSIONS[suffix](data)
        places = list(range(len(data)))
    expected = records(whole)
    chance = random.Random(suffix)
    for i in range(60):
        at, bit = chance.choice(places), chance.randrange(8)
        changed = bytearray(data)
        changed[at] ^= 1 << bit
        path, target = tmp_path / f"x.{suffix}", tmp_path / f"target-{i}"
        path.write_bytes(changed)
        summary = converted_or_refused(path, target)
        if summary is None:
            continue
        found = records(target)
        if summary.complete:
            assert found == expected, (at, bit)
            assert not summary.failures
        else:
            assert summary.failures
            # A tar has no checksums: if damaged, all of it is in doubt. A zip is checked first.
            if suffix == "zip" or not any(
                isinstance(f, ArchiveFailure) and f.kind == "damaged" for f in summary.failures
            ):
                assert found.items() <= expected.items(), (at, bit)


@pytest.mark.parametrize("suffix", ["tar", "tar.gz"])
def test_a_cut_at_any_block_is_reported(tmp_path, folder, whole, suffix):
    """A tar that is cut anywhere is complete only if nothing but padding is lost."""
    data = tar_of(folder)
    end = len(data.rstrip(b"\0")) // 512 * 512 + 512
    chance = random.Random(0)
    stops = {end, end + 512, end + 1024, *(chance.randrange(end) for _ in range(8))}
    stops |= {512 * chance.randrange(1, end // 512) for _ in range(16)}
    for stop in sorted(stops):
        path, target = tmp_path / f"x.{suffix}", tmp_path / str(stop)
        packed = data[:stop]
        if suffix == "tar.gz":
            packed = COMPRESSIONS[suffix](data)
            packed = packed[: len(packed) * stop // (end + 1024)]
        path.write_bytes(packed)
        summary = converted_or_refused(path, target)
        if summary is None:
            continue
        is_whole = stop >= end + (512 if suffix == "tar" else 1024)
        assert summary.complete == is_whole
        assert records(target).items() <= records(whole).items()
