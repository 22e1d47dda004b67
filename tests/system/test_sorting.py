"""Sorting in little memory."""

from __future__ import annotations

import tracemalloc

from hypothesis import given
from hypothesis import strategies as st

from rico_hdl.system.sorting import CompactSorted

ITEMS = st.lists(
    st.tuples(st.text(max_size=5), st.integers(0, 3), st.text(max_size=3)), max_size=80
)


@given(ITEMS, st.integers(1, 9), st.integers(1, 9))
def test_iterates_like_sorted(items, run_length, block_length):
    """For any division into runs and blocks, iterating gives the result of `sorted`, twice."""
    collection = CompactSorted(run_length, block_length)
    for item in items:
        collection.add(item)
    assert len(collection) == len(items)
    assert list(collection) == sorted(items)
    assert list(collection) == sorted(items)


def test_half_a_million_paths_take_little_memory():
    """Names as long as SSL4EO-S12's take less than 40 bytes each: three million fit in 120 MB."""
    tracemalloc.start()
    collection = CompactSorted()
    for i in range(500_000):
        product = f"S1A_IW_GRDH_1SDV_20200607T010800_20200607T010825_{i:06}_03CFBA_D457"
        collection.add((f"s1_{i // 4:07}_{product}", 0, "", (f"{i // 4:07}", product)))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(collection) == 500_000
    assert most < 40 * 500_000 + 50e6  # in addition to one run that is not packed yet
    assert sum(1 for _ in collection) == 500_000
