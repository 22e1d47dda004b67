"""The codec's share: only decode every file, with imagecodecs on some threads.

In: a dataset's source folders. Out: the seconds of reading and decoding, on standard output. It
stores nothing; starting the interpreter and finding files are not counted.
"""

from __future__ import annotations

import argparse
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import imagecodecs
from copy_floor import walk


def main() -> None:
    """Read the command line, decode, print the seconds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("n_threads", type=int)
    parser.add_argument("sources", nargs="+", help="folders to read")
    arguments = parser.parse_args()
    paths = [path for source in arguments.sources for path in walk(source)]
    started = time.perf_counter()
    with ThreadPoolExecutor(arguments.n_threads) as pool:
        for _ in pool.map(decode, paths):
            pass
    print(time.perf_counter() - started)


def decode(path: str) -> None:
    """Read and decode one file, and drop its pixels."""
    imagecodecs.tiff_decode(Path(path).read_bytes())


if __name__ == "__main__":
    main()
