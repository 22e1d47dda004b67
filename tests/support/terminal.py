"""A command on a real pseudo-terminal, and the contents of its screen."""

from __future__ import annotations

import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from fcntl import ioctl

import pyte


class Terminal:
    """Runs the command line with stderr, or all, on a terminal of its own."""

    def __init__(self, n_columns: int, *arguments: object, n_lines: int = 24, **world: str) -> None:
        self.screen = pyte.Screen(n_columns, n_lines)
        self.raw = b""
        """All that was written to the terminal."""
        self._stream = pyte.ByteStream(self.screen)
        self._leader, follower = pty.openpty()
        ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", n_lines, n_columns, 0, 0))
        ours = {k: v for k, v in os.environ.items() if k not in {"COLUMNS", "LINES", "NO_COLOR"}}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "rico_hdl", *map(str, arguments)],
            stdin=follower,
            stdout=subprocess.PIPE,
            stderr=follower,
            env=ours | {"TERM": "xterm-256color"} | world,
            text=True,
        )
        os.close(follower)

    @property
    def lines(self) -> list[str]:
        """The lines of the screen that are not blank."""
        return [line.rstrip() for line in self.screen.display if line.strip()]

    def read(self, seconds: float) -> bool:
        """Follow the terminal for some time; false once the program has ended."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if not select.select([self._leader], [], [], left)[0]:
                break
            try:
                chunk = os.read(self._leader, 65536)
            except OSError:  # how Linux reports that the other end is closed
                chunk = b""
            if not chunk:
                return False
            self.raw += chunk
            self._stream.feed(chunk)
        return True

    def until(self, holds: Callable[[list[str]], object], seconds: float = 60) -> list[str]:
        """The lines of the screen as soon as something holds for them."""
        end = time.monotonic() + seconds
        while not holds(self.lines):
            assert time.monotonic() < end, "\n".join(self.lines)
            assert self.read(0.05) or holds(self.lines), "\n".join(self.lines)
        return self.lines

    def end(self, seconds: float = 60) -> tuple[int, str]:
        """The exit code and the output on stdout, once the program has ended."""
        while self.read(seconds):
            pass
        os.close(self._leader)
        stdout, _ = self.process.communicate(timeout=seconds)
        return self.process.returncode, stdout

    def line_of(self, name: str) -> str:
        """The one line that begins with a name."""
        (line,) = [line for line in self.lines if re.match(rf"{re.escape(name)}\b(?!-)", line)]
        return line
