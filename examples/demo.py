# ruff: noqa: INP001, S603, T201 - a script that prints, and starts the programs named in it
"""`make demo`: a whole conversion on a small scale, checked by independent readers.

It generates a BigEarthNet sample in the folder that the command line names, converts it with the
command line of rico-hdl, and explains each step on the terminal. It needs no network.
"""

from __future__ import annotations

import argparse
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import lmdb
import numpy as np
import rasterio
from safetensors.numpy import load

_ROOT: Final = Path(__file__).resolve().parents[1]
_N_PATCHES: Final = 8

_TARGET: Final = "Encoded-BigEarthNet"
_SOURCES: Final = {
    "--bigearthnet-s1-dir": "BigEarthNet-S1",
    "--bigearthnet-s2-dir": "BigEarthNet-S2",
    "--bigearthnet-reference-maps-dir": "Reference_Maps",
}
_SNIPPET: Final = "read_a_patch.py"


def main() -> None:
    """Run the demonstration in the folder that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__.partition(":")[0])
    parser.add_argument("folder", type=Path, help="where the sample and its store go")
    folder: Path = parser.parse_args().folder.absolute()
    _clear(folder)

    _say(f"1. Generate {_N_PATCHES} patches of each of BigEarthNet's three modalities:")
    arguments = ["bigearthnet", str(folder), "--n-patches", str(_N_PATCHES)]
    _run([sys.executable, "-m", "corpus", *arguments], _ROOT)

    _say("2. Convert them, as one would convert the real dataset:")
    sources = [word for source in _SOURCES.items() for word in source]
    _run(["rico-hdl", "bigearthnet", *sources, "--target-dir", _TARGET], folder)

    _say("3. Inspect the store, and prove that it holds what was written:")
    _run(["rico-hdl", "info", _TARGET], folder)
    _run(["rico-hdl", "verify", _TARGET], folder)

    _say("4. Compare it with the GeoTIFFs, decoded again by GDAL:")
    _run(["rico-hdl", "verify", _TARGET, "--sources", "--decoder", "gdal"], folder)

    _say("5. Compare it with what rasterio reads, without rico-hdl:")
    n_patches, n_bands, n_pixels = _compare(folder)
    print(f"{n_patches} patches, {n_bands} bands, {n_pixels} pixels: all identical.")

    _say("6. Read a patch with lmdb and safetensors alone, as in the README:")
    code = _reading_snippet()
    print(code)
    (folder / _SNIPPET).write_text(code, encoding="utf-8")
    _run([sys.executable, _SNIPPET], folder)

    _say(f"Done. The store is {folder / _TARGET}:")
    for path in sorted((folder / _TARGET).iterdir()):
        print(f"{path.stat().st_size:>9} bytes  {path.name}")


def _say(text: str) -> None:
    print(f"\n{text}\n", flush=True)


def _run(command: list[str], folder: Path) -> None:
    """Show a command and run it in a folder; end the demonstration if it fails."""
    shown = [Path(command[0]).name, *command[1:]]
    print(f"$ {shlex.join(shown)}", flush=True)
    # The rico-hdl of this environment, even if it is not activated.
    program = shutil.which(command[0], path=str(Path(sys.executable).parent)) or command[0]
    code = subprocess.run([program, *command[1:]], cwd=folder, check=False).returncode
    if code:
        sys.exit(f"The command failed with exit code {code}.")


def _clear(folder: Path) -> None:
    """Remove the files of an earlier demonstration, and nothing else."""
    ours = {*_SOURCES.values(), _TARGET, _SNIPPET}
    found = list(folder.iterdir()) if folder.is_dir() else []
    if foreign := sorted(path.name for path in found if path.name not in ours):
        sys.exit(f"{folder} holds other files, such as {foreign[0]}: name a new or empty folder.")
    for path in found:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
    folder.mkdir(parents=True, exist_ok=True)


def _compare(folder: Path) -> tuple[int, int, int]:
    """Compare the store with the GeoTIFFs, bit by bit.

    Returns:
        The numbers of patches, bands and pixels.
    """
    files = sorted(path for name in _SOURCES.values() for path in (folder / name).rglob("*.tif"))
    seen: set[str] = set()
    n_pixels = 0
    with (
        lmdb.open(str(folder / _TARGET), readonly=True, lock=False) as env,
        env.begin() as txn,
    ):
        n_stored = sum(len(load(value)) for _, value in txn.cursor())
        for path in files:
            key, band = _place_of(path)
            record = txn.get(key.encode())
            if record is None:
                sys.exit(f"{key} is missing from the store.")
            stored = load(record)[band]
            with rasterio.open(path) as file:
                expected: np.ndarray = file.read(1)
            same = (stored.dtype, stored.shape) == (expected.dtype, expected.shape)
            if not same or stored.tobytes() != expected.tobytes():
                sys.exit(f"{key}, band {band}: the store differs from {path}.")
            seen.add(key)
            n_pixels += stored.size
        n_keys = int(txn.stat()["entries"])
    if (len(seen), len(files)) != (n_keys, n_stored):
        sys.exit(f"{n_stored} bands of {n_keys} patches are stored, {len(files)} files exist.")
    return n_keys, n_stored, n_pixels


def _place_of(path: Path) -> tuple[str, str]:
    """The key and band under which a GeoTIFF's pixels must be stored."""
    name = path.stem
    if name.endswith("_reference_map"):
        return name, "Data"
    key, _, band = name.rpartition("_")
    return key, band


def _reading_snippet() -> str:
    """The Python block of the README that reads without rico-hdl."""
    text = (_ROOT / "README.md").read_text(encoding="utf-8")
    found = re.search(r"```python\n(import lmdb\n.*?)```", text, re.DOTALL)
    if found is None:
        sys.exit("README.md has no Python block that begins with `import lmdb`.")
    return found[1]


if __name__ == "__main__":
    main()
