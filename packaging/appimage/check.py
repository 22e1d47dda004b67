"""Check an AppImage by running it on this machine, and on others that this one can imitate.

In: the file. Out: a line for each world, which says that it was checked, or why it was not; exit
code 0, 77 if nothing could be checked here, anything else if something is wrong. It leaves only the
roots in build/roots, which the next run reuses.

    .venv/bin/python packaging/appimage/check.py dist/rico-hdl-0.1.0-x86_64.AppImage
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from steps import NotHereError, StepError, end, need, run
from worlds import WORLDS, World

from rico_hdl.datasets import registry

_ROOT: Final = Path(__file__).resolve().parents[2]
sys.path.append(str(_ROOT))
from corpus import generate  # noqa: E402 - it lies in the project's root
from corpus.archives import publish  # noqa: E402

_MAX_BYTES: Final = 110_000_000
_N_STARTS: Final = 3
_N_PATCHES_TO_STOP: Final = 1000
"""Enough patches for the conversion to be running when it is interrupted."""

_N_PATCHES: Final = 3
"""Patches of each modality of each dataset."""

_PATIENCE_SECONDS: Final = 30
_CLEANED_SECONDS: Final = 10
"""Time limit for the process that cleans up, in seconds; it takes milliseconds."""


def main() -> None:
    """Check the file that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("file", type=Path, help="the AppImage")
    given = parser.parse_args().file
    need("sh")
    check_size(given)
    with tempfile.TemporaryDirectory(prefix="check-") as folder:
        work = Path(folder)
        work.chmod(0o777)
        (work / "tmp").mkdir()
        (work / "tmp").chmod(0o1777)
        file = work / "rico-hdl.AppImage"
        shutil.copy2(given, file)
        done = [tried(world, work, file) for world in worlds(file)]
    if not any(done):
        raise NotHereError("no world could be created here")


def worlds(file: Path) -> list[World]:
    """The worlds to check a file in: our own runtime never mounts, so FUSE makes no difference."""
    help_text = subprocess.run(
        [file, "--appimage-help"], capture_output=True, text=True, errors="replace", check=False
    )
    if "--appimage-mount" in help_text.stdout + help_text.stderr:
        # The published runtime finds itself by /proc.
        return [world for world in WORLDS if "no /proc" not in world.name]
    found = [world for world in WORLDS if not world.mounts or world is WORLDS[0]]
    return [replace(world, mounts=False) for world in found]


def check_size(file: Path) -> None:
    """Check that the file is not larger than its limit."""
    n_bytes = file.stat().st_size
    if n_bytes > _MAX_BYTES:
        raise StepError(f"{file} has {n_bytes / 1e6:.1f} MB, more than {_MAX_BYTES / 1e6:.0f}")
    print(f"size: {n_bytes / 1e6:.1f} MB, at most {_MAX_BYTES / 1e6:.0f}")


def tried(world: World, work: Path, file: Path) -> bool:
    """Check the AppImage in a world and print the result; return whether it was checked."""
    try:
        command = world.command(work, file)
    except NotHereError as reason:
        print(f"SKIPPED {world.name}: {reason}", file=sys.stderr, flush=True)
        return False
    try:
        seconds = checked(world, command, work)
    except StepError as error:
        raise StepError(f"{world.name}: FAILED, {error}") from None
    how = "mounted" if world.mounts else "extracted"
    print(f"{world.name}: checked, {how}, starts in {seconds:.2f} s", flush=True)
    return True


def checked(world: World, command: list[str], work: Path) -> float:
    """Check the AppImage in a world, and return how long it takes to start, in seconds."""
    environment = {**os.environ, "TMPDIR": str(work / "tmp")}
    if not world.mounts:
        environment["APPIMAGE_EXTRACT_AND_RUN"] = "1"  # the published runtime must be told
    elif not mounts(command, environment):
        raise StepError("was not mounted")
    script = _ROOT / "packaging" / "check.py"
    run(sys.executable, script, "--work", work, "--", *command, env=environment)
    if "this machine" in world.name:
        check_interrupt(command, environment, work)
    if world.name == WORLDS[0].name:
        check_datasets(command, environment, work)
    seconds = start_seconds(command, environment)
    check_clean(work / "tmp")
    return seconds


def mounts(command: list[str], environment: Mapping[str, str]) -> bool:
    """Whether the AppImage can mount itself."""
    process = subprocess.Popen(
        [*command, "--appimage-mount"],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        stderr=subprocess.DEVNULL,
    )
    assert process.stdout  # noqa: S101 - it is a pipe
    with process:
        path = process.stdout.readline()
        process.terminate()
    return bool(path)


def check_interrupt(command: list[str], environment: Mapping[str, str], work: Path) -> None:
    """Check that Ctrl-C during a conversion gives rico-hdl's own exit code."""
    source, target = work / "many", work / "stopped"
    generate = [sys.executable, "-m", "corpus", "bigearthnet", str(source)]
    options = run(*generate, "--n-patches", str(_N_PATCHES_TO_STOP), folder=_ROOT)
    words = [word for line in options.splitlines() for word in line.split(" ", 1)]
    # A shell makes programs started with & ignore SIGINT, which children inherit.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen(
        [*command, "bigearthnet", *words, "--target-dir", str(target), "--num-workers", "1"],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    signal.signal(signal.SIGINT, before)
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not (target / "data.mdb").exists() and time.monotonic() < deadline:
        time.sleep(0.005)
    # As in a terminal, every process of the group gets the signal.
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=_PATIENCE_SECONDS)
    shutil.rmtree(source)
    shutil.rmtree(target)
    if process.returncode != 128 + signal.SIGINT:
        raise StepError(f"interrupted, it ended with exit code {process.returncode}\n{said}")


def check_datasets(command: list[str], environment: Mapping[str, str], work: Path) -> None:
    """Check that every dataset can be converted, so no codec or library is missing."""
    ours = [sys.executable, "-m", "rico_hdl"]
    for spec in registry().values():
        folder = work / spec.name
        sources = generate(spec, folder / "source", _N_PATCHES)
        archives = publish(spec, sources, folder / "downloads") or sources
        sources = {name: sources[name] for name in archives}
        digests = set()
        # Folders too, because compressed files use other decoders than archives do.
        for number, given in enumerate((archives, sources)):
            paths = [(spec.modality(name).option, str(path)) for name, path in given.items()]
            options = [word for pair in paths for word in pair]
            for name, program in (("ours", ours), ("theirs", command)):
                target = ("--target-dir", folder / f"{name}-{number}", "--json", "--quiet")
                said = run(*program, spec.name, *options, *target, env=environment)
                digests.add(json.loads(said)["content_digest"])
        if len(digests) > 1:
            raise StepError(f"{spec.name}: content digests differ: {', '.join(sorted(digests))}")
        shutil.rmtree(folder)


def start_seconds(command: list[str], environment: Mapping[str, str]) -> float:
    """The median duration of the shortest command, in seconds."""
    seconds = []
    for _ in range(_N_STARTS):
        begin = time.perf_counter()
        run(*command, "--version", env=environment)
        seconds.append(time.perf_counter() - begin)
    return statistics.median(seconds)


def check_clean(temporary: Path) -> None:
    """Check that nothing is left in the folder for temporary files: no folder, and so no mount."""
    deadline = time.monotonic() + _CLEANED_SECONDS
    while (left := sorted(temporary.iterdir())) and time.monotonic() < deadline:
        time.sleep(0.01)
    if left:
        raise StepError(f"left behind: {', '.join(map(str, left))}")


if __name__ == "__main__":
    end(main)
