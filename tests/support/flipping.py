"""Flips bits of a store; after each flip, verifies the store and reads it with every reader.

Arguments: the folder. In: a JSON list of ``[offset, bit]`` on stdin. Out: a JSON list of ``[offset,
bit, outcome, reader]`` on stdout. The outcome is the exit code of `rico-hdl verify`, or a negative
signal number if a signal ended the process. If it is 0, the reader is the first one with another
result than before, together with that result; otherwise it is None.

A child process does the work, and is restarted if a flip makes it crash or hang.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
from pathlib import Path

import lmdb

import rico_hdl
from rico_hdl.checking.verification import verify
from rico_hdl.errors import StoreError
from rico_hdl.store import Pages

SECONDS = 20
"""Whatever takes longer hangs; normally it takes milliseconds."""


def by_lmdb(folder, keys):
    """The results of LMDB's library: keys in both directions, their number, and lookups by key."""
    with lmdb.open(str(folder), readonly=True, lock=False) as env, env.begin() as txn:
        with txn.cursor() as cursor:
            forward = list(cursor)
            backward = [cursor.item()] if cursor.last() else []
            backward += iter(lambda: cursor.item() if cursor.prev() else None, None)
        return forward, backward, [txn.get(key) for key in keys], txn.stat()["entries"]


def by_pages(folder, keys):
    """The results of the page reader: keys, and lookups in both ways."""
    pages = Pages(folder)
    data = pages.data
    listed = [(key, data[start:stop]) for key, (start, stop) in pages.walk()]
    searched = [place and data[slice(*place)] for place in map(pages.search, keys)]
    pages.prepare()
    found = [place and data[slice(*place)] for place in map(pages.find, keys)]
    return listed, searched, found, pages.n_entries


def by_store(folder, keys):
    """The results of `rico_hdl.open`: keys, patches and batches."""
    with rico_hdl.open(folder) as store:
        names = [key.decode() for key in keys]
        patches = [
            {band: (array.shape, array.tobytes()) for band, array in store[name].items()}
            for name in names
        ]
        listed = store.keys()
        batches = [store.read_batch(some, on_size="pad+crop").tobytes() for some in (names, listed)]
        return list(store), list(listed), len(store), patches, batches


READERS = {"lmdb": by_lmdb, "pages": by_pages, "rico_hdl.open": by_store}


def verified(folder):
    """The exit code of `rico-hdl verify` for the result of `verify`."""
    try:
        return 1 if verify(folder, n_workers=1).findings else 0
    except StoreError as error:
        return error.exit_code


def work(folder, flips, out):
    """Flip, verify, read, and flip back, with a line of output for each step."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with (folder / "data.mdb").open("r+b", buffering=0) as file:
        for offset, bit, keys, expected in flips:
            signal.alarm(SECONDS)
            (byte,) = os.pread(file.fileno(), 1, offset)
            os.pwrite(file.fileno(), bytes([byte ^ 1 << bit]), offset)
            outcome = verified(folder)
            print("verified", outcome, file=out, flush=True)
            differs = None
            if outcome == 0:
                for name, read in READERS.items():
                    print("reading", name, file=out, flush=True)
                    try:
                        there = read(folder, keys)
                    except Exception as error:  # noqa: BLE001 - any difference counts
                        there = error
                    if there != expected[name]:
                        differs = f"{name}: {there!s:.200}"
                        break
            os.pwrite(file.fileno(), bytes([byte]), offset)
            print("done", json.dumps(differs), file=out, flush=True)


def main(folder):
    """Let child processes work through all flips."""
    flips = json.load(sys.stdin)
    path = folder / "data.mdb"
    original = path.read_bytes()
    keys = [key for key, _ in Pages(folder).walk()]
    expected = {name: read(folder, keys) for name, read in READERS.items()}
    assert verified(folder) == 0
    results = []
    while len(results) < len(flips):
        begin, end = os.pipe()
        left = [(*flip, keys, expected) for flip in flips[len(results) :]]
        child = os.fork()
        if child == 0:
            os.close(begin)
            code = 70
            try:
                with os.fdopen(end, "w") as out:
                    work(folder, left, out)
                code = 0
            finally:
                os._exit(code)
        os.close(end)
        outcome, reader = None, None
        with os.fdopen(begin) as lines:
            for line in lines:
                step, _, value = line.strip().partition(" ")
                if step == "verified":
                    outcome = int(value)
                elif step == "reading":
                    reader = value
                else:
                    results.append([*flips[len(results)], outcome, json.loads(value)])
                    outcome, reader = None, None
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if code:
            crashed = f"{reader}: ended with {code}"
            result = [code, None] if outcome is None else [outcome, crashed]
            results.append([*flips[len(results)], *result])
            with path.open("r+b") as file:
                file.write(original)
    json.dump(results, sys.stdout)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
