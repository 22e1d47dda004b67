"""The cache of layouts: each header is parsed once, in bounded memory."""

from __future__ import annotations

import numpy as np

import rico_hdl
from rico_hdl.reading import layouts
from tests.support.reading import same_bits
from tests.support.stores import numbered, store_of


def test_layouts_are_forgotten_beyond_a_bound(tmp_path, monkeypatch):
    """The cache keeps few of many layouts, and each patch is read by its own."""
    monkeypatch.setattr(layouts, "_MAX_KEPT", 4)
    patches = {f"patch_{i:02}": {"A": numbered(i, 0, (1 + i % 20, 3))} for i in range(40)}
    with rico_hdl.open(store_of(tmp_path / "store", patches)) as store:
        for key in [*patches, *reversed(patches)]:
            assert same_bits(np.asarray(store[key]["A"]), patches[key]["A"])
            assert same_bits(store.read(key, bands=["A"])[0], patches[key]["A"])
            assert len(store.records._layouts._known) <= 4


def test_records_that_share_a_header_share_a_layout(tmp_path, monkeypatch):
    """A header is parsed once, for any number of records."""
    n_parsed = 0
    parse = layouts.parse

    def counted(record):
        nonlocal n_parsed
        n_parsed += 1
        return parse(record)

    monkeypatch.setattr(layouts, "parse", counted)
    patches = {f"patch_{i:02}": {"A": numbered(i, 0, (1 + i % 2, 3))} for i in range(40)}
    with rico_hdl.open(store_of(tmp_path / "store", patches)) as store:
        for key in patches:
            assert same_bits(np.asarray(store[key]["A"]), patches[key]["A"])
    assert n_parsed == 2
