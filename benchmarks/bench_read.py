"""Measure how fast patches are read, from every format that one could train from.

In: this repository and whatever libraries are installed. Out: tables on standard output and in
``benchmarks/RESULTS-read.md``. See the package ``formats`` beside this file.
"""

from formats.command import main

if __name__ == "__main__":
    main()
