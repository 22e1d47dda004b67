"""The three standard streams of a process, as file descriptors."""

from __future__ import annotations

import os


def fill_closed_streams() -> None:
    """Occupy the descriptors of standard streams that are closed, as after ``>&-`` in a shell.

    Otherwise the next file that this process opens, such as ``data.mdb``, gets the number of the
    closed stream, and a library that prints a message there writes into that file. The descriptors
    are opened in the wrong direction, so using them is still an error, as in gnulib's stdopen.
    """
    for number, flags in enumerate((os.O_WRONLY, os.O_RDONLY, os.O_RDONLY)):
        try:
            os.fstat(number)
        except OSError:
            # The lowest free number is used, which is this one.
            os.set_inheritable(os.open(os.devnull, flags), True)  # noqa: FBT003 - positional only
