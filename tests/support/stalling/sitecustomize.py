"""Make named pipes stall those who open them, as a network share does that stops answering.

rico-hdl refuses pipes without waiting. Tests that need a process to be in the middle of a file put
a pipe in its place, and start the process with this folder in ``PYTHONPATH``: opening the pipe then
waits for a writer and for the end of what it writes, and gives an empty file.
"""

import os
import stat
from pathlib import Path

_open = os.open


def _stalling(path, flags, *arguments, **options):
    if flags & os.O_ACCMODE == os.O_RDONLY and isinstance(path, str | os.PathLike):
        try:
            is_pipe = stat.S_ISFIFO(Path(path).stat().st_mode)
        except OSError:
            is_pipe = False
        if is_pipe:
            Path(path).read_bytes()
            return os.memfd_create("stalled")
    return _open(path, flags, *arguments, **options)


os.open = _stalling
