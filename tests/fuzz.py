"""Runs the property tests and the fuzzers repeatedly with fresh seeds, until time is up.

`python -m tests.fuzz [--minutes M] [--seed N] [TEST ...]`: without minutes there is one round. It
ends at the first failure, and prints a command that repeats it and, from hypothesis, the falsifying
example and a ``@reproduce_failure`` to turn it into a test. A given seed repeats one round.
"""

from __future__ import annotations

import argparse
import secrets
import subprocess
import sys
import time

_SELECTION = "(hypothesis or fuzz) and not soak"


def main() -> int:
    """Run rounds, and return pytest's exit code."""
    parser = argparse.ArgumentParser(description="Run the property tests with fresh seeds.")
    parser.add_argument("--minutes", type=float)
    parser.add_argument("--seed", type=int)
    arguments, others = parser.parse_known_args()
    end = time.monotonic() + 60 * (arguments.minutes or 0)
    for number in range(1, sys.maxsize):
        seed = secrets.randbelow(10**9) if arguments.seed is None else arguments.seed
        sys.stdout.write(f"round {number}, SEED={seed}\n")
        sys.stdout.flush()
        command = ["-m", "pytest", "-q", "-m", _SELECTION, "--hypothesis-profile=fuzz"]
        command += [f"--hypothesis-seed={seed}", "--no-header", "-rfE", *others]
        if arguments.minutes is not None:
            command.append(f"--minutes={max(0, end - time.monotonic()) / 60}")
        code = subprocess.run([sys.executable, *command], check=False).returncode
        if code or arguments.seed is not None or time.monotonic() >= end:
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main())
