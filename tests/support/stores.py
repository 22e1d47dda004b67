"""Stores as the original rico-hdl writes them, made independently of the code that reads them.

Also converted stores of generated datasets.
"""

from __future__ import annotations

from pathlib import Path

import lmdb
import numpy as np
from safetensors.numpy import save

import corpus
import rico_hdl
from rico_hdl.datasets import registry

S2_SIDES = {
    "B01": 20, "B02": 120, "B03": 120, "B04": 120, "B05": 60, "B06": 60,
    "B07": 60, "B08": 120, "B8A": 60, "B09": 20, "B11": 60, "B12": 60,
}  # fmt: skip
"""BigEarthNet's Sentinel-2 bands, with the number of rows and columns of each."""


def write(folder: Path, records: dict[str, bytes]) -> Path:
    """An LMDB that holds only these values."""
    folder.mkdir(parents=True, exist_ok=True)
    size = 2**24 + 4 * sum(map(len, records.values()))
    with lmdb.open(str(folder), map_size=size) as env, env.begin(write=True) as txn:
        for key, value in records.items():
            assert txn.put(key.encode(), value)
    return folder


def store_of(folder: Path, patches: dict[str, dict[str, np.ndarray]]) -> Path:
    """An LMDB of these patches."""
    return write(folder, {key: save(bands) for key, bands in patches.items()})


def converted(name: str, folder: Path, n: int, modalities: list[str] | None = None) -> Path:
    """Generate a dataset in a folder, and convert it to a store in the same folder."""
    sources = corpus.generate(registry()[name], folder, n, modalities=modalities)
    rico_hdl.convert(name, sources, folder / "store")
    return folder / "store"


def numbered(number: int, band: int, shape: tuple[int, int], dtype: str = "uint16") -> np.ndarray:
    """A band whose pixels encode patch, band, row and column."""
    rows, columns = np.indices(shape)
    return (number * 7919 + band * 1009 + rows * 131 + columns).astype(dtype)


def s2_patch(number: int, *, extra: int = 0) -> dict[str, np.ndarray]:
    """A BigEarthNet patch; its 20 m bands have ``extra`` additional rows and columns."""
    return {
        name: numbered(number, i, (side + extra * max(1, side // 60),) * 2)
        for i, (name, side) in enumerate(S2_SIDES.items())
    }


def s2_patches(n: int) -> dict[str, dict[str, np.ndarray]]:
    """Several patches, by key."""
    return {f"S2A_patch_{number:03}": s2_patch(number) for number in range(n)}


def stacked(patch: dict[str, np.ndarray], names: list[str], factor_of: int = 0) -> np.ndarray:
    """Bands as one array; if a size is given, smaller bands have each pixel repeated."""
    bands = [patch[name] for name in names]
    if factor_of:
        bands = [b.repeat(factor_of // len(b), 0).repeat(factor_of // len(b), 1) for b in bands]
    return np.stack(bands)
