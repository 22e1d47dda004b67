"""Rounds of random tests: their number and their seed.

In: ``--minutes`` and hypothesis' own ``--hypothesis-profile=fuzz`` and ``--hypothesis-seed``. Out:
the fixtures ``rounds`` and ``seed``, and, for a test that fails with fresh seeds, the command that
repeats it.

A test marked ``soak`` runs long rounds, a test marked ``fuzz`` random ones; both are skipped unless
``-m`` selects them, as `make soak` and `make fuzz` do.
"""

from __future__ import annotations

import math
import os
import random
import sys
import time
import zlib
from collections.abc import Callable, Iterator

import pytest
from hypothesis import HealthCheck, settings

_ALWAYS = {
    "deadline": None,
    "suppress_health_check": [HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
}
# The same examples in every run, so that a failure in CI can be repeated everywhere.
settings.register_profile("rico-hdl", derandomize=True, **_ALWAYS)
settings.register_profile("fuzz", derandomize=False, print_blob=True, **_ALWAYS)
settings.load_profile("rico-hdl")

_START = time.monotonic()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the time budget."""
    parser.getgroup("rico-hdl").addoption(
        "--minutes",
        type=float,
        help="Time for all soak and fuzz tests; without it each runs its own number of rounds",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Run the modules in a different order in each round: time may be up before the last one.

    The items of one module stay together: they share its fixtures.
    """
    seed = config.getoption("hypothesis_seed")
    if seed is None or config.getoption("minutes") is None:
        return
    modules: dict[str, list[pytest.Item]] = {}
    for item in items:
        modules.setdefault(item.nodeid.partition("::")[0], []).append(item)
    names = sorted(modules)
    random.Random(seed).shuffle(names)  # all workers must have the same order
    items[:] = [item for name in names for item in modules[name]]


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip the property tests for which the budget leaves no time."""
    minutes = item.config.getoption("minutes")
    if minutes is None or item.get_closest_marker("soak"):
        return
    if time.monotonic() - _START > minutes * 60:
        pytest.skip("the time is up")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Print the command that repeats a failure with a fresh seed."""
    report = yield
    seed = item.config.getoption("hypothesis_seed")
    if report.failed and seed is not None:
        how = "soak" if item.get_closest_marker("soak") else "fuzz"
        report.sections.append(("to repeat", f"make {how} SEED={seed} TEST='{item.nodeid}'"))
    return report


@pytest.fixture
def rounds(request: pytest.FixtureRequest) -> Callable[[int], Iterator[int]]:
    """Counts the rounds of a test from zero, up to the given number.

    With ``--minutes``, the soak tests share that time equally instead, and others stop when it is
    up. At least one round is run.
    """
    minutes = request.config.getoption("minutes")
    is_soak = request.node.get_closest_marker("soak") is not None
    n_soak = sum(item.get_closest_marker("soak") is not None for item in request.session.items)
    n_workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))

    def count(n: int) -> Iterator[int]:
        end = math.inf if minutes is None else _START + minutes * 60
        if is_soak and minutes is not None:
            n = sys.maxsize
            end = time.monotonic() + minutes * 60 * n_workers / max(n_workers, n_soak)
        for number in range(n):
            yield number
            if time.monotonic() >= end:
                return

    return count


@pytest.fixture
def seed(request: pytest.FixtureRequest) -> int:
    """The test's own seed: always the same, unless ``--hypothesis-seed`` gives a fresh one."""
    fresh = request.config.getoption("hypothesis_seed")
    name = request.node.nodeid if fresh is None else f"{fresh} {request.node.nodeid}"
    return zlib.crc32(name.encode())
