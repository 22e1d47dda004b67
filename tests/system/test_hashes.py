import random
import tracemalloc

import pytest

from rico_hdl.system import hashes


@pytest.mark.parametrize("n_recent", [1, 7, 100, 10**6])
def test_it_behaves_like_a_set(monkeypatch, n_recent):
    """A hash is reported as present from the second time on, however often sets become arrays."""
    monkeypatch.setattr(hashes, "_N_RECENT", n_recent)
    rng = random.Random(n_recent)
    found, expected = hashes.HashSet(), set()
    for _ in range(3000):
        number = rng.choice([rng.randrange(-(2**63), 2**63), rng.randrange(500)])
        assert found.add(number) is (number in expected)
        expected.add(number)


def test_it_takes_little_memory():
    """Hashes take less than a fifth of the memory that they take in a Python set."""
    tracemalloc.start()
    found = hashes.HashSet()
    rng = random.Random(0)
    for _ in range(100_000):
        found.add(rng.randrange(-(2**63), 2**63))
    n_bytes, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert n_bytes < 100_000 * 16
