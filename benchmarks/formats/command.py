"""The command line: generate the corpus, write every format, measure in rounds, report.

In: options. Out: tables on standard output and in a file. With ``--work-dir`` the files are kept,
and the same command continues.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from formats.jobs import JobError, Jobs
from formats.outcome import Outcome
from formats.protocol import MODES
from formats.readers import READERS
from formats.tables import report
from formats.tasks import TASKS

if TYPE_CHECKING:
    from collections.abc import Iterable

_OUTPUT: Final = Path(__file__).resolve().parents[1] / "RESULTS-read.md"


def main() -> None:
    """Read the command line and run."""
    arguments = _arguments()
    if arguments.work_dir is None:
        with tempfile.TemporaryDirectory(prefix="rico-hdl-bench-read-") as work:
            run(Path(work), arguments)
    else:
        arguments.work_dir.mkdir(parents=True, exist_ok=True)
        run(arguments.work_dir.resolve(), arguments)


def run(work: Path, arguments: argparse.Namespace) -> None:
    """Run all jobs that are not done yet, and report."""
    _settle(work, arguments)
    start = time.monotonic()

    def say(text: str) -> None:
        print(f"{time.monotonic() - start:5.0f} s  {text}", file=sys.stderr, flush=True)

    jobs = Jobs(work, arguments.timeout)
    say(f"make {arguments.patches} patches")
    jobs.corpus(arguments.patches)
    outcomes = {name: Outcome(name) for name in READERS if name in arguments.readers}
    for name, outcome in outcomes.items():
        say(f"write {name}")
        try:
            outcome.n_bytes = jobs.write(name, READERS[name].store)
        except JobError as error:
            outcome.broken = str(error)
            say(f"  {error}")
    for number in range(arguments.rounds):
        for outcome in _taking_turns(outcomes.values(), number, arguments.rounds):
            say(f"round {number + 1} of {arguments.rounds}: {outcome.name}")
            notes = jobs.measure(outcome.name, number, _job(arguments, number))
            for line in outcome.note(number, notes):
                say(f"  {line}")
    text = report([*outcomes.values()], arguments)
    print(text)
    arguments.output.write_text(text, encoding="utf-8")


def _taking_turns(outcomes: Iterable[Outcome], number: int, n_rounds: int) -> list[Outcome]:
    """The readers that work, starting with a different one each round."""
    working = [outcome for outcome in outcomes if outcome.broken is None]
    first = len(working) * number // n_rounds
    return working[first:] + working[:first]


def _job(arguments: argparse.Namespace, number: int) -> list[str]:
    """The options of a round's jobs."""
    return [
        *("--tasks", *arguments.tasks),
        *("--modes", *arguments.modes),
        *("--seed", str(number)),
        *("--seconds", str(arguments.seconds)),
        *("--n-checked", str(arguments.n_checked)),
    ]


def _settle(work: Path, arguments: argparse.Namespace) -> None:
    """Save the options that must not change in a working folder; end if they did."""
    names = ("patches", "tasks", "modes", "seconds")
    settings = {name: getattr(arguments, name) for name in names}
    path = work / "settings.json"
    if not path.exists():
        path.write_text(json.dumps(settings), encoding="utf-8")
    elif (found := json.loads(path.read_text(encoding="utf-8"))) != settings:
        sys.exit(f"{work} was made with {found}, not {settings}: give another --work-dir.")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench_read.py", description=__doc__)
    add = parser.add_argument
    add("--readers", nargs="+", choices=READERS, default=[*READERS], metavar="READER")
    add("--tasks", nargs="+", choices=TASKS, default=[*TASKS])
    add("--modes", nargs="+", choices=MODES, default=[*MODES])
    add("--patches", type=int, default=2000, help="in the corpus (default: 2000)")
    add("--rounds", type=int, default=3, help="default: 3")
    add("--seconds", type=float, default=0.5, help="to time each cell for (default: 0.5)")
    add("--n-checked", type=int, default=256, help="patches of each cell (default: 256)")
    add("--timeout", type=float, default=120, help="seconds for a reader's round (default: 120)")
    add("--work-dir", type=Path, help="keep all files there; the same command continues")
    add("--output", type=Path, default=_OUTPUT)
    return parser.parse_args()
