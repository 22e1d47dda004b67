"""Small labelled stores: BigEarthNet with pairs, labels and reference maps, and EuroSAT.

In: a folder. Out: stores converted from generated files, and the publishers' tables next to them.
Pairs and labels are known independently of the tested code.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

import corpus
import rico_hdl
from rico_hdl.datasets import registry
from rico_hdl.labels import CLASSES, CODES

SPLITS = ("train", "validation", "test")
UNMAPPED = (0, 122, 335, 423, 999)
"""Codes that belong to none of the 19 classes, some of which are not even in CORINE."""


@dataclass(frozen=True)
class Row:
    """A row of ``metadata.parquet``."""

    patch_id: str
    s1_name: str
    labels: list[str]
    split: str


@dataclass(frozen=True)
class Labelled:
    """A store, and the other files that its publisher offers."""

    store: Path
    metadata: Path
    snow_cloud: Path
    rows: list[Row]
    """The rows of the metadata, in the order of the file, which differs from that of the keys."""
    snow_rows: list[Row]


def bigearthnet(folder: Path, n: int = 12, n_snow: int = 3) -> Labelled:
    """Pairs of Sentinel-1 and Sentinel-2 with their reference maps, and tables of labels."""
    spec = registry()["bigearthnet"]
    sources = corpus.generate(spec, folder, n + n_snow, modalities=["s1", "s2"])
    s1, s2 = (
        [patch.key for patch in corpus.patches(spec, spec.modality(name), n + n_snow)]
        for name in ("s1", "s2")
    )
    maps = folder / "Reference_Maps"
    rows = []
    for i, key in enumerate(s2):
        scene = key.rsplit("_", 2)[0]
        path = maps / scene / key / f"{key}_reference_map.tif"
        path.parent.mkdir(parents=True)
        tifffile.imwrite(path, codes(i), compression="deflate", predictor=2)
        names = [CLASSES[(i + k * 5) % 19] for k in range(i % 4)]
        # Pairs that don't follow from any order of keys.
        rows.append(Row(key, s1[-1 - i], names, SPLITS[i % 3]))
    store = folder / "Encoded-BigEarthNet"
    rico_hdl.convert(spec, {**sources, "reference-maps": maps}, store)
    rows.reverse()
    snow, rows = rows[:n_snow], rows[n_snow:]
    write_metadata(folder / "metadata.parquet", rows)
    write_metadata(folder / "snow_cloud.parquet", snow, flagged=True)
    return Labelled(store, folder / "metadata.parquet", folder / "snow_cloud.parquet", rows, snow)


def codes(i: int) -> np.ndarray:
    """The reference map of a patch by number: each pixel differs from its neighbour.

    It contains all codes of all classes, and some that belong to none.
    """
    every = [*(code for group in CODES.values() for code in group), *UNMAPPED]
    places = np.arange(120)[:, None] * 7 + np.arange(120) * 11 + i
    return np.array(every, np.uint16)[places % len(every)]


def write_metadata(
    path: Path, rows: list[Row], *, flagged: bool = False, **replaced: list[Any]
) -> None:
    """Write the publisher's columns, some of them replaced, in several row groups."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = {
        "patch_id": [row.patch_id for row in rows],
        "labels": pa.array([row.labels for row in rows], pa.list_(pa.string())),
        "split": [row.split for row in rows],
        "country": ["Austria" for _ in rows],
        "s1_name": [row.s1_name for row in rows],
        "s2v1_name": [row.patch_id.replace("_N9999_R022_T33UUP", "") for row in rows],
        "contains_seasonal_snow": [flagged for _ in rows],
        "contains_cloud_or_shadow": [flagged for _ in rows],
    }
    pq.write_table(pa.table(columns | replaced), path, row_group_size=2)


def upsampled(array: np.ndarray, size: int = 120) -> np.ndarray:
    """A square band enlarged to a multiple of its size by repeating pixels."""
    n = size // len(array)
    return np.repeat(np.repeat(array, n, 0), n, 1)
