"""Records, read by the safetensors loaders of other frameworks."""

from __future__ import annotations

import lmdb
import numpy as np
import pytest

from tests.support.reading import arrays, same_bits
from tests.support.stores import converted


@pytest.fixture(scope="module", params=["bigearthnet", "uc-merced", "hyspecnet-11k"])
def store(request, tmp_path_factory):
    """Stores whose bands are uint16, float32, uint8 or int16."""
    return converted(request.param, tmp_path_factory.mktemp("frameworks"), 2)


def read_with(load, store, to_numpy):
    """Each patch as a loader reads it, converted to numpy arrays."""
    with (
        lmdb.open(str(store), readonly=True, lock=False) as env,
        env.begin() as txn,
        txn.cursor() as cursor,
    ):
        return {
            key.decode(): {band: to_numpy(array) for band, array in load(value).items()}
            for key, value in cursor
        }


def check(found, store):
    """Assert that the values equal those of the numpy loader."""
    stored = arrays(store)
    assert found.keys() == stored.keys()
    for key, patch in found.items():
        assert patch.keys() == stored[key].keys()
        assert all(same_bits(array, stored[key][band]) for band, array in patch.items())


def test_pytorchs_loader_reads_the_values(store):
    """`safetensors.torch.load` returns the stored values and dtypes."""
    pytest.importorskip("torch", reason="torch is not installed: make test-torch")
    from safetensors.torch import load

    check(read_with(load, store, lambda tensor: tensor.numpy()), store)


def test_jaxs_loader_reads_the_values(store):
    """`safetensors.flax.load` returns the stored values and dtypes as JAX arrays."""
    pytest.importorskip("jax", reason="jax is not installed (requirements/torch.txt)")
    from safetensors.flax import load

    check(read_with(load, store, np.asarray), store)
