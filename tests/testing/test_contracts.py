"""The contract suites that `rico_hdl.testing.contracts` offers, as a package uses them."""

from __future__ import annotations

import re

import pytest

from tests.support.running import python

DECODER = '''
import io

import numpy as np

from rico_hdl.decoding.raster import rasters_of
from rico_hdl.errors import DecodingError
from rico_hdl.testing.contracts import DecoderContract


class Decoder:
    """Decodes files of numpy, with a check of everything that could be wrong."""

    def decode(self, data):
        try:
            stack = np.lib.format.read_array(io.BytesIO(data), allow_pickle=False)
        except (ValueError, EOFError, OSError) as error:
            raise DecodingError("no array: " + str(error).replace("\\n", " ")) from error
        return rasters_of(stack)


class TestDecoder(DecoderContract):
    def encode(self, stack):
        buffer = io.BytesIO()
        np.save(buffer, stack)
        return buffer.getvalue()

    def decoder(self):
        return Decoder()
'''
SOURCE = """
from rico_hdl.sources import FolderSource
from rico_hdl.testing.contracts import ListsContract, ReadsContract
from rico_hdl.testing.contracts.sources import write_files


class TestSource(ListsContract, ReadsContract):
    def listed(self, folder, contents):
        write_files(folder, contents)
        return FolderSource(folder)

    readable = listed
"""
FAULTS = [
    ("rasters_of(stack)", "rasters_of(stack[::-1])", "test_every_bit_is_as_written"),
    ("raise DecodingError(", "raise KeyError(", "test_something_else_is_refused"),
    ("rasters_of(stack)", "rasters_of(stack.astype('f8'))", "test_every_bit_is_as_written"),
]


def outcome(tmp_path, text):
    """The exit status of pytest for a module, how many tests passed, and the output."""
    (tmp_path / "test_mine.py").write_text(text, encoding="utf-8")
    done = python("-m", "pytest", "-q", "-p", "no:cacheprovider", "test_mine.py", cwd=tmp_path)
    passed = re.search(r"([0-9]+) passed", done.stdout)
    return done.returncode, int(passed[1]) if passed else 0, done.stdout


@pytest.mark.parametrize(
    ("text", "n_tests"), [(DECODER, 10), (SOURCE, 7)], ids=["decoder", "source"]
)
def test_a_right_implementation_passes(tmp_path, text, n_tests):
    """A class that inherits a suite has all of its tests, and passes."""
    code, n_passed, output = outcome(tmp_path, text)
    assert code == 0, output
    assert n_passed >= n_tests


@pytest.mark.parametrize(("old", "new", "name"), FAULTS, ids=[new for _, new, _ in FAULTS])
def test_a_wrong_implementation_fails(tmp_path, old, new, name):
    """A fault fails the test of the promise that it breaks, which shows what differs."""
    assert old in DECODER
    code, _, output = outcome(tmp_path, DECODER.replace(old, new))
    assert code == 1
    assert f"test_mine.py::TestDecoder::{name}" in output
    if "KeyError" not in new:
        assert "assert [(" in output  # pytest shows values: the suite's asserts are rewritten


def test_the_samples_need_no_pytest(tmp_path):
    """Generating samples does not import pytest, nor the suites."""
    names = {"pytest", "rico_hdl.testing.contracts"}
    code = f"import sys, rico_hdl.testing; print({names} & {{*sys.modules}})"
    assert python("-c", code, cwd=tmp_path).stdout.strip() == "set()"
