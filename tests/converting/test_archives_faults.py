"""Converting truncated, damaged or hostile archives, and interrupting conversions of archives."""

import hashlib
import io
import json
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest

import corpus
from corpus.archives import COMPRESSIONS, files_below, split, tar_of, zip_of
from rico_hdl.checking.comparison import compare_with_sources
from rico_hdl.checking.verification import verify
from rico_hdl.converting import conversion
from rico_hdl.converting.conversion import convert
from rico_hdl.datasets import get
from rico_hdl.errors import SourceError
from rico_hdl.store import Manifest
from tests.support.archives import published, with_filler
from tests.support.reading import assert_same, records
from tests.support.running import driven, run, summary_of

SPEC = get("bigearthnet")
N_PATCHES = 24


@pytest.fixture(scope="module")
def s2(tmp_path_factory) -> Path:
    """The folder of some BigEarthNet S2 patches."""
    root = tmp_path_factory.mktemp("source")
    return corpus.generate(SPEC, root, N_PATCHES, modalities=["s2"], noise=True)["s2"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory, s2) -> Path:
    """The store that the unpacked folder gives."""
    target = tmp_path_factory.mktemp("whole")
    convert(SPEC, {"s2": s2}, target)
    return target


def assert_part(part: Path, whole: Path) -> None:
    """Assert that every record of a store is in another one."""
    expected = records(whole)
    assert all(expected[key] == value for key, value in records(part).items())


@pytest.mark.parametrize("suffix", ["tar", "tar.gz", "tar.zst", "zip"])
@pytest.mark.parametrize("point", [("journal", 2), ("torn journal", 3), ("commit", 1)])
def test_a_killed_conversion_continues(tmp_path, s2, whole, suffix, point):
    """After a kill, the same command stores the rest without converting stored patches again."""
    path = tmp_path / f"x.{suffix}"
    path.write_bytes(zip_of(s2) if suffix == "zip" else COMPRESSIONS[suffix](tar_of(s2)))
    target = tmp_path / "target"
    command = ["bigearthnet", "--bigearthnet-s2-dir", path, "--target-dir", target, "--json"]
    killed = subprocess.run(driven(*point, *command), check=False, capture_output=True)
    assert killed.returncode == -9
    summary = summary_of(run(*command))
    assert summary["n_present"]["s2"] > 0 or point[0] != "commit"
    assert summary["n_present"]["s2"] + summary["n_written"]["s2"] == N_PATCHES
    assert_same(target, whole)


@pytest.mark.parametrize("suffix", ["tar", "tar.gz", "tar.zst", "tar.xz", "tar.bz2"])
@pytest.mark.parametrize("share", [0.2, 0.5, 0.97])
def test_a_truncated_archive_gives_its_remaining_patches(tmp_path, s2, whole, suffix, share):
    """Everything before a cut is stored, the damage is reported, and nothing is complete."""
    data = COMPRESSIONS[suffix](tar_of(s2))
    path = tmp_path / f"x.{suffix}"
    path.write_bytes(data[: int(len(data) * share)])
    target = tmp_path / "target"
    summary = convert(SPEC, {"s2": path}, target)
    assert not summary.complete
    (damage,) = [failure for failure in summary.failures if not failure.key]
    assert damage.path == str(path)
    assert_part(target, whole)
    if suffix in {"tar", "tar.gz", "tar.zst"}:  # other formats have blocks larger than this corpus
        assert len(records(target)) >= (N_PATCHES - 2) * share - 6
    assert not Manifest.read(target).complete
    result = run("bigearthnet", "--bigearthnet-s2-dir", path, "--target-dir", target)
    assert result.returncode == 1
    assert "1 archive damaged" in result.stderr
    assert f"damaged: {path}" in result.stderr
    assert f"damaged: {path}" in run("info", target).stdout
    path.write_bytes(data)
    assert convert(SPEC, {"s2": path}, target).complete
    assert_same(target, whole)


@pytest.mark.parametrize("by", ["archive", "same archive", "folder"])
def test_wrong_pixels_of_a_damaged_archive_are_repaired(tmp_path, s2, whole, by):
    """Wrong values from before the damage was noticed are replaced by any next source."""
    data = with_filler(tar_of(s2))
    pixels = data.index(b"_B02.tif", 1_000_000) + 15_000
    wrong = bytearray(data)
    wrong[pixels] ^= 0x01
    packed = bytearray(COMPRESSIONS["tar.gz"](bytes(wrong)))
    packed[-8:-4] = COMPRESSIONS["tar.gz"](data)[-8:-4]  # like a bit flip in transit
    path = tmp_path / "x.tar.gz"
    path.write_bytes(packed)
    target = tmp_path / "target"
    failures = convert(SPEC, {"s2": path}, target).failures
    assert [failure.path for failure in failures if not failure.key] == [str(path)]
    stored, expected = records(target), records(whole)
    assert len([key for key, value in stored.items() if expected[key] != value]) == 1
    other = tmp_path / "other.tar.gz"
    path.write_bytes(COMPRESSIONS["tar.gz"](data))
    other.write_bytes(COMPRESSIONS["tar.gz"](data))
    source = {"archive": other, "same archive": path, "folder": s2}[by]
    summary = convert(SPEC, {"s2": source}, target)
    assert summary.complete
    assert summary.n_present["s2"] == len(stored) - 1
    assert summary.n_written["s2"] == N_PATCHES - len(stored) + 1
    assert verify(target).findings == []
    assert_same(target, whole)
    assert convert(SPEC, {"s2": source}, target).n_present["s2"] == N_PATCHES


def test_doubts_stay_until_all_was_compared(tmp_path, s2):
    """A store is incomplete until all records from a damaged archive have been compared."""
    paths = files_below(s2)
    packed = bytearray(COMPRESSIONS["tar.gz"](with_filler(tar_of(s2))))
    packed[-8] ^= 1
    (tmp_path / "x.tar.gz").write_bytes(packed)
    convert(SPEC, {"s2": tmp_path / "x.tar.gz"}, tmp_path / "target")
    (tmp_path / "half.tar").write_bytes(tar_of(s2, paths=paths[:48]))
    convert(SPEC, {"s2": tmp_path / "half.tar"}, tmp_path / "target")
    assert not Manifest.read(tmp_path / "target").complete
    (tmp_path / "all.tar").write_bytes(tar_of(s2))
    convert(SPEC, {"s2": tmp_path / "all.tar"}, tmp_path / "target")
    assert Manifest.read(tmp_path / "target").complete


def test_a_damaged_member_of_a_zip_costs_its_patch(tmp_path, s2, whole):
    """A zip member with a wrong checksum fails its patch; all others are stored."""
    data = bytearray(zip_of(s2))
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        member = [m for m in archive.infolist() if not m.is_dir()][40]
    data[member.header_offset + 30 + len(member.filename) + 100] ^= 0xFF
    (tmp_path / "x.zip").write_bytes(data)
    summary = convert(SPEC, {"s2": tmp_path / "x.zip"}, tmp_path / "target")
    (failure,) = summary.failures
    assert failure.path == f"{tmp_path / 'x.zip'}/{member.filename}"
    assert failure.band == Path(member.filename).stem.rpartition("_")[2]
    assert_part(tmp_path / "target", whole)
    assert len(records(tmp_path / "target")) == N_PATCHES - 1


def hostile(tmp_path, s2, info, data=b"") -> Path:
    """A tar of the patches that starts with an unusual member."""
    path = tmp_path / "x.tar"
    path.write_bytes(tar_of(s2))
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        tar.addfile(info, io.BytesIO(data) if data else None)
    with path.open("r+b") as file:
        rest = file.read()
        file.seek(0)
        file.write(buffer.getvalue()[: 512 + -(-len(data) // 512) * 512] + rest)
    return path


@pytest.mark.parametrize("name", ["/etc/passwd", "../../outside", "a/../../b", "ok/link"], ids=str)
@pytest.mark.parametrize(
    "kind", [tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE]
)
def test_members_that_lead_elsewhere_are_not_followed(tmp_path, s2, whole, name, kind):
    """Absolute paths, paths with two dots, links and devices are counted and skipped."""
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, "/etc/passwd"
    data = b"secret" if kind == tarfile.REGTYPE else b""
    info.size = len(data)
    summary = convert(SPEC, {"s2": hostile(tmp_path, s2, info, data)}, tmp_path / "target")
    assert summary.complete
    strange = name != "ok/link" or kind != tarfile.REGTYPE
    assert any("links or devices" in warning for warning in summary.warnings) == strange
    assert_same(tmp_path / "target", whole)


def test_a_link_in_a_bands_place_costs_its_patch(tmp_path, s2, whole):
    """A band that is a link is not followed: its patch is left out, with the reason."""
    victim = files_below(s2)[5]
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for path in files_below(s2):
            info = tarfile.TarInfo(path.as_posix())
            data = (s2 / path).read_bytes()
            if path == victim:
                info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
                tar.addfile(info)
            else:
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
    (tmp_path / "x.tar").write_bytes(buffer.getvalue())
    (failure,) = convert(SPEC, {"s2": tmp_path / "x.tar"}, tmp_path / "target").failures
    assert "link" in failure.reason
    assert failure.path.endswith(victim.name)
    assert_part(tmp_path / "target", whole)


def test_a_duplicate_key_with_other_values_is_reported(tmp_path, s2):
    """If two patches of an archive share a key, the first is stored and the second is a failure."""
    paths = files_below(s2)
    first = tar_of(s2, "a", paths=paths[:24])
    for path in paths[:12]:
        data = bytearray((s2 / path).read_bytes())
        data[-1] ^= 1
        changed = tmp_path / "changed" / path
        changed.parent.mkdir(parents=True, exist_ok=True)
        changed.write_bytes(data)
    second = tar_of(tmp_path / "changed", "b")
    one, two = tmp_path / "one.tar", tmp_path / "two.tar"
    one.write_bytes(first)
    two.write_bytes(second)
    summary = convert(SPEC, {"s2": [one, two]}, tmp_path / "target")
    (failure,) = summary.failures
    assert "different values" in failure.reason
    assert len(records(tmp_path / "target")) == 2


def test_files_that_wait_too_long_are_given_up(tmp_path, s2, whole, monkeypatch):
    """Beyond a bound, the longest-waiting patches are left out with a reason, and added later."""
    paths = sorted(files_below(s2), key=lambda path: (path.stem[-3:], path))
    (tmp_path / "x.tar").write_bytes(tar_of(s2, paths=paths))
    n_bytes = sum((s2 / path).stat().st_size for path in paths)
    monkeypatch.setattr(conversion, "waiting_bytes", lambda _: n_bytes // 3)
    target = tmp_path / "target"
    n_before = 0
    for _ in range(10):
        summary = convert(SPEC, {"s2": tmp_path / "x.tar"}, target)
        assert_part(target, whole)
        if summary.complete:
            break
        assert all("too far from the others" in f.reason for f in summary.failures)
        assert len(records(target)) > n_before
        n_before = len(records(target))
    assert n_before > 0
    assert_same(target, whole)


@pytest.mark.parametrize("suffix", ["tar.zst", "zip"])
def test_check_archives(tmp_path, s2, suffix):
    """A published MD5 sum is compared; a mismatch is a failure that gives both sums."""
    path = tmp_path / f"x.{suffix}"
    path.write_bytes(zip_of(s2) if suffix == "zip" else COMPRESSIONS[suffix](tar_of(s2)))

    def checked(data):
        spec = published(data, path.name)
        return convert(spec, {"s2": path}, tmp_path / "target", check_archives=True)

    assert checked(path.read_bytes()).complete
    summary = checked(b"another archive")
    (failure,) = summary.failures
    for data in (path.read_bytes(), b"another archive"):
        assert hashlib.md5(data).hexdigest() in failure.reason
    assert not summary.complete


def test_archives_without_a_published_sum_are_reported(tmp_path, s2):
    """If no MD5 sum is known, the check warns, and the conversion is complete."""
    parts = split(COMPRESSIONS["tar.gz"](tar_of(s2)), tmp_path / "BigEarthNet-S2.tar.gz")
    summary = convert(SPEC, {"s2": parts[0]}, tmp_path / "target", check_archives=True)
    assert summary.complete
    assert any("no MD5 sum is known" in warning for warning in summary.warnings)


@pytest.mark.parametrize("suffix", ["tar.gz", "zip"])
def test_dry_run(tmp_path, s2, suffix):
    """A dry run shows what archives hold, as far as possible without reading them whole."""
    path = tmp_path / f"x.{suffix}"
    path.write_bytes(zip_of(s2) if suffix == "zip" else COMPRESSIONS[suffix](tar_of(s2)))
    command = ["bigearthnet", "--bigearthnet-s2-dir", path, "--target-dir", tmp_path / "target"]
    found = json.loads(run(*command, "--dry-run", "--json").stdout)
    s2 = found["modalities"]["s2"]
    assert s2["n_patches"] == (N_PATCHES if suffix == "zip" else None)
    assert (found["n_bytes_expected"] is None) == (suffix != "zip")
    assert len(s2["first_keys"]) == 3
    assert run(*command, "--dry-run").returncode == 0
    assert not (tmp_path / "target").exists()


def test_the_number_of_workers_makes_no_difference(tmp_path, s2):
    """The database of an archive is byte for byte the same with any number of workers."""
    path = tmp_path / "x.tar.gz"
    path.write_bytes(COMPRESSIONS["tar.gz"](tar_of(s2)))
    for n in (1, 2, 7):
        convert(SPEC, {"s2": path}, tmp_path / str(n), n_workers=n)
    one, two, seven = ((tmp_path / str(n) / "data.mdb").read_bytes() for n in (1, 2, 7))
    assert one == two == seven


def test_three_of_a_key_are_compared(tmp_path, s2, whole):
    """However often a patch occurs and wherever the stored one is from, it is compared."""
    paths = files_below(s2)
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as tar:
        for top in ("a", "b", "c"):
            for path in paths:
                tar.add(s2 / path, f"{top}/{path}")
    (tmp_path / "x.tar").write_bytes(data.getvalue())
    for _ in range(2):
        assert convert(SPEC, {"s2": tmp_path / "x.tar"}, tmp_path / "target").complete
    assert_same(tmp_path / "target", whole)
    convert(SPEC, {"s2": s2}, tmp_path / "other")
    assert convert(SPEC, {"s2": tmp_path / "x.tar"}, tmp_path / "other").complete
    assert_same(tmp_path / "other", whole)


def test_a_damaged_archive_is_not_forgotten(tmp_path, s2):
    """Another archive does not resolve a damaged one, but a copy of it elsewhere does."""
    paths = files_below(s2)
    first, second = (tar_of(s2, paths=half) for half in (paths[:144], paths[144:]))
    (tmp_path / "a.tar").write_bytes(first[:2000])
    (tmp_path / "b.tar").write_bytes(second)
    target = tmp_path / "target"
    convert(SPEC, {"s2": tmp_path / "a.tar"}, target)
    summary = convert(SPEC, {"s2": tmp_path / "b.tar"}, target)
    assert summary.failures == []
    assert not Manifest.read(target).complete
    (tmp_path / "again").mkdir()
    (tmp_path / "again" / "a.tar").write_bytes(first)
    convert(SPEC, {"s2": tmp_path / "again" / "a.tar"}, target)
    assert Manifest.read(target).complete
    assert len(records(target)) == N_PATCHES
    assert compare_with_sources(target).findings == []


def test_a_patch_left_out_is_not_forgotten(tmp_path, s2):
    """A patch missing from one archive remains a failure until its key is stored."""
    paths = files_below(s2)
    (tmp_path / "a.tar").write_bytes(tar_of(s2, paths=paths[1:144]))
    (tmp_path / "b.tar").write_bytes(tar_of(s2, paths=paths[144:]))
    target = tmp_path / "target"
    (failure,) = convert(SPEC, {"s2": tmp_path / "a.tar"}, target).failures
    convert(SPEC, {"s2": tmp_path / "b.tar"}, target)
    assert Manifest.read(target).failures == [failure]
    assert not Manifest.read(target).complete
    (tmp_path / "c.tar").write_bytes(tar_of(s2, paths=paths[:12]))
    convert(SPEC, {"s2": tmp_path / "c.tar"}, target)
    assert Manifest.read(target).complete
    assert len(records(target)) == N_PATCHES


def test_a_wrong_sum_is_checked_again(tmp_path, s2):
    """An archive with a wrong MD5 sum stays in doubt, even without the check in later runs."""
    path = tmp_path / "x.tar"
    spec = published(tar_of(s2))
    wrong = bytearray(tar_of(s2))
    wrong[wrong.index(b"_B02.tif", 1_000_000) + 15_000] ^= 1
    path.write_bytes(wrong)
    target = tmp_path / "target"
    assert not convert(spec, {"s2": path}, target, check_archives=True).complete
    assert not convert(spec, {"s2": path}, target).complete
    copy = tmp_path / "copy" / path.name
    copy.parent.mkdir()
    copy.write_bytes(wrong)
    convert(spec, {"s2": copy}, target)
    assert not Manifest.read(target).complete
    copy.unlink()
    path.write_bytes(tar_of(s2))
    summary = convert(spec, {"s2": path}, target)
    assert summary.complete
    assert summary.n_mended == 1
    assert convert(spec, {"s2": path}, target).n_present == {"s2": N_PATCHES}


def test_a_file_again_at_the_end_is_a_warning(tmp_path, s2, whole):
    """A file that was appended again to an archive only causes a warning."""
    paths = files_below(s2)
    (tmp_path / "x.tar").write_bytes(tar_of(s2, paths=[*paths, paths[3]]))
    summary = convert(SPEC, {"s2": tmp_path / "x.tar"}, tmp_path / "target")
    assert summary.complete
    assert any("again later" in warning for warning in summary.warnings)
    assert_same(tmp_path / "target", whole)


def test_overwrite_removes_nothing_for_archives_without_patches(tmp_path, s2):
    """--overwrite removes a store only after an archive has shown a patch."""
    target = tmp_path / "target"
    convert(SPEC, {"s2": s2}, target)
    before = records(target)
    (tmp_path / "junk").mkdir()
    for i in range(6):
        with tarfile.open(tmp_path / "junk" / f"{i}.tar", "w") as tar:
            tar.addfile(tarfile.TarInfo("nothing"))
    with pytest.raises(SourceError, match="no BigEarthNet"):
        convert(SPEC, {"s2": tmp_path / "junk"}, target, overwrite=True)
    assert records(target) == before
    with pytest.raises(SourceError, match="no BigEarthNet"):
        convert(SPEC, {"s2": tmp_path / "junk"}, tmp_path / "fresh")
    assert not (tmp_path / "fresh").exists()


def test_archives_next_to_patches_are_reported(tmp_path, s2):
    """If a folder holds patches, archives next to them are not read, and a warning says so."""
    mixed = tmp_path / "mixed"
    paths = files_below(s2)
    for path in paths[:12]:
        (mixed / path).parent.mkdir(parents=True, exist_ok=True)
        (mixed / path).write_bytes((s2 / path).read_bytes())
    (mixed / "BigEarthNet-S2.tar").write_bytes(tar_of(s2, paths=paths[12:]))
    summary = convert(SPEC, {"s2": mixed}, tmp_path / "target")
    assert any("1 archives" in warning and "not read" in warning for warning in summary.warnings)


def test_archives_of_another_modality_next_to_the_right_one(tmp_path):
    """Among differently named archives, those of the modality are found in any order."""
    sources = corpus.generate(SPEC, tmp_path / "source", 3, modalities=["s1", "s2"])
    folder = tmp_path / "renamed"
    folder.mkdir()
    (folder / "aaa.tar").write_bytes(tar_of(sources["s2"]))
    (folder / "bbb.tar").write_bytes(tar_of(sources["s1"]))
    summary = convert(SPEC, {"s1": folder, "s2": folder}, tmp_path / "target")
    assert summary.complete
    assert summary.n_written == {"s1": 3, "s2": 3}
