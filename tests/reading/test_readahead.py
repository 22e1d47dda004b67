"""Requests to the kernel to prefetch data from a slow disk."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import rico_hdl
from rico_hdl.reading.readahead import GAP_BYTES, PIECE_BYTES, ReadAhead, spans_of
from rico_hdl.store import Pages
from tests.support.reading import same_bits
from tests.support.stores import s2_patch, s2_patches, stacked, store_of

RGB = ["B04", "B03", "B02"]


@given(
    st.lists(st.tuples(st.integers(0, 3_000_000), st.integers(1, 700_000)), min_size=1, max_size=12)
)
def test_spans_cover_the_parts_and_little_else(parts):
    """Requests cover every part once, in limited sizes and with limited gaps."""
    spans = spans_of(parts)
    covered = np.zeros(4_000_000, np.int8)
    for offset, length in spans:
        assert 0 < length <= PIECE_BYTES
        covered[offset : offset + length] += 1
    wanted = np.zeros_like(covered)
    for offset, length in parts:
        wanted[offset : offset + length] = 1
    assert covered.max() == 1
    assert (covered >= wanted).all()
    edges = np.flatnonzero(np.diff(np.r_[0, covered & ~wanted, 0]))
    assert all(stop - start <= GAP_BYTES for start, stop in edges.reshape(-1, 2))


@pytest.fixture
def announced(monkeypatch):
    """The spans that readers ask the kernel to prefetch."""
    calls = []
    will_need = Pages.will_need

    def noted(self, start, n_bytes):
        calls.append((start, start + n_bytes))
        assert 0 <= start < start + n_bytes <= len(self.data)
        will_need(self, start, n_bytes)

    monkeypatch.setattr(Pages, "will_need", noted)
    return calls


class Warm(ReadAhead):
    """A disk that never counts as slow, however busy the machine is."""

    cold = property(lambda _: False, lambda _self, _value: None)


def test_wanted_parts_are_announced_while_reading_is_slow(tmp_path, announced):
    """Reads from a cold disk prefetch the wanted bytes of each patch; from a warm one, none."""
    with rico_hdl.open(store_of(tmp_path, s2_patches(8))) as store:
        keys = list(store)
        reader = store.reader(bands="rgb")
        reader.read(keys[0])
        ((_, pages, places),) = store.records.settled(keys[1:5], lambda located: located)
        layout = store.records.layout(pages, *places[0].tolist(), keys[1])
        last = max(layout.bands[name].stop for name in RGB)
        store.records.ahead.cold = True
        announced.clear()
        images = reader.read_batch(keys[1:5]).images
        assert sorted(announced) == [(start, start + last) for start in sorted(places[:, 0])]
        assert same_bits(images, np.stack([stacked(s2_patch(i), RGB) for i in range(1, 5)]))
        store.records.ahead = Warm()
        announced.clear()
        reader.read_batch(keys[1:5])
        reader.read(keys[5])
        assert same_bits(store[keys[6]]["B02"], s2_patch(6)["B02"])
        assert announced == []


def test_pixels_are_the_same_when_all_is_announced(tmp_path, announced):
    """All read methods return the right pixels if the disk always counts as cold."""
    with rico_hdl.open(store_of(tmp_path, s2_patches(5))) as store:
        ahead = store.records.ahead
        for number, key in enumerate(store):
            for read in (
                lambda key: store.read(key, bands=RGB),
                lambda key: store.read_batch([key, key], bands=RGB)[1],
                lambda key: np.stack([store[key][name] for name in RGB]),
                lambda key: next(store.batches([key], batch_size=1, bands=RGB)).images[0],
            ):
                ahead.cold = True
                announced.clear()
                assert same_bits(np.array(read(key)), stacked(s2_patch(number), RGB))
                assert announced
