"""Keeping freed memory for the next patch."""

from __future__ import annotations

import platform

import pytest

import corpus
from rico_hdl.datasets import registry
from tests.support.running import measured

_FAULTS = """
import resource, sys

def n_faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        buffers = [bytearray(4 * 2**20) for _ in range(12)]
        del buffers
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
"""
_PAGES = 12 * 4 * 2**20 // 4096
"""Pages of the buffers that are held at the same time."""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries are left alone")
def test_a_conversion_keeps_freed_memory(tmp_path):
    """After a conversion, buffers are reused instead of being mapped page by page."""
    sources = corpus.generate(registry()["uc-merced"], tmp_path / "source", 2)
    convert = (
        "from rico_hdl import convert, spec\nfrom rico_hdl.datasets import registry\n"
        f"convert(registry()['uc-merced'], {sources!r}, {tmp_path / 'target'!r})\n"
    ).replace("PosixPath", "")
    without, with_it = (
        int(measured(f"{_FAULTS}{first}\nprint(n_faults())")) for first in ("", convert)
    )
    assert without > 5 * _PAGES  # otherwise this test shows nothing
    assert with_it < 2 * _PAGES
