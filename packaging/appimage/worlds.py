"""The worlds: kinds of machines that the AppImage must run on, imitated on one machine.

In: a working folder with the AppImage in it. Out: for each world the command that runs the AppImage
in it, or why it is not available here. Worlds are mount namespaces: their mounts end with the last
process in them.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from steps import NotHereError, StepError, need, run

_ROOT: Final = Path(__file__).resolve().parents[2]
_ROOTS: Final = _ROOT / "build" / "roots"
_NOBODY: Final = "65534"
"""The user and group id of a user that owns nothing."""

_FUNCTIONS: Final = """
# A folder of devices, with the named ones in addition.
devices() {
  folder=$1; shift
  mount -t tmpfs -o mode=755 devices "$folder"
  mknod -m 666 "$folder/null" c 1 3
  mknod -m 666 "$folder/zero" c 1 5
  mknod -m 666 "$folder/random" c 1 8
  mknod -m 666 "$folder/urandom" c 1 9
  for name in "$@"; do
    [ "$name" != fuse ] || mknod -m 666 "$folder/fuse" c 10 229
  done
}

# Makes the folder of the work visible in another root.
enter() {
  mount -t tmpfs -o mode=1777 temporary "$1/tmp"
  mkdir -p "$1$WORK"
  mount --bind "$WORK" "$1$WORK"
}
"""

# Variables that a user may have set, and that must have no effect.
_HOSTILE: Final = (
    "env -u HOME PYTHONHOME=/nowhere PYTHONPATH=/nowhere PYTHONSTARTUP=/nowhere "
    "LD_LIBRARY_PATH=/nowhere LD_PRELOAD=/nowhere.so LC_ALL=xx_YY.ISO-8859-1 PATH=/nowhere"
)


def _debian() -> Path:
    """The root of a Debian 11, created once."""
    return _made("debian-11", "--variant=essential", "bullseye")


def _bare() -> Path:
    """A root without a C library: only a static busybox, and no shell under any name."""
    root = _ROOTS / "bare"
    for folder in ("bin", "dev", "proc", "tmp"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    busybox = shutil.which("busybox")
    if not busybox or "INTERP" in run("readelf", "--program-headers", busybox):
        raise NotHereError("needs a static busybox: Debian's package busybox-static")
    shutil.copy2(busybox, root / "bin/busybox")
    return root


def _made(name: str, *options: str) -> Path:
    """A root created by mmdebstrap."""
    root = _ROOTS / name
    if root.exists():
        return root
    need("mmdebstrap")
    partial = root.with_name(f"{name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    _ROOTS.mkdir(parents=True, exist_ok=True)
    try:
        run("mmdebstrap", "--mode=root", "--skip=check/empty", *options, partial)
    except StepError as error:
        raise NotHereError(f"mmdebstrap can't make {name}: {str(error).splitlines()[-1]}") from None
    partial.rename(root)
    return root


@dataclass(frozen=True)
class World:
    """A kind of machine."""

    name: str
    mounts: bool
    """Whether a runtime that can mount must do so there; otherwise it must extract the files."""

    script: str
    """Shell commands, the last of which run ``$FILE "$@"``."""

    root: Callable[[], Path] | None = None
    """Creates the folder that is ``$ROOT`` in the commands."""

    def command(self, work: Path, file: Path) -> list[str]:
        """The command that runs the AppImage in this world, without arguments.

        Raises:
            NotHereError: This world is not available here.
        """
        if self.mounts:
            _probe_fuse(as_user="user" in self.name)
        if self.is_special:
            _probe()
        lines = [_FUNCTIONS, f"FILE={file} WORK={work}"]
        if self.root:
            lines.append(f"ROOT={self.root()}")
        script = work / "world.sh"
        script.write_text("\n".join([*lines, self.script]))
        shell = ["sh", "-eu", str(script)]
        return (
            ["unshare", "--mount", "--propagation", "private", *shell] if self.is_special else shell
        )

    @property
    def is_special(self) -> bool:
        """Whether this world differs from the current one."""
        return self.script != _HERE


def _probe() -> None:
    """Find out whether this machine allows creating worlds."""
    if os.geteuid():
        raise NotHereError("needs root, to mount and to change the user")
    need("unshare", "setpriv", "chroot", "mknod")
    script = f"{_FUNCTIONS}\ndevices /dev\n: > /dev/null"
    try:
        run("unshare", "--mount", "--propagation", "private", "sh", "-euc", script)
    except StepError as error:
        raise NotHereError(f"can't mount here: {str(error).splitlines()[-1]}") from None


def _probe_fuse(*, as_user: bool) -> None:
    """Find out whether this machine allows root, or a user, to mount with FUSE."""
    if not os.access("/dev/fuse", os.R_OK | os.W_OK):
        raise NotHereError("this machine has no /dev/fuse, or does not allow its use")
    if as_user or os.geteuid():
        if not shutil.which("fusermount3") and not shutil.which("fusermount"):
            raise NotHereError("needs fusermount3: Debian's package fuse3")
    else:
        _probe()


_HERE: Final = 'exec "$FILE" "$@"'
_AS_NOBODY: Final = f"setpriv --reuid={_NOBODY} --regid={_NOBODY} --clear-groups"

WORLDS: Final = (
    World("this machine, FUSE", mounts=True, script=_HERE),
    World("this machine, no FUSE", mounts=False, script=f"devices /dev; {_HERE}"),
    World(
        "ordinary user, FUSE",
        mounts=True,
        script=f'devices /dev fuse; exec {_AS_NOBODY} env HOME=/ "$FILE" "$@"',
    ),
    World(
        "ordinary user, no FUSE, no HOME, misleading variables",
        mounts=False,
        script=f'devices /dev; exec {_AS_NOBODY} {_HOSTILE} "$FILE" "$@"',
    ),
    World(
        "Debian 11, FUSE",
        mounts=True,
        script='enter "$ROOT"; devices "$ROOT/dev" fuse; mount -t proc proc "$ROOT/proc"\n'
        'exec chroot "$ROOT" "$FILE" "$@"',
        root=_debian,
    ),
    World(
        "Debian 11, ordinary user, no FUSE",
        mounts=False,
        script='enter "$ROOT"; devices "$ROOT/dev"; mount -t proc proc "$ROOT/proc"\n'
        f'exec chroot --userspec={_NOBODY}:{_NOBODY} "$ROOT" "$FILE" "$@"',
        root=_debian,
    ),
    World(
        "no C library, FUSE",
        mounts=True,
        script='enter "$ROOT"; devices "$ROOT/dev" fuse; mount -t proc proc "$ROOT/proc"\n'
        'exec chroot "$ROOT" "$FILE" "$@"',
        root=_bare,
    ),
    World(
        "no C library, no shell, no /proc, no FUSE",
        mounts=False,
        script='enter "$ROOT"; devices "$ROOT/dev"; exec chroot "$ROOT" "$FILE" "$@"',
        root=_bare,
    ),
)
