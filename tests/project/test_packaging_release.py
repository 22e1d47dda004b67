"""The release script, run for real in a repository of its own."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from datetime import UTC, datetime

import pytest

from tests.support.documents import ROOT

SETTINGS = {
    **dict.fromkeys(("GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME"), "Somebody"),
    **dict.fromkeys(("GIT_AUTHOR_EMAIL", "GIT_COMMITTER_EMAIL"), "somebody@example.com"),
    "GIT_CONFIG_GLOBAL": os.devnull,
}


def run(folder, *command):
    """Run a program in a folder."""
    environment = {**os.environ, **SETTINGS}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def git(folder, *arguments):
    """The output of git."""
    result = run(folder, "git", *arguments)
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


def release(folder, *arguments):
    """Run the repository's own release script."""
    return run(folder, sys.executable, "packaging/release.py", *arguments)


@pytest.fixture
def repository(tmp_path):
    """A repository of the working tree's files, on a clean `main`, its changes unreleased."""
    listing = run(ROOT, "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    if listing.returncode:
        pytest.skip("needs a clone: this is no git repository")
    folder = tmp_path / "repository"
    for name in filter(None, listing.stdout.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    changelog = folder / "CHANGELOG.md"
    text = changelog.read_text(encoding="utf-8")
    changelog.write_text(re.sub(r"^## .+", "## Unreleased", text, count=1, flags=re.MULTILINE))
    git(folder, "init", "--quiet", "--initial-branch=main")
    git(folder, "add", "."), git(folder, "commit", "--quiet", "-m", "Begin")
    return folder


def state(folder):
    """The state that a release changes: the commit, the tags, the files."""
    return [git(folder, *words.split()) for words in ("rev-parse HEAD", "tag", "status --short")]


def test_release(repository):
    """A release writes version and date, commits, tags, and leaves artefacts with checksums."""
    if run(ROOT, sys.executable, "-m", "pip", "download", "--no-deps", "-qd", repository / "dist",
           "click").returncode:  # fmt: skip
        pytest.skip("pip gets no packages: the bill of materials is made of installed ones")
    result = release(repository, "9.8.7", "--only", "dist")
    assert result.returncode == 0, result.stderr
    today = datetime.now(UTC)
    assert git(repository, "describe", "--exact-match") == "v9.8.7"
    assert git(repository, "log", "-1", "--format=%s") == "Release 9.8.7"
    changed = git(repository, "show", "--format=", "--name-only", "HEAD").splitlines()
    assert changed == ["CHANGELOG.md", "src/rico_hdl/_version.py"]
    assert f"## 9.8.7 ({today:%Y-%m-%d})" in git(repository, "show", "HEAD:CHANGELOG.md")
    assert git(repository, "status", "--short") == ""
    sums = (repository / "dist" / "SHA256SUMS").read_text().splitlines()
    for line in sums:
        digest, name = line.split("  ")
        assert hashlib.sha256((repository / "dist" / name).read_bytes()).hexdigest() == digest
    names = [line.split("  ")[1] for line in sums]
    wheel, sdist, bill = names
    assert (wheel, sdist) == ("rico_hdl-9.8.7-py3-none-any.whl", "rico_hdl-9.8.7.tar.gz")
    check_bill(repository / "dist" / bill)
    assert "git push origin main v9.8.7" in result.stdout


def check_bill(path):
    """A bill of materials lists the locked releases, their licences, and no address."""
    text = path.read_text()
    bill = json.loads(text)
    assert bill["bomFormat"] == "CycloneDX"
    assert bill["metadata"]["component"]["version"] == "9.8.7"
    locked = (ROOT / "requirements" / "runtime.txt").read_text()
    for component in bill["components"]:
        name = re.sub(r"[-_.]+", "-", component["name"]).lower()
        assert f"{name}=={component['version']} " in locked
        assert component["licenses"]
    assert {"numpy", "lmdb", "imagecodecs"} <= {c["name"] for c in bill["components"]}
    assert not re.search(r"https?://(?!cyclonedx\.org/schema/)", text)


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        ("touch x", "not clean: x"),
        ("git checkout --quiet -b other", "branch other"),
        ("git tag v9.8.7", "v9.8.7 exists already"),
        ("git tag v10.0.0", "v10.0.0 exists already"),
        ("sed -i s/Unreleased/0.0.1/ CHANGELOG.md; git commit -qam x", "begins with '0.0.1'"),
        ("echo '## Unreleased' >CHANGELOG.md; git commit -qam x", "says nothing"),
    ],
)
def test_release_is_refused(repository, spoil, says):
    """A refused release states the reason and changes nothing."""
    assert run(repository, "sh", "-c", spoil).returncode == 0
    before = state(repository)
    result = release(repository, "9.8.7", "--only", "dist")
    assert (result.returncode, says in result.stderr) == (1, True), result.stderr
    assert state(repository) == before


def test_release_that_is_tried_changes_nothing(repository):
    """A dry run prints the steps and changes nothing."""
    before = state(repository)
    result = release(repository, "9.8.7", "--dry-run")
    assert (result.returncode, "9.8.7" in result.stdout) == (0, True), result.stderr
    assert state(repository) == before
    assert release(repository, "9.8", "--dry-run").returncode == 1


def test_release_with_a_failed_artefact_is_undone(repository):
    """If an artefact fails its check, nothing is committed, tagged or left changed."""
    (repository / "packaging" / "dist.py").write_text("raise SystemExit('the build is broken')")
    git(repository, "commit", "--quiet", "-am", "Break the build")
    before = state(repository)
    result = release(repository, "9.8.7", "--only", "dist")
    assert result.returncode == 1
    assert "nothing was committed" in result.stderr
    assert state(repository) == before
