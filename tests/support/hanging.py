"""Runs the command line, which hangs for good at a chosen point, as on a lost network mount.

Arguments: the point, the number of the occurrence that hangs (from one), a file to create then, and
rico-hdl's arguments. Hanging is a read of a pipe that never gets a byte: like a system call on a
mount, it returns to Python only once a signal's handler raises an error.
"""

import os
import sys
from itertools import count
from pathlib import Path

from rico_hdl.cli import main
from rico_hdl.sources import FolderSource, decompression
from rico_hdl.sources.volumes import Volumes
from rico_hdl.store import journal, pages, writer

POINTS = {
    "list": [(FolderSource, "entries"), (FolderSource, "names")],
    "read": [(FolderSource, "read")],
    "archive": [(decompression, "_read"), (Volumes, "pread")],
    "journal": [(journal, "append")],
    "commit": [(writer, "_sync_data")],
    "map": [(pages.Pages, "_newest")],
}
"""What hangs: listing a folder, reading a file of it, reading an archive, noting records, waiting
for the disk in a commit, opening a store."""


def hang_at(point, number, mark):
    """Let the given call of any of a point's functions never return."""
    calls = count(1)
    read, _ = os.pipe()

    def hanging(function):
        def call(*arguments, **options):
            if next(calls) == number:
                mark.touch()
                os.read(read, 1)
            return function(*arguments, **options)

        return call

    for home, name in POINTS[point]:
        setattr(home, name, hanging(getattr(home, name)))


if __name__ == "__main__":
    hang_at(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
    sys.argv = ["rico-hdl", *sys.argv[4:]]
    main()
