"""Standard output and standard error of the command line, which never stop a command.

In: texts. Out: the same texts, as far as the streams take them. A stream may be closed (``>&-``),
full, or a pipe whose reader has gone, as with ``| head``: the rest of the output is dropped, the
command runs to its end, and the exit code says so if the output is what the command is for.
"""

from __future__ import annotations

import errno
import io
import json
import os
import select
import sys
from typing import Any, Final

import click

from rico_hdl.system.streams import fill_closed_streams
from rico_hdl.values import printable

EXIT_OUTPUT: Final = 74  # EX_IOERR of sysexits.h
EXIT_NO_READER: Final = 141  # 128 + SIGPIPE, as shells report it of other programs


class LastingStream(io.RawIOBase):
    """A stream whose writes never fail: bytes that can't be written are dropped.

    Args:
        raw: The stream to write to.
    """

    def __init__(self, raw: io.RawIOBase) -> None:
        self._raw = raw
        self.error: OSError | None = None
        """Why bytes were dropped; None if all were written."""

    def write(self, data: Any, /) -> int:  # noqa: ANN401 - any buffer
        """Write some of the bytes, or drop all of them."""
        n_bytes = memoryview(data).nbytes
        if self.error is not None:
            return n_bytes
        try:
            while (n_written := self._raw.write(data)) is None:
                # The descriptor does not block, because another process has set it so.
                select.select([], [self._raw], [])
        except OSError as error:
            self.error = error
            return n_bytes
        return n_written

    def fileno(self) -> int:
        """The file descriptor."""
        return self._raw.fileno()

    def isatty(self) -> bool:
        """Whether it is a terminal."""
        return self._raw.isatty()

    def writable(self) -> bool:
        """Always."""
        return True


def secure() -> None:
    """Replace `sys.stdout` and `sys.stderr` by streams whose writes never fail."""
    fill_closed_streams()
    for number, name in enumerate(("stdout", "stderr"), 1):
        found = getattr(sys, name)  # None if it was closed when Python started
        if found is None:
            buffer: Any = io.FileIO(number, "w", closefd=False)
        elif (buffer := getattr(found, "buffer", None)) is None:
            continue  # not a stream of bytes: the program that called this has replaced it
        stream = io.TextIOWrapper(
            io.BufferedWriter(LastingStream(getattr(buffer, "raw", buffer))),
            encoding=getattr(found, "encoding", "utf-8"),
            errors="backslashreplace",
            line_buffering=name == "stderr" or getattr(found, "line_buffering", False),
            write_through=getattr(found, "write_through", False),
        )
        setattr(sys, name, stream)


def json_text(values: object) -> str:
    """The text of a report: valid JSON in valid UTF-8, whatever names it contains."""
    return printable(json.dumps(values, indent=2, ensure_ascii=False, default=str))


def print_aside(text: str) -> None:
    """Print something on standard output that the command is not for: it may be dropped."""
    click.echo(text)
    sys.stdout.flush()
    if (stream := _lasting_stdout()) is not None:
        stream.error = None


def checked(exit_code: int) -> int:
    """The exit code of a command once everything is printed.

    Args:
        exit_code: The command's own; unless it is 0, it stays.
    """
    sys.stdout.flush()
    stream = _lasting_stdout()
    if stream is None or stream.error is None:
        return exit_code
    if stream.error.errno == errno.EPIPE:
        return exit_code or EXIT_NO_READER  # its reader has seen enough: there is no need to say so
    reason = stream.error.strerror
    click.echo(f"error: the result can't be written to standard output: {reason}", err=True)
    click.echo(
        "Everything else is done. Redirect the output to a file with enough space.", err=True
    )
    return exit_code or EXIT_OUTPUT


def _lasting_stdout() -> LastingStream | None:
    raw = getattr(getattr(sys.stdout, "buffer", None), "raw", None)
    return raw if isinstance(raw, LastingStream) else None


def write_notice(text: str) -> None:
    """Write to standard error at once, from any thread, if it takes the text without waiting."""
    try:
        if select.select([], [2], [], 0.1)[1]:
            os.write(2, text.encode(errors="replace"))
    except (OSError, ValueError):
        pass  # closed, or full
