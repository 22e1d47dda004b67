"""The container engines of this machine: podman, buildah or docker, whichever works.

The engine's own settings are never changed.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import image_archive
import project

_PLAIN: Final = """
[containers]
default_ulimits = ["nofile=4096:4096", "nproc=8192:8192"]
netns = "host"
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
"""
"""Settings for podman on a machine that is itself a container without limits and cgroups."""


_VARIABLES: Final = {"docker": {"DOCKER_BUILDKIT": "1"}}  # older versions need it for secrets


@dataclass(frozen=True)
class Engine:
    """A container engine."""

    name: str
    """``podman``, ``buildah`` or ``docker``."""
    environment: dict[str, str] = field(default_factory=dict)
    """Environment variables that it is run with."""

    def run(self, *arguments: str | Path) -> str:
        """Run it, and return its stdout."""
        return project.run(self.name, *arguments, environment=self.environment)

    def build(self, *arguments: str | Path) -> None:
        """Build an image."""
        # No container per step, because some machines lack the rights that this needs.
        alone = () if self.name == "docker" else ("--isolation", "chroot", "--layers=false")
        self.run("build", *alone, *arguments)

    def has(self, image: str) -> bool:
        """Whether it stores an image."""
        inspect = ("inspect", "--type", "image") if self.name == "buildah" else ("inspect",)
        image_command = () if self.name == "buildah" else ("image",)
        try:
            self.run(*image_command, *inspect, image)
        except project.ProcessError:
            return False
        return True

    def keep(self, archive: Path, image: str) -> None:
        """Create an image from a tar of a root file system."""
        if self.name != "buildah":
            self.run("import", archive, image)
            return
        container = self.run("from", "scratch").strip()
        self.run("add", "--quiet", container, archive, "/")
        self.run("commit", "--quiet", "--rm", container, image)

    def export(self, image: str, path: Path) -> None:
        """Write an image as an archive that podman and docker can load.

        It is an OCI archive, except from docker before 25, which only knows its own format.
        """
        path.parent.mkdir(exist_ok=True)
        path.unlink(missing_ok=True)
        if self.name == "docker":
            self.run("save", "--output", path, image)
            return
        if self.name == "buildah":
            self.run("push", "--quiet", image, f"oci-archive:{path}:{image}")
        else:
            self.run("save", "--quiet", "--format", "oci-archive", "--output", path, image)
        image_archive.add_docker_manifest(path, image)


def builder() -> Engine | None:
    """The engine that builds images here; None if there is none."""
    return _first("podman", "buildah", "docker")


@contextmanager
def runner(image: str) -> Iterator[Engine | None]:
    """The engine that runs an image's ``/bin/true`` here; None if there is none."""
    engine = _first("podman", "docker")
    with TemporaryDirectory() as folder:
        settings = Path(folder, "containers.conf")
        settings.write_text(_PLAIN, encoding="utf-8")
        plain = Engine("podman", {"CONTAINERS_CONF": str(settings)})
        tried = [engine, plain] if engine and engine.name == "podman" else [engine]
        yield next((each for each in tried if each and _runs(each, image)), None)


def _first(*names: str) -> Engine | None:
    for name in names:
        if shutil.which(name):
            try:
                (engine := Engine(name, _VARIABLES.get(name, {}))).run("info")
            except project.ProcessError:
                continue  # no daemon, no rights
            return engine
    return None


def _runs(engine: Engine, image: str) -> bool:
    try:
        engine.run("run", "--rm", "--network", "none", "--entrypoint", "/bin/true", image)
    except project.ProcessError:
        return False
    return True


def as_caller(engine: Engine) -> list[str]:
    """The options that make a container's files belong to the caller."""
    keep = ["--userns", "keep-id"] if engine.name == "podman" and os.getuid() else []
    return [*keep, "--user", f"{os.getuid()}:{os.getgid()}"]
