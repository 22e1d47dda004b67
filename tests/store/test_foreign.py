"""Errors for an LMDB of other values, and for paths that are not stores."""

from __future__ import annotations

import io
import pickle

import lmdb
import numpy as np
import pytest
from safetensors.numpy import save

import rico_hdl
from rico_hdl.errors import StoreError
from tests.support.running import run


def npy(array):
    """An array as numpy saves it."""
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def npz(array):
    """An array as numpy saves it in an archive."""
    buffer = io.BytesIO()
    np.savez(buffer, array)
    return buffer.getvalue()


VALUES = {
    "pickles": (lambda a: pickle.dumps({"B02": a}, protocol=4), "look like Python pickles"),
    "npy": (npy, r"look like numpy arrays \(\.npy\)"),
    "npz": (npz, "look like zip files"),
    "PNG": (lambda _: b"\x89PNG\r\n\x1a\n", "look like a PNG image"),
    "raw": (lambda a: a.tobytes(), "begin with 00 00 00 00"),
}


@pytest.fixture(params=VALUES.values(), ids=VALUES)
def foreign(request, tmp_path):
    """An LMDB of another form, and what is said of its values."""
    make, what = request.param
    with lmdb.open(str(tmp_path / "lmdb")) as env, env.begin(write=True) as txn:
        for i in range(20):
            txn.put(f"S2A_{i}".encode(), make(np.full((120, 120), i, "uint16")))
    return tmp_path / "lmdb", what


def test_an_lmdb_of_other_values_is_named(foreign, tmp_path):
    """Reading, inspecting, verifying and continuing it is one error that says what it holds."""
    folder, what = foreign
    for use in (
        rico_hdl.open,
        rico_hdl.inspect,
        rico_hdl.verify,
        lambda store: rico_hdl.convert("uc-merced", {"rgb": tmp_path}, store),
    ):
        with pytest.raises(StoreError, match=f"its values are not safetensors, they {what}"):
            use(folder)
    assert sorted(path.name for path in folder.iterdir()) == ["data.mdb", "lock.mdb"]


@pytest.mark.parametrize("command", ["info", "verify"])
def test_commands_refuse_an_lmdb_of_pickles(tmp_path, command):
    """The command line prints a sentence and exits with code 4."""
    with lmdb.open(str(tmp_path)) as env, env.begin(write=True) as txn:
        txn.put(b"a", pickle.dumps([1]))
    done = run(command, tmp_path)
    assert done.returncode == 4
    assert "they look like Python pickles" in done.stderr
    assert done.stdout == ""


def test_an_empty_lmdb_and_one_with_a_record_are_stores(tmp_path):
    """A store may be empty, and with a single record in it all other values are damaged ones."""
    lmdb.open(str(tmp_path / "empty")).close()
    assert len(rico_hdl.open(tmp_path / "empty")) == 0
    with lmdb.open(str(tmp_path / "mixed")) as env, env.begin(write=True) as txn:
        txn.put(b"a", pickle.dumps([1]))
        txn.put(b"b", save({"x": np.zeros((2, 3), "float16")}))
    assert rico_hdl.inspect(tmp_path / "mixed").n_records == 2
    assert len(rico_hdl.verify(tmp_path / "mixed").findings) == 1


@pytest.mark.parametrize("use", [rico_hdl.open, rico_hdl.inspect, rico_hdl.verify])
def test_the_database_in_place_of_its_folder_gets_a_hint(tmp_path, use):
    """If data.mdb is given, the error names its folder; any other file is not a store."""
    lmdb.open(str(tmp_path / "store")).close()
    with pytest.raises(StoreError, match="is a file, expected the folder") as caught:
        use(tmp_path / "store" / "data.mdb")
    assert caught.value.hint == f"Give its folder: {tmp_path / 'store'}"
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="is a file, expected the folder") as caught:
        use(tmp_path / "file")
    assert caught.value.hint == "Name the folder of a store."
    with pytest.raises(StoreError, match="no such folder"):
        use(tmp_path / "nowhere")
