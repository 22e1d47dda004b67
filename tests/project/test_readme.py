"""The README: its commands and code run, and its numbers are measurements."""

import re

from tests.support.documents import DOCS, README, ROOT, merged, run_section, section, sections

RUNNABLE = [s for s in sections(README) if any(block.can_run for block in s.blocks)]
RESULTS = ROOT / "benchmarks" / "RESULTS-read.md"


def test_commands_and_code_run(tmp_path):
    """The commands and code blocks run as printed, in order, and print what the README shows."""
    run_section(merged(RUNNABLE), tmp_path)


def test_speed_matches_the_measurements():
    """The rates in the README are in the benchmark's table, which docs/performance.md repeats."""
    (measured,) = section(RESULTS, "Summary").tables()
    (table,) = section(DOCS / "performance.md", "Reading").tables()
    assert table == measured
    rates = re.findall(r"\d+,\d{3}", section(README, "Speed").text)
    assert rates
    assert set(rates) <= {cell for row in measured for cell in row.values()}
