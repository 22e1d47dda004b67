"""All read methods return the same pixels."""

import pickle
from threading import Lock

import lmdb
import numpy as np
from safetensors.numpy import load

import rico_hdl
from rico_hdl.testing.contracts.readers import ReaderContract


class TestPlainRecipe(ReaderContract):
    """The README's recipe, which needs only lmdb and safetensors."""

    opening = Lock()  # lmdb can open a folder only once in a process

    def read(self, folder, keys, bands):
        found = []
        with (
            self.opening,
            lmdb.open(str(folder), readonly=True, lock=False, readahead=False) as env,
            env.begin() as txn,
        ):
            for key in keys:
                value = txn.get(key.encode())
                if value is None:
                    raise KeyError(key)
                patch = load(value)
                found.append(np.stack([patch[band] for band in bands]))
        return np.stack(found)


class TestOneByOne(ReaderContract):
    """Reads whole patches by key."""

    def read(self, folder, keys, bands):
        with rico_hdl.open(folder) as store:
            return np.stack([np.stack([store[key][band] for band in bands]) for key in keys])


class TestRead(ReaderContract):
    """Reads some bands of one patch at a time."""

    def read(self, folder, keys, bands):
        with rico_hdl.open(folder) as store:
            return np.stack([store.read(key, bands=list(bands)) for key in keys])


class TestReadBatch(ReaderContract):
    """Reads many patches at once."""

    def read(self, folder, keys, bands):
        with rico_hdl.open(folder) as store:
            return store.read_batch(keys, bands=list(bands))


class TestLocatedKeys(ReaderContract):
    """Reads many patches at once by located keys."""

    def read(self, folder, keys, bands):
        with rico_hdl.open(folder) as store:
            return store.read_batch(store.locate(keys), bands=list(bands))


class TestBandByBand(ReaderContract):
    """Reads many patches at once into an array for each band."""

    def read(self, folder, keys, bands):
        with rico_hdl.open(folder) as store:
            images = store.read_batch(keys, bands=list(bands), grouped="band")
            return np.stack([images[band] for band in bands], axis=1)


class TestBatches(ReaderContract):
    """Reads batches ahead in threads."""

    def read(self, folder, keys, bands):
        with rico_hdl.open(folder) as store:
            batches = store.batches(keys, batch_size=3, bands=list(bands), n_threads=2, copy=True)
            return np.concatenate([batch.images for batch in batches])


class TestLargeBatches(ReaderContract):
    """Reads batches in threads that are large enough to be gathered in blocks."""

    def read(self, folder, keys, bands):
        with rico_hdl.open(folder) as store:
            batches = store.batches(keys, batch_size=16, bands=list(bands), n_threads=2, copy=True)
            return np.concatenate([batch.images for batch in batches])


class TestPickledReader(ReaderContract):
    """Reads through a pickled reader, as worker processes do."""

    def read(self, folder, keys, bands):
        with rico_hdl.open(folder) as store:
            reader = pickle.loads(pickle.dumps(store.reader(bands=list(bands))))
        return reader.read_batch(keys).images
