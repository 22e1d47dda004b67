"""Build the container image of the wheel in ``dist/``, and export it as an OCI archive.

In: ``dist/``, `packaging/Dockerfile`, podman, buildah or docker, a package index, a base image.
Out: ``dist/rico-hdl-VERSION-image.tar``, and the image in the engine's own store. If the base image
can't be pulled, a base built from Debian's packages replaces it, which is reported. The exit code
is 77 if the machine has no engine or no base.

    .venv/bin/python packaging/image.py [--base IMAGE] [--with-extras]
"""

from __future__ import annotations

import argparse
import re
import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import engines
import project

_DOCKERFILE: Final = project.ROOT / "packaging" / "Dockerfile"
_SUBSTITUTE: Final = "localhost/rico-hdl-base:trixie"
_CLEAN: Final = 'rm -rf "$1"/var/lib/apt/lists/* "$1"/var/cache/apt/* "$1"/usr/share/doc/*'
_PIP_OPTIONS: Final = ("index-url", "extra-index-url", "trusted-host")


def main() -> None:
    """Build the image and export it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--base", help="the base image, instead of the Dockerfile's")
    parser.add_argument("--with-extras", action="store_true", help="with rasterio")
    arguments = parser.parse_args()
    engine = engines.builder()
    if engine is None:
        project.skip("podman, buildah and docker don't work here")
    project.ask_index()
    version = project.version()
    image = f"localhost/rico-hdl:{version}"
    build = ["--file", str(_DOCKERFILE), "--tag", image, "--build-arg", f"VERSION={version}"]
    if arguments.with_extras:
        build += ["--build-arg", "REQUIREMENTS=runtime-extras.txt"]
    try:
        base = arguments.base or _base(engine)
        print(f"base image: {base}", flush=True)
        with TemporaryDirectory() as folder:
            secrets = _pip_secrets(Path(folder))
            engine.build("--build-arg", f"BASE={base}", *build, *secrets, project.ROOT)
        path = project.ROOT / "dist" / project.names(version)["image"]
        engine.export(image, path)
    except project.ProcessError as error:
        sys.exit(str(error))
    print(f"{path}: {path.stat().st_size / 1e6:.0f} MB, in {engine.name} as {image}")


def _base(engine: engines.Engine) -> str:
    """The Dockerfile's base image, or its replacement on this machine."""
    found = re.search(r"^ARG BASE=(\S+)$", _DOCKERFILE.read_text(encoding="utf-8"), re.MULTILINE)
    if not found:
        raise ValueError(f"{_DOCKERFILE}: no line ARG BASE=…")
    base = found[1]
    try:
        engine.run("pull", base)
    except project.ProcessError as error:
        reason = str(error).strip().rpartition(": ")[2]
    else:
        return base
    if not engine.has(_SUBSTITUTE):
        if not shutil.which("mmdebstrap"):
            project.skip(f"{base} can't be pulled, and mmdebstrap is not installed: {reason}")
        with TemporaryDirectory() as folder:
            archive = Path(folder, "base.tar")
            make = ("mmdebstrap", "--quiet", "--variant=apt", "--include=python3,python3-venv")
            project.run(*make, f"--customize-hook={_CLEAN}", "trixie", archive)
            engine.keep(archive, _SUBSTITUTE)
    project.skip_part(f"base {base}", f"can't be pulled, using Debian's Python instead: {reason}")
    return _SUBSTITUTE


def _pip_secrets(folder: Path) -> list[str]:
    """The options that make pip in the build use this machine's package index."""
    listed = project.run(sys.executable, "-m", "pip", "config", "list")
    found = dict(re.findall(r"^(?:global|install|:env:)\.(\S+?)='(.*)'$", listed, re.MULTILINE))
    lines = [
        f"{option} = {' '.join(words)}"
        for option in _PIP_OPTIONS
        if (words := [word for word in found.get(option, "").split() if "file:" not in word])
    ]
    secrets = []
    if certificates := found.get("cert"):
        lines.append("cert = /run/secrets/ca.pem")
        secrets = ["--secret", f"id=ca.pem,src={certificates}"]
    if lines:
        settings = folder / "pip.conf"
        settings.write_text("\n".join(["[global]", *lines, ""]), encoding="utf-8")
        secrets += ["--secret", f"id=pip.conf,src={settings}"]
    return secrets


if __name__ == "__main__":
    main()
