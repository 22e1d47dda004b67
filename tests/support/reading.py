"""Reading records and sources without rico-hdl: the independent side of every comparison."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

import lmdb
import numpy as np
import rasterio
from rasterio.errors import NotGeoreferencedWarning
from safetensors.numpy import load

from rico_hdl.store import Manifest


def records(target: Path) -> dict[str, bytes]:
    """All records of a store, by key, in the order of the store."""
    with (
        lmdb.open(os.fsencode(target), readonly=True, lock=False) as env,
        env.begin() as txn,
        txn.cursor() as cursor,
    ):
        return {key.decode(): value for key, value in cursor}


def arrays(target: Path) -> dict[str, dict[str, np.ndarray]]:
    """All patches of a store: band name to array, by key."""
    return {key: load(value) for key, value in records(target).items()}


def gdal_bands(path: Path) -> np.ndarray:
    """The pixels of a file as GDAL reads them, of shape (band, row, column)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(path) as file:
            return file.read()


def assert_same(a: Path, b: Path) -> None:
    """Assert that two stores have the same records and content digest."""
    assert records(a) == records(b)
    assert Manifest.read(a).content_digest == Manifest.read(b).content_digest


def same_bits(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two arrays agree in dtype, shape and every bit, NaN payloads included."""
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
