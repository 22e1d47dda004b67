"""Measure how fast patches are read from formats that are suitable for training.

In: this repository and the installed libraries. Out: tables on standard output and in
``benchmarks/RESULTS-read.md``. See the package ``formats`` next to this file.
"""

from formats.command import main

if __name__ == "__main__":
    main()
