"""Every way to read a store gives the same pixels."""

import pickle
from threading import Lock

import lmdb
import numpy as np
from safetensors.numpy import load

import rico_hdl
from tests.contracts.readers import ReaderContract


class TestPlainRecipe(ReaderContract):
    """The README's recipe, with lmdb and safetensors alone."""

    opening = Lock()  # lmdb opens a folder once in a process

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
    """Whole patches by their keys."""

    def read(self, folder, keys, bands):
        with rico_hdl.open(folder) as store:
            return np.stack([np.stack([store[key][band] for band in bands]) for key in keys])


class TestRead(ReaderContract):
    """Some bands of a patch."""

    def read(self, folder, keys, bands):
        with rico_hdl.open(folder) as store:
            return np.stack([store.read(key, bands=list(bands)) for key in keys])


class TestReadBatch(ReaderContract):
    """Many patches at once."""

    def read(self, folder, keys, bands):
        with rico_hdl.open(folder) as store:
            return store.read_batch(keys, bands=list(bands))


class TestLocatedKeys(ReaderContract):
    """Many patches at once, looked up beforehand."""

    def read(self, folder, keys, bands):
        with rico_hdl.open(folder) as store:
            return store.read_batch(store.locate(keys), bands=list(bands))


class TestBandByBand(ReaderContract):
    """Many patches at once, with an array for each band."""

    def read(self, folder, keys, bands):
        with rico_hdl.open(folder) as store:
            images = store.read_batch(keys, bands=list(bands), grouped="band")
            return np.stack([images[band] for band in bands], axis=1)


class TestBatches(ReaderContract):
    """Batches that threads read ahead."""

    def read(self, folder, keys, bands):
        with rico_hdl.open(folder) as store:
            batches = store.batches(keys, batch_size=3, bands=list(bands), n_threads=2, copy=True)
            return np.concatenate([batch.images for batch in batches])


class TestPickledReader(ReaderContract):
    """A reader that went through pickle, as into a worker process."""

    def read(self, folder, keys, bands):
        with rico_hdl.open(folder) as store:
            reader = pickle.loads(pickle.dumps(store.reader(bands=list(bands))))
        return reader.read_batch(keys).images
