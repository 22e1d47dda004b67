"""Compare two stores record by record.

In: two folders with an LMDB. Out: a line of JSON with the number of records and their bytes, or a
message about the first difference and exit status 1.
"""

from __future__ import annotations

import argparse
import json
import sys
from itertools import zip_longest

import lmdb


def main() -> None:
    """Read the command line and compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("stores", nargs=2)
    first, second = parser.parse_args().stores
    n_records = n_bytes = 0
    with (
        lmdb.open(first, readonly=True, lock=False) as one,
        lmdb.open(second, readonly=True, lock=False) as other,
        one.begin(buffers=True) as mine,
        other.begin(buffers=True) as yours,
    ):
        for left, right in zip_longest(mine.cursor(), yours.cursor()):
            if left is None or right is None:
                sys.exit(f"{second if left else first} lacks key {bytes((left or right)[0])!r}")
            if left[0] != right[0]:
                sys.exit(f"keys differ: {bytes(left[0])!r} and {bytes(right[0])!r}")
            if left[1] != right[1]:
                sys.exit(f"the records of {bytes(left[0])!r} differ")
            n_records += 1
            n_bytes += len(left[1])
    print(json.dumps({"n_records": n_records, "n_bytes": n_bytes}))


if __name__ == "__main__":
    main()
