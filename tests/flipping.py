"""Flips bits of a store and verifies it after each flip, in a process that may crash.

Arguments: the folder, a seed, how many flips. Out: a JSON list of ``[offset, bit, outcome, same]``
on stdout, where the outcome is an exit code of `rico-hdl verify`, or a negative signal, and same
tells whether an independent reader finds all records as they were.
"""

import json
import os
import random
import resource
import signal
import sys
from pathlib import Path

import lmdb

from rico_hdl.errors import StoreError
from rico_hdl.verification import verify

SECONDS = 20
"""A verification that takes longer hangs: it takes milliseconds."""


def content(folder):
    """All that readers see: iterated, counted, and asked for by key."""
    with (
        lmdb.open(str(folder), readonly=True, lock=False) as env,
        env.begin() as txn,
        txn.cursor() as cursor,
    ):
        items = list(cursor)
        return items, [txn.get(key) for key, _ in items], txn.stat()["entries"]


def outcome_of(call):
    """The exit code of a function in a forked child, negative where a signal ended it."""
    child = os.fork()
    if child == 0:
        signal.alarm(SECONDS)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        code = 70
        try:
            code = call()
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def verified(folder):
    """The exit code that `rico-hdl verify` has for what `verify` does."""
    try:
        return 1 if verify(folder, n_workers=2).findings else 0
    except StoreError:
        return 4


def main(folder, seed, n):
    """Flip, verify, read, flip back."""
    path, chance = folder / "data.mdb", random.Random(seed)
    before = content(folder)
    n_pages = path.stat().st_size // 4096
    results = []
    with path.open("r+b", buffering=0) as file:
        for i in range(n):
            offset = chance.randrange(path.stat().st_size)
            if i % 2:  # the beginning of a page, where the structure is
                offset = chance.randrange(n_pages) * 4096 + chance.randrange(160)
            bit = chance.randrange(8)
            (byte,) = os.pread(file.fileno(), 1, offset)
            os.pwrite(file.fileno(), bytes([byte ^ 1 << bit]), offset)
            outcome = outcome_of(lambda: verified(folder))
            same = outcome_of(lambda: int(content(folder) != before)) == 0
            os.pwrite(file.fileno(), bytes([byte]), offset)
            results.append([offset, bit, outcome, same])
    json.dump(results, sys.stdout)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
