"""Check the container image: it converts and verifies a sample, as a user would run it.

In: the archive of `packaging/image.py`, podman or docker. Out: the results; exit code 1 if
something is wrong, 77 if this machine can't run containers. Containers have no network, a read-only
root and read-only sources; the files that they write belong to the caller.

    .venv/bin/python packaging/check_image.py dist/rico-hdl-VERSION-image.tar
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import engines
import project

_CHECK: Final = project.ROOT / "packaging" / "check.py"
_MAX_BYTES: Final = 400_000_000
_ALONE: Final = ("run", "--rm", "--network", "none", "--read-only")
_OTHER_USER: Final = 12_345
"""A user without an entry in /etc/passwd, here or in the image."""


def main() -> None:
    """Check the archive that the command line names."""
    archive = Path(sys.argv[1]).absolute()
    loader = engines.builder()
    if loader is None or loader.name == "buildah":
        project.skip(
            "neither podman nor docker works here, which are the engines that run containers"
        )
    try:
        loaded = re.search(r"Loaded image.*: (\S+)$", loader.run("load", "--input", archive))
        if not loaded:
            sys.exit(f"{archive}: {loader.name} found no image in it")
        image = loaded[1]
        with engines.runner(image) as engine:
            if engine is None:
                project.skip(f"{loader.name} starts no container on this machine")
            _check_configuration(engine, image)
            _check_conversion(engine, image, engines.as_caller(engine), os.getuid())
            if os.getuid() == 0:
                other = ["--user", f"{_OTHER_USER}:{_OTHER_USER}"]
                _check_conversion(engine, image, other, _OTHER_USER)
            _check_documented_lines(engine)
    except project.ProcessError as error:
        sys.exit(str(error))


def _check_configuration(engine: engines.Engine, image: str) -> None:
    (found,) = json.loads(engine.run("image", "inspect", image))
    size, user = found["Size"], found["Config"]["User"]
    if size >= _MAX_BYTES:
        sys.exit(f"the image has {size} bytes, {_MAX_BYTES} are too many")
    if not re.fullmatch(r"[1-9]\d*:[1-9]\d*", user):
        sys.exit(f"the image's user is {user!r}, expected numbers, and not root")
    said = engine.run(*_ALONE, image, "--version").strip()
    if project.version() not in said:
        sys.exit(f"the image says {said!r}, expected version {project.version()}")
    print(f"{image}: {said}, {size / 1e6:.0f} MB, user {user}", flush=True)


def _check_conversion(
    engine: engines.Engine, image: str, options: Sequence[str], owner: int
) -> None:
    with TemporaryDirectory(prefix="rico-hdl-image-") as folder:
        work = Path(folder)
        os.chown(work, owner, -1)
        mounts = ["--volume", f"{work}:{work}", "--volume", f"{work}/source:{work}/source:ro"]
        # Unlike docker, podman mounts folders in memory at /tmp and elsewhere; this disables them.
        no_folders = ["--read-only-tmpfs=false"] if engine.name == "podman" else []
        command = [engine.name, *_ALONE, *no_folders, *options, *mounts, image]
        check = (sys.executable, str(_CHECK), "--work", str(work), "--", *command)
        said = project.run(*check, environment=engine.environment).strip()
        target = work / "target"
        owners = {path.stat().st_uid for path in [target, *target.rglob("*")]}
        if owners != {owner}:
            sys.exit(f"{target} belongs to {owners}, expected {owner}")
    print(f"as user {owner}: {said}", flush=True)


def _check_documented_lines(engine: engines.Engine) -> None:
    """Run the documented lines on a generated sample."""
    page = (project.ROOT / "docs" / "install.md").read_text(encoding="utf-8")
    (lines,) = re.findall(r"^```bash\n(docker load .*?)^```", page, re.MULTILINE | re.DOTALL)
    lines = lines.replace("VERSION", project.version()).replace("docker", engine.name)
    if engine.name == "podman" and os.getuid():
        lines = lines.replace("--user", "--userns keep-id --user")
    with TemporaryDirectory(prefix="rico-hdl-image-") as folder:
        work = Path(folder)
        corpus = ("-m", "corpus", "bigearthnet", work, "--n-patches", "2")
        project.run(sys.executable, *corpus)
        archive = project.names(project.version())["image"]
        (work / archive).symlink_to(project.ROOT / "dist" / archive)
        project.run("sh", "-euc", lines, folder=work, environment=engine.environment)
        project.run(sys.executable, "-m", "rico_hdl", "verify", work / "Encoded-BigEarthNet")
    print("the documented lines: converted and verified", flush=True)


if __name__ == "__main__":
    main()
