"""Build the AppImage: one file that runs on any x86-64 Linux.

In: this checkout, Debian's archive, the package index. Out: the file that --output names; exit code
77 and a reason if this machine lacks something. It writes only to build/appimage and the output.

    .venv/bin/python packaging/appimage/build.py --output dist/rico-hdl.AppImage [--runtime FILE]

Nothing here downloads a runtime, since builds must work on closed machines, and no checksum is
pinned: that of the file that is used is printed.
"""

from __future__ import annotations

import argparse
import os
import shutil
from hashlib import sha256
from pathlib import Path
from typing import Final

from appdir import build_appdir
from native import build_runtime, mark
from steps import end, need, run

_ROOT: Final = Path(__file__).resolve().parents[2]
_WORK: Final = _ROOT / "build" / "appimage"
_PUBLISHED: Final = Path(__file__).with_name("runtime-x86_64")
"""Where a builder puts the file that the AppImage project publishes by this name."""

_PROGRAMS: Final = ("gcc", "readelf", "mmdebstrap", "mksquashfs")


def main() -> None:
    """Build the file that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--output", type=Path, required=True, help="the file to write")
    parser.add_argument(
        "--runtime",
        type=Path,
        default=os.environ.get("RUNTIME") or (_PUBLISHED if _PUBLISHED.exists() else None),
        help=f"its head: a published type-2 runtime; by default the variable RUNTIME, "
        f"{_PUBLISHED.name} in this folder, or our own",
    )
    arguments = parser.parse_args()
    need(*_PROGRAMS)
    shutil.rmtree(_WORK, ignore_errors=True)
    appdir = _WORK / "AppDir"
    appdir.mkdir(parents=True)
    runtime = _WORK / "runtime"
    if arguments.runtime:
        shutil.copyfile(arguments.runtime, runtime)
        mark(runtime)
        digest = sha256(arguments.runtime.read_bytes()).hexdigest()
        print(f"runtime: {arguments.runtime}, SHA-256 {digest}")
    else:
        build_runtime(runtime)
        print(f"runtime: our own, since there is no {_PUBLISHED} and no RUNTIME")
    build_appdir(appdir, _WORK)
    write_image(runtime, appdir, arguments.output.absolute())


def write_image(runtime: Path, appdir: Path, output: Path) -> None:
    """Write the file: the runtime, followed by the folder as a squashfs.

    The same content gives the same bytes: no time is later than the last commit's, and every file
    belongs to root.
    """
    squashfs = _WORK / "squashfs"
    # The kernel reads 128 KiB ahead, which squashfuse then decompresses at once.
    options = ("-comp", "zstd", "-Xcompression-level", "19", "-b", "128K")
    run(
        *("mksquashfs", appdir, squashfs, *options, "-all-root", "-noappend", "-no-xattrs"),
        *("-quiet", "-no-progress"),
        env={**os.environ, "SOURCE_DATE_EPOCH": epoch()},
    )
    output.parent.mkdir(parents=True, exist_ok=True)
    partial = output.with_name(f".{output.name}.partial")
    with partial.open("wb") as file:
        for part in (runtime, squashfs):
            file.write(part.read_bytes())
    partial.chmod(0o755)
    partial.replace(output)
    print(f"{output}: {output.stat().st_size / 1e6:.1f} MB")


def epoch() -> str:
    """The latest time of any file in it, in seconds since 1970."""
    if "SOURCE_DATE_EPOCH" in os.environ:
        return os.environ["SOURCE_DATE_EPOCH"]
    return run("git", "-C", _ROOT, "log", "-1", "--format=%ct").strip()


if __name__ == "__main__":
    end(main)
