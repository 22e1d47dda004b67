"""Runs the command line with small transactions, and kills itself at a chosen point.

Arguments: the point, the number of the occurrence that kills (from one), then rico-hdl's arguments.
The points are between the steps of a commit, see `POINTS`; ``none`` is never reached.
"""

import os
import signal
import sys
from pathlib import Path

from rico_hdl.cli import main
from rico_hdl.store import Manifest, StoreWriter, georef_writer, journal
from rico_hdl.store.labelling import LABELS_DRAFT_NAME

COMMIT_BYTES = int(os.environ.get("COMMIT_BYTES", "600_000"))
"""Bytes of a transaction: a few of BigEarthNet's patches."""

POINTS = (
    "georef", "torn georef", "journal", "torn journal", "commit", "manifest", "removal", "draft",
    "labels",
)  # fmt: skip
"""After a block of georeferencing is written and in the middle of it; after a block is noted and
before it is committed; in the middle of a note; after a commit;
before a manifest is written; after --overwrite removes a file; before and after labels are
replaced."""


def die():
    """End as after kill -9."""
    os.kill(os.getpid(), signal.SIGKILL)


class Countdown:
    """Kills the process when a point is reached for the given time."""

    def __init__(self, point, number):
        self.point, self.left = point, number

    def reached(self, point):
        """Whether this is the chosen occurrence of the point."""
        self.left -= point == self.point
        return point == self.point and self.left == 0


class Torn:
    """A journal that writes only half of each block."""

    def __init__(self, file):
        self.file = file

    def write(self, block):
        self.file.write(block[: len(block) // 2])
        die()


def arm(countdown):
    """Make each of the points kill the process."""

    def replaced(function, point, *, before=False, counts=lambda _: True):
        """The function, followed or preceded by death at the given occurrence of a point."""

        def call(first, *arguments, **options):
            due = counts(first) and countdown.reached(point)
            if due and before:
                die()
            result = function(first, *arguments, **options)
            if due:
                die()
            return result

        return call

    def append(file, entries):
        whole_append(Torn(file) if countdown.reached("torn journal") else file, entries)

    whole_append = journal.append
    journal.append = replaced(append, "journal")

    def append_georef(file, entries):
        whole_georef(Torn(file) if countdown.reached("torn georef") else file, entries)

    whole_georef = georef_writer.append
    georef_writer.append = replaced(append_georef, "georef")
    StoreWriter.commit = replaced(
        StoreWriter.commit, "commit", counts=lambda writer: bool(writer._entries)
    )
    Manifest.write = replaced(Manifest.write, "manifest", before=True)
    Path.unlink = replaced(Path.unlink, "removal")
    for point, before in (("draft", True), ("labels", False)):
        Path.replace = replaced(
            Path.replace,
            point,
            before=before,
            counts=lambda path: path.name == LABELS_DRAFT_NAME,
        )


if __name__ == "__main__":
    arm(Countdown(sys.argv[1], int(sys.argv[2])))
    StoreWriter.__init__.__kwdefaults__["commit_bytes"] = COMMIT_BYTES
    sys.argv = ["rico-hdl", *sys.argv[3:]]
    main()
