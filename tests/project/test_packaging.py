"""Wheel and sdist, the locked requirements, and the scripts that build and check artefacts."""

import hashlib
import io
import json
import os
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from email import message_from_bytes

import pytest
from packaging.metadata import Metadata
from packaging.requirements import Requirement
from packaging.version import Version

from tests.support.documents import ROOT
from tests.support.running import python

sys.path.insert(0, str(ROOT / "packaging"))

import artefacts
import changed
import image_archive
import project
import pythons

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
NAMES = project.names(project.version())


@pytest.fixture(scope="module")
def dist(tmp_path_factory):
    """A folder with the wheel and the sdist, built from the working tree."""
    folder = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "packaging/dist.py", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    return folder


def test_metadata_is_complete(dist):
    """The metadata states version, licence, Pythons, extras and description, but no address."""
    with zipfile.ZipFile(dist / NAMES["wheel"]) as wheel:
        text = wheel.read(f"rico_hdl-{project.version()}.dist-info/METADATA")
    found = Metadata.from_email(text, validate=True)
    assert str(found.version) == project.version()
    assert (found.license_expression, found.license_files) == ("MIT", ["LICENSE"])
    assert found.requires_python == ">=3.11"
    assert set(found.provides_extra) == {"gdal", "geo", "parquet", "testing", "torch"}
    assert found.description.startswith("# rico-hdl")
    assert found.description_content_type == "text/markdown"
    assert found.summary
    assert found.keywords
    assert "Typing :: Typed" in found.classifiers
    assert not found.project_urls
    assert not found.home_page


def test_wheel_holds_the_package_alone(dist):
    """The wheel has the package with its type marker, the licence and metadata, and no more."""
    with zipfile.ZipFile(dist / NAMES["wheel"]) as wheel:
        names = wheel.namelist()
        entry = wheel.read(f"rico_hdl-{project.version()}.dist-info/WHEEL")
    assert {name.split("/")[0] for name in names} == {
        "rico_hdl",
        f"rico_hdl-{project.version()}.dist-info",
    }
    assert "rico_hdl/py.typed" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert message_from_bytes(entry)["Tag"] == "py3-none-any"


def test_sdist_holds_the_files_of_its_tests(dist, tmp_path):
    """The unpacked sdist passes tests and builds the same wheel."""
    with tarfile.open(dist / NAMES["sdist"]) as sdist:
        sdist.extractall(tmp_path, filter="data")
    root = tmp_path / f"rico_hdl-{project.version()}"
    names = {path.name for path in root.iterdir()}
    assert {"Makefile", "LICENSE", "README.md", "CHANGELOG.md", "requirements", ".ci"} <= names
    for command in (
        ["-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/spec/test_template.py"],
        ["packaging/dist.py", str(tmp_path / "dist")],
    ):
        subprocess.run([sys.executable, *command], cwd=root, check=True, capture_output=True)
    again = tmp_path / "dist" / NAMES["wheel"]
    assert again.read_bytes() == (dist / NAMES["wheel"]).read_bytes()


def test_version_is_stated_once():
    """Only the file that the metadata is made from, and documents, state the version."""
    stated = f'"{project.version()}"'
    paths = [*(ROOT / "src").rglob("*.py"), *(ROOT / "packaging").rglob("*"), *ROOT.glob("*.toml")]
    files = [path for path in paths if path.is_file() and path.suffix != ".pyc"]
    having = [path for path in files if stated in path.read_text(encoding="utf-8")]
    assert having == [ROOT / project.VERSION_FILE]


def pins(name):
    """The locked releases of a file, with their markers."""
    text = (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
    lines = re.findall(r"^(\S+==[^\\\n]+?) *\\?$", text, re.MULTILINE)
    return {str(Requirement(line)) for line in lines}


def test_users_get_the_releases_that_the_tests_run_with():
    """Every locked release that users install is in the development environment."""
    assert len(pins("runtime")) > 10
    assert pins("runtime") < pins("runtime-extras")
    releases = {line.partition(";")[0].strip() for line in pins("dev")}
    assert {line.partition(";")[0].strip() for line in pins("runtime-extras")} <= releases


def test_lowest_versions_are_the_bounds():
    """The file of lowest versions lists each requirement at its lower bound."""
    extras = PROJECT["optional-dependencies"]
    asked = [*PROJECT["dependencies"], *extras["gdal"]]
    lowest = {r.name: r for r in map(Requirement, pins("lowest"))}
    for requirement in map(Requirement, asked):
        (bound,) = requirement.specifier
        (pin,) = lowest[requirement.name.replace(".", "-")].specifier
        wanted = Version(bound.version).release
        assert Version(pin.version).release[: len(wanted)] == wanted, requirement


@pytest.mark.parametrize("name", ["dev", "lowest", "runtime", "runtime-extras"])
def test_locked_files_name_no_address(name):
    """Requirements are locked with hashes and name no address of a package index."""
    text = (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
    assert "--hash=sha256:" in text
    assert not re.search(r"://|--index|--find-links", text)


def test_pythons_are_found():
    """One interpreter per supported Python is found, including this version, oldest first."""
    found = [tuple(map(int, version.split("."))) for version in pythons.find()]
    assert sys.version_info[:2] in {version[:2] for version in found}
    assert found == sorted(found)
    assert len({version[:2] for version in found}) == len(found)


def artefact_of(root, *bodies):
    """An artefact of one file, and scripts with these bodies."""
    scripts = []
    for number, body in enumerate(bodies):
        (root / f"{number}.py").write_text(body, encoding="utf-8")
        scripts.append((f"{number}.py",))
    return artefacts.Artefact("thing", ("thing.bin",), tuple(scripts))


BUILDS = "open('thing.bin', 'wb').write(bytes(2_000_000))"


def test_runner_checks(tmp_path):
    """An artefact whose scripts succeed is checked; skipped parts are listed."""
    says = "import sys; print('SKIPPED part: no such thing here', file=sys.stderr)"
    outcome = artefacts.made(artefact_of(tmp_path, BUILDS, says), tmp_path)
    assert (outcome.status, outcome.remark, outcome.n_bytes) == ("checked", "", 2_000_000)
    _, _, row, part = artefacts.table([outcome])
    assert row.split()[:4] == ["thing", "checked", "2.0", "MB"]
    assert part.split(maxsplit=2) == ["part", "SKIPPED", "no such thing here"]


def test_runner_skips(tmp_path):
    """Exit code 77 is a skip with the last line of stderr as its reason, never a check."""
    (tmp_path / "thing.bin").write_bytes(b"of an earlier run")
    skips = "import sys; print('first\\nno squashfs here\\n', file=sys.stderr); sys.exit(77)"
    outcome = artefacts.made(artefact_of(tmp_path, skips, BUILDS), tmp_path)
    assert (outcome.status, outcome.remark) == ("SKIPPED", "0.py: no squashfs here")
    assert outcome.n_bytes == 0
    assert "checked" not in "\n".join(artefacts.table([outcome]))


@pytest.mark.parametrize("body", ["raise SystemExit(1)", "raise ValueError('wrong')", "{"])
def test_runner_fails(tmp_path, body):
    """Any other exit code is a failure, and later scripts are not run."""
    outcome = artefacts.made(artefact_of(tmp_path, body, BUILDS), tmp_path)
    assert outcome.status == "FAILED"
    assert not (tmp_path / "thing.bin").exists()


@pytest.mark.parametrize(
    ("status", "parts", "code", "strict_code"),
    [
        ("checked", [], 0, 0),
        ("checked", ["SKIPPED part: no such thing here"], 0, 1),
        ("SKIPPED", [], 0, 1),
        ("FAILED", [], 1, 1),
    ],
)
def test_exit_code_of_the_runner(status, parts, code, strict_code):
    """A failure fails the run; a skip, even of a part, fails it only for a release."""
    outcome = artefacts.Outcome("thing", status, skipped_parts=parts)
    intact = artefacts.Outcome("other")
    assert artefacts.exit_code([intact, outcome], strict=False) == code
    assert artefacts.exit_code([outcome, intact], strict=True) == strict_code


def test_scripts_of_artefacts_exist():
    """Every artefact of the runner has its scripts here, and `make artefacts` knows its name."""
    known = artefacts.artefacts("1.2.3")
    scripts = [ROOT / script[0] for artefact in known for script in artefact.scripts]
    assert [path for path in scripts if path.parent.is_dir() and not path.is_file()] == []
    result = python("packaging/artefacts.py", "no-such-thing", cwd=ROOT)
    assert (result.returncode, "no-such-thing" in result.stderr) == (2, True)


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A repository with one commit on `main`; a function that runs git in it."""
    for name in ("GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME"):
        monkeypatch.setenv(name, "Somebody")
    for name in ("GIT_AUTHOR_EMAIL", "GIT_COMMITTER_EMAIL"):
        monkeypatch.setenv(name, "somebody@example.com")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)

    def git(*arguments):
        command = ["git", *arguments]
        result = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True)
        return result.stdout.strip()

    git("init", "--quiet", "--initial-branch=main")
    change(tmp_path, "src/code.py")
    git("add", "."), git("commit", "--quiet", "-m", "Begin")
    return git


def change(root, name):
    """Write new content to a file."""
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(path.read_text() + "x\n" if path.exists() else "x\n")


def test_artefacts_are_built_in_full_without_a_base(tmp_path, repository):
    """Without a release, a base or git, artefacts are built, because they may be needed."""
    assert changed.decision(tmp_path, {})[0]
    repository("tag", "v1.0.0")
    assert not changed.decision(tmp_path, {})[0]
    assert changed.decision(tmp_path, {"FULL": "1"})[0]
    assert changed.decision(tmp_path, {"BASE": "no-such-commit"})[0]
    (tmp_path / ".git").rename(tmp_path / "no-git")
    assert changed.decision(tmp_path, {})[0]


@pytest.mark.parametrize(
    ("name", "matters"),
    [
        ("packaging/Dockerfile", True),
        ("packaging/appimage/build.py", True),
        ("requirements/dev.txt", True),
        ("pyproject.toml", True),
        ("Makefile", True),
        (".ci/run", True),
        ("src/code.py", False),
        ("tests/packaging/x.py", False),
        ("README.md", False),
    ],
)
@pytest.mark.parametrize("committed", [False, True])
def test_artefacts_are_built_if_their_inputs_changed(
    tmp_path, repository, name, matters, committed
):
    """Changes to packaging or dependencies since the last release count, committed or not."""
    repository("tag", "v1.0.0")
    change(tmp_path, name)
    if committed:
        repository("add", "."), repository("commit", "--quiet", "-m", "Change")
    build, why = changed.decision(tmp_path, {})
    assert build == matters
    assert "v1.0.0" in why
    assert (name in why) == matters


def test_a_branch_is_compared_with_where_it_left_the_main_one(tmp_path, repository):
    """Only a branch's own changes count, not those of main before or after it branched off."""
    repository("tag", "v1.0.0")
    change(tmp_path, "Makefile")
    repository("add", "."), repository("commit", "--quiet", "-m", "Before")
    repository("checkout", "--quiet", "-b", "branch")
    change(tmp_path, "src/code.py")
    repository("commit", "--quiet", "-a", "-m", "On the branch")
    repository("update-ref", "refs/remotes/origin/main", "main")
    assert not changed.decision(tmp_path, {})[0]
    change(tmp_path, "pyproject.toml")
    assert changed.decision(tmp_path, {})[0]
    assert changed.decision(tmp_path, {"BASE": "v1.0.0"})[0]


def test_scripts_run_with_nothing_but_python():
    """The scripts that decide and find Pythons run without installed packages."""
    code = "import sys; sys.path[:0] = ['packaging']; import changed, pythons, project"
    done = python("-I", "-S", "-c", f"{code}; print(project.version())", cwd=ROOT)
    assert done.stdout.strip() == project.version()


def test_image_archive_is_read_by_docker_too(tmp_path):
    """The list of layers that docker reads names the blobs of the OCI index."""
    blobs = {}

    def blob(content):
        digest = hashlib.sha256(content).hexdigest()
        blobs[f"blobs/sha256/{digest}"] = content
        return {"digest": f"sha256:{digest}"}

    layers = [blob(b"first layer"), blob(b"second layer")]
    manifest = blob(json.dumps({"config": blob(b"{}"), "layers": layers}).encode())
    blobs["index.json"] = json.dumps({"manifests": [manifest]}).encode()
    with tarfile.open(tmp_path / "image.tar", "w") as archive:
        for name, content in blobs.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    image_archive.add_docker_manifest(tmp_path / "image.tar", "localhost/x:1")
    with tarfile.open(tmp_path / "image.tar") as archive:
        contents = {m.name: archive.extractfile(m).read() for m in archive.getmembers()}
    (listed,) = json.loads(contents.pop("manifest.json"))
    assert contents == blobs
    assert listed["RepoTags"] == ["localhost/x:1"]
    assert contents[listed["Config"]] == b"{}"
    assert [contents[name] for name in listed["Layers"]] == [b"first layer", b"second layer"]
