"""Prepare a release: version, changelog, artefacts, bill of materials, commit, tag, checksums.

In: a clean ``main`` whose changelog begins with a section ``Unreleased`` or of the version. Out: a
commit, a tag ``v<VERSION>``, and ``dist/``. It commits once all artefacts are built and checked;
until then a failure leaves the project as it was. It never uploads or pushes.

    .venv/bin/python packaging/release.py VERSION [--dry-run] [--allow-skipped]
"""

from __future__ import annotations

import argparse
import hashlib
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Final

import project
import sbom

_CHANGELOG: Final = project.ROOT / "CHANGELOG.md"
_CODE: Final = project.ROOT / project.VERSION_FILE
_DIST: Final = project.ROOT / "dist"
_HEADING: Final = re.compile(r"^## (.+)$", re.MULTILINE)
_ARTEFACTS: Final = "packaging/artefacts.py"


def main() -> None:
    """Prepare the release that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("version", help="such as 1.2.3")
    parser.add_argument("--dry-run", action="store_true", help="print the steps, and end")
    parser.add_argument(
        "--allow-skipped", action="store_true", help="release even if something was skipped"
    )
    parser.add_argument("--only", default="", metavar="NAMES", help="release only these artefacts")
    arguments = parser.parse_args()
    version: str = arguments.version
    try:
        wrong = problems(version)
    except project.ProcessError as error:  # no git, no repository
        wrong = [str(error)]
    if wrong:
        sys.exit("\n".join(wrong))
    strict = [] if arguments.allow_skipped else ["--strict"]
    build = [sys.executable, _ARTEFACTS, *strict, *shlex.split(arguments.only)]
    if arguments.dry_run:
        print(f"would write version {version} and its date into {_CODE.name}, {_CHANGELOG.name}")
        print(f"would run {shlex.join(build)}, write a bill of materials, and commit and tag both")
        return
    try:
        _release(version, build)
    except subprocess.CalledProcessError:
        sys.exit(
            "not everything was built and checked, as the table says: nothing was committed or "
            "tagged\nto release even if something was skipped: RELEASE=--allow-skipped"
        )
    except project.ProcessError as error:
        sys.exit(f"{error}\nnothing was committed or tagged")


def problems(version: str) -> list[str]:
    """The reasons against a release now; empty if there are none."""
    found = []
    if not re.fullmatch(r"\d+\.\d+\.\d+", version):
        return [f"{version!r} is not a version: expected x.y.z"]
    tags = _git("tag", "--list", "v*").split()
    if newer := [tag for tag in tags if _numbers(tag[1:]) >= _numbers(version)]:
        found.append(f"{', '.join(newer)} exists already: expected a newer version")
    if (branch := _git("branch", "--show-current").strip()) != "main":
        found.append(f"this is branch {branch or '(none)'}: releases are made on main")
    if changed := _git("status", "--porcelain").splitlines():
        found.append(f"the working tree is not clean: {', '.join(line[3:] for line in changed)}")
    heading, notes = first_section(_CHANGELOG.read_text(encoding="utf-8"))
    if heading not in {"Unreleased", version}:
        found.append(f"{_CHANGELOG.name} begins with {heading!r}: expected Unreleased or {version}")
    elif not notes.strip():
        found.append(f"{_CHANGELOG.name} says nothing about this version")
    return found


def first_section(changelog: str) -> tuple[str, str]:
    """The heading and the text of the changelog's first section."""
    headings = list(_HEADING.finditer(changelog))
    if not headings:
        return "", ""
    end = headings[1].start() if len(headings) > 1 else len(changelog)
    return headings[0][1], changelog[headings[0].end() : end]


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", version)))


def _release(version: str, build: list[str]) -> None:
    with _restored_on_failure():
        _write(version)
        print(shlex.join(build), flush=True)
        subprocess.run(build, cwd=project.ROOT, stdin=subprocess.DEVNULL, check=True)
        names = project.names(version)
        sbom.write(_DIST / names["sbom"])
        _git("add", str(_CODE), str(_CHANGELOG))
        # The code may have the version already; the changelog never has the date.
        _git("commit", "--quiet", "--message", f"Release {version}")
        _git("tag", "--annotate", f"v{version}", "--message", f"rico-hdl {version}")
    files = [_DIST / name for name in names.values() if (_DIST / name).exists()]
    sums = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in files]
    (_DIST / "SHA256SUMS").write_text("".join(sums), encoding="utf-8")
    print(f"\nrico-hdl {version} is committed and tagged. In {_DIST}:")
    for path in files:
        print(f"  {path.name}  {path.stat().st_size / 1e6:.1f} MB")
    print("  SHA256SUMS\nNothing was uploaded. Next:")
    print(f"  git push origin main v{version}")
    print("  publish the files, with this version's section of the changelog")


def _write(version: str) -> None:
    """Write the version to the code, and version and date to the changelog."""
    code = _CODE.read_text(encoding="utf-8")
    _CODE.write_text(code.replace(project.version(), version), encoding="utf-8")
    changelog = _CHANGELOG.read_text(encoding="utf-8")
    heading = f"## {version} ({datetime.now(UTC):%Y-%m-%d})"
    _CHANGELOG.write_text(_HEADING.sub(heading, changelog, count=1), encoding="utf-8")


@contextmanager
def _restored_on_failure() -> Iterator[None]:
    """Undo the written changes if a later step fails or is interrupted."""
    before = _git("rev-parse", "HEAD").strip()
    try:
        yield
    except BaseException:
        _git("reset", "--quiet", before)
        _git("checkout", "--", str(_CODE), str(_CHANGELOG))
        raise


def _git(*arguments: str) -> str:
    return project.run("git", *arguments)


if __name__ == "__main__":
    main()
