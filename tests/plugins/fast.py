"""The fast subset of the tests, for `make check`: all except those listed as slow.

``tests/slow.txt`` has one test function per line, which ``--fast`` skips. A whole run reports other
slow tests, and ``--record-slow`` rewrites the list.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

_LIST = Path(__file__).parents[1] / "slow.txt"
_SLOW_SECONDS = 0.4
"""A test function is slow if it takes longer, in seconds, with all its parameters and fixtures."""
_NEWLY_SLOW_SECONDS = 10 * _SLOW_SECONDS
"""Only tests that take longer, in seconds, are reported, because machines may be busy."""
_N_REPORTED = 10

_seconds: Counter[str] = Counter()


def listed() -> list[str]:
    """The test functions that are known to be slow, as ``tests/test_x.py::test_y``."""
    return _LIST.read_text(encoding="utf-8").split()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the two options."""
    group = parser.getgroup("rico-hdl")
    group.addoption("--fast", action="store_true", help=f"Skip the tests in {_LIST.name}")
    group.addoption(
        "--record-slow", action="store_true", help=f"Write {_LIST.name} from a whole run"
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect the slow tests."""
    if not config.getoption("fast"):
        return
    slow = set(listed())
    left_out = [item for item in items if _function_of(item.nodeid) in slow]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if _function_of(item.nodeid) not in slow]


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Add up the time of each function; the main process gets the reports of all workers."""
    _seconds[_function_of(report.nodeid)] += report.duration


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Write the list."""
    config = session.config
    if config.getoption("record_slow") and not hasattr(config, "workerinput") and exitstatus == 0:
        slow = sorted(name for name, seconds in _seconds.items() if seconds > _SLOW_SECONDS)
        _LIST.write_text("".join(f"{name}\n" for name in slow), encoding="utf-8")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Report the tests that the list lacks."""
    if terminalreporter.config.getoption("hypothesis_seed") is not None:  # long on purpose
        return
    slow = set(listed())
    new = [(s, name) for name, s in _seconds.items() if s > _NEWLY_SLOW_SECONDS]
    missing = sorted((one for one in new if one[1] not in slow), reverse=True)
    for seconds, name in missing[:_N_REPORTED]:
        terminalreporter.write_line(f"slow, but not in tests/slow.txt: {seconds:.1f} s {name}")


def _function_of(nodeid: str) -> str:
    return nodeid.partition("[")[0]
