"""Measure the peak memory of conversions, of every dataset and of hostile inputs.

In: nothing; everything is generated. Out: a table with the largest anonymous memory (RssAnon of
``/proc``, sampled every 50 ms) of a conversion with 1 and with 64 threads, and its exit code.

    .venv/bin/python benchmarks/memory.py [--only hydro bombs] [--megabytes 400]
"""

from __future__ import annotations

import argparse
import io
import math
import os
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import corpus
from corpus.archives import publish
from rico_hdl.datasets import get, registry

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from rico_hdl.spec import DatasetSpec

Sources = dict[str, list[Path]]

LIMITS = {"dataset": 400, "hostile": 600}
"""The documented limits in MB."""
EUROSAT = "eurosat-multi-spectral"


def main() -> int:
    """Read the command line, measure, print. Returns 1 if a limit is exceeded."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="*", help="rows to measure, such as hydro/folder or bombs")
    parser.add_argument("--megabytes", type=int, default=400, help="of records, for each dataset")
    arguments = parser.parse_args()
    print("| input | limit, MB | 1 thread | 64 threads | exit codes |")
    print("|---|--:|--:|--:|---|")
    too_much = False
    with tempfile.TemporaryDirectory() as folder:
        for kind, name, dataset, sources in inputs(Path(folder), arguments):
            found = [measure(dataset, sources, Path(folder) / "target", n) for n in (1, 64)]
            peaks = [peak for peak, _ in found]
            too_much |= max(peaks) > LIMITS[kind]
            codes = ", ".join(str(code) for _, code in found)
            cells = " | ".join(f"{peak:.0f}" for peak in peaks)
            print(f"| {name} | {LIMITS[kind]} | {cells} | {codes} |", flush=True)
    return int(too_much)


def inputs(folder: Path, arguments: Any) -> Iterator[tuple[str, str, str, Sources]]:  # noqa: ANN401
    """Generate each input in turn: the kind of its limit, its name, dataset and sources."""

    def is_wanted(name: str) -> bool:
        return not arguments.only or any(name.startswith(start) for start in arguments.only)

    for spec in registry().values():
        for form in ("folder", "published"):
            if is_wanted(f"{spec.name}/{form}"):
                place = folder / f"{spec.name}-{form}"
                sources = generated(spec, place, form, arguments.megabytes)
                if sources:
                    yield "dataset", f"{spec.name}/{form}", spec.name, sources
                run(["rm", "-rf", str(place)])
    for name, make in HOSTILE.items():
        if is_wanted(name):
            place = folder / name
            place.mkdir()
            yield ("hostile", name, *make(place))
            run(["rm", "-rf", str(place)])


def generated(spec: DatasetSpec, place: Path, form: str, megabytes: int) -> Sources:
    """A dataset with that many megabytes of records; empty if none is published in this form."""
    n_bytes = 0
    for modality in spec.modalities:
        itemsize = np.dtype(modality.dtype or "uint16").itemsize
        shapes = [corpus.shape_of(spec, modality, band, 0) for band in modality.bands]
        n_bytes += itemsize * sum(math.prod(shape) for shape in shapes)
    folders = corpus.generate(spec, place, max(3, megabytes * 10**6 // n_bytes), noise=True)
    if form == "folder":
        in_stores = any(
            one.arrays is not None and not one.arrays.are_files and one.container is None
            for one in spec.modalities
        )
        return {} if in_stores else {name: [path] for name, path in folders.items()}
    archives = publish(spec, folders, place / "archives")
    return {
        name: [Path(p) for p in (one if isinstance(one, list) else [one])]
        for name, one in archives.items()
    }


def bombs_in_tar(n_bytes: int, n: int) -> Callable[[Path], tuple[str, Sources]]:
    """A small ``.tar.zst`` with members of many zeros."""

    def make(place: Path) -> tuple[str, Sources]:
        path = place / "EuroSATallBands.tar.zst"
        pack(path, ((f"AnnualCrop/AnnualCrop_{i}.tif", bytes(n_bytes)) for i in range(n)))
        return EUROSAT, {"s2": [path]}

    return make


def bands_in_tar(place: Path) -> tuple[str, Sources]:
    """A ``.tar.zst`` with a long window, whose patches have 12 bands of 20 MB, in mixed order."""
    modality = get("bigearthnet").modality("s2")
    scene, _, name = modality.example.rpartition("/")
    stem = name.removesuffix("_B01.tif").removesuffix("_43")
    scene = scene.partition("/")[0]

    def members() -> Iterator[tuple[str, bytes]]:
        for band in modality.bands:
            for i in range(20):
                patch = f"{stem}_{i}"
                yield f"{scene}/{patch}/{patch}_{band.token}.tif", os.urandom(1) * (20 * 10**6)

    path = place / "BigEarthNet-S2.tar.zst"
    pack(path, members(), window_bits=27)
    return "bigearthnet", {"s2": [path]}


def large_in_zip(place: Path) -> tuple[str, Sources]:
    """A zip with eight members of 1,000 MB."""
    path = place / "EuroSATallBands.zip"
    block = bytes(10**6)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for i in range(8):
            with archive.open(f"AnnualCrop/AnnualCrop_{i}.tif", "w") as member:
                for _ in range(1000):
                    member.write(block)
    return EUROSAT, {"s2": [path]}


def images(n_bytes: int, n: int) -> Callable[[Path], tuple[str, Sources]]:
    """A folder with one small image, then images that inflate to many bytes each."""

    def make(place: Path) -> tuple[str, Sources]:
        folder = place / "AnnualCrop"
        folder.mkdir()
        spec = get(EUROSAT)
        n_bands = len(spec.modalities[0].bands)
        rows = n_bytes // (2 * n_bands * 512)
        for i in range(n):
            data = deflated_image(64 if i == 0 else rows, 64 if i == 0 else 512, n_bands)
            (folder / f"AnnualCrop_{i}.tif").write_bytes(data)
        return EUROSAT, {"s2": [place]}

    return make


def deflated_image(rows: int, columns: int, n_bands: int) -> bytes:
    """A TIFF of zeros, in one deflate strip per band."""
    import tifffile  # noqa: PLC0415 - only for this

    file = io.BytesIO()
    tifffile.imwrite(
        file,
        np.zeros((n_bands, rows, columns), np.uint16),
        photometric="minisblack",
        planarconfig="separate",
        compression="zlib",
        rowsperstrip=rows,
    )
    return file.getvalue()


def rows_in_parquet(place: Path) -> tuple[str, Sources]:
    """A parquet file with one row group of 900 MB."""
    import pyarrow as pa  # noqa: PLC0415 - only for this
    import pyarrow.parquet as pq  # noqa: PLC0415

    spec = get("major-tom-core")
    modality = next(m for m in spec.modalities if m.columns is not None)
    assert modality.columns is not None
    names = [key.column for key in modality.columns.keys]
    tokens = [band.token for band in modality.bands]
    n_rows = 25
    n_bytes = 900 * 10**6 // n_rows // len(tokens)
    cells = {name: [f"{name}{i}" for i in range(n_rows)] for name in names}
    table = pa.table(
        {name: pa.array(values) for name, values in cells.items()}
        | {t: pa.array([os.urandom(1) * n_bytes] * n_rows, pa.binary()) for t in tokens}
    )
    path = place / "part_00001.parquet"
    pq.write_table(table, path, row_group_size=n_rows)
    return spec.name, {modality.name: [path]}


def pack(path: Path, members: Iterable[tuple[str, bytes]], window_bits: int = 0) -> None:
    """Write a ``.tar.zst``, with a window of that many bits."""
    options: dict[int, int] = {zstd.CompressionParameter.compression_level: 1}
    if window_bits:
        options[zstd.CompressionParameter.window_log] = window_bits
    with (
        zstd.ZstdFile(path, "w", options=options) as file,
        tarfile.open(fileobj=file, mode="w|") as archive,
    ):
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))


HOSTILE: dict[str, Callable[[Path], tuple[str, Sources]]] = {
    "tar.zst, 80 members of 60 MB": bombs_in_tar(60 * 10**6, 80),
    "tar.zst, 80 members of 45 MB": bombs_in_tar(45 * 10**6, 80),
    "tar.zst, a member of 900 MB": bombs_in_tar(900 * 10**6, 1),
    "tar.zst, long window, bands in mixed order": bands_in_tar,
    "zip, 8 members of 1,000 MB": large_in_zip,
    "images of 6 MB after a small one": images(6 * 10**6, 200),
    "images of 60 MB after a small one": images(60 * 10**6, 60),
    "images of 500 MB": images(500 * 10**6, 8),
    "parquet, a row group of 900 MB": rows_in_parquet,
}


def measure(dataset: str, sources: Sources, target: Path, n_workers: int) -> tuple[float, int]:
    """The peak of a conversion's anonymous memory in MB, and its exit code."""
    command = [sys.executable, "-m", "rico_hdl", dataset, "--target-dir", os.fspath(target)]
    command += ["--num-workers", str(n_workers), "--progress", "none"]
    for modality in get(dataset).modalities:
        for path in sources.get(modality.name, ()):
            command += [modality.option, os.fspath(path)]
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
        peak = 0.0
        while process.poll() is None:
            peak = max(peak, anonymous_megabytes(process.pid))
            time.sleep(0.05)
        if process.returncode not in (0, 1):
            output.seek(0)
            sys.stderr.write(output.read().decode(errors="replace"))
    run(["rm", "-rf", os.fspath(target)])
    return peak, process.returncode


def anonymous_megabytes(process: int) -> float:
    """A process's anonymous memory in MB."""
    try:
        status = Path(f"/proc/{process}/status").read_text()
    except OSError:
        return 0
    found = [line.split()[1] for line in status.splitlines() if line.startswith("RssAnon:")]
    return int(found[0]) * 1024 / 10**6 if found else 0


def run(command: list[str]) -> None:
    """Run a command that must succeed."""
    subprocess.run(command, check=True)


if __name__ == "__main__":
    raise SystemExit(main())
