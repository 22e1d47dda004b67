"""The command line: options to calls, progress, exit codes. It holds no logic of its own.

=====  ================================================================
code   meaning
=====  ================================================================
0      done
1      done, with failures or findings
2      usage: an option is wrong or missing
3      the source or the spec can't be used
4      the target can't be used
70     a mistake in rico-hdl itself
71     a limit of the system: memory, threads, open files
74     done, but the result can't be written to standard output
130    interrupted: the same command continues
141    done, but the reader of standard output has gone, as with `head`
=====  ================================================================
"""

from __future__ import annotations

import errno
import os
import signal
import sys
import threading
from typing import Final, NoReturn

import click

from rico_hdl.cli.output import checked, secure, write_notice
from rico_hdl.errors import InterruptedRunError, LimitError, RicoError
from rico_hdl.system.interruption import end_in_time

EXIT_USAGE = 2
EXIT_BUG = 70  # EX_SOFTWARE of sysexits.h
EXIT_INTERRUPTED = 130

_LIMITS: Final = frozenset({errno.ENOMEM, errno.EAGAIN, errno.EMFILE, errno.ENFILE})
"""Memory, processes, open files."""
_SIGNS_OF_LIMITS: Final = (
    "can't start new thread",
    "can't allocate lock",
    "failed to map segment from shared object",
    "error return without exception set",  # when a library's own error finds no memory
    os.strerror(errno.ENOMEM),
)
"""In the messages of errors that have no number."""

_NO_ARGUMENTS: Final = getattr(click.exceptions, "NoArgsIsHelpError", ())
"""click 8.2 raises it with the help of a command that was called without arguments."""


def main() -> NoReturn:
    """Run the command line and exit with its code."""
    secure()
    # Nothing here needs the threads and the memory that numpy's OpenBLAS would take at its import.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    end_in_time(_end_at_once)
    _leave(run(None, sys.argv[1:]))


def run(command: click.Command | None, arguments: list[str]) -> int:
    """Run a command and turn whatever happens into a message on stderr and an exit code.

    Args:
        command: The command; None for all of ``rico-hdl``.
        arguments: Its arguments.
    """
    try:
        if command is None:
            from rico_hdl.cli.commands import root  # noqa: PLC0415 - a limit may prevent it

            command = root
        result = command.main(arguments, prog_name="rico-hdl", standalone_mode=False)
    except click.ClickException as error:
        is_help = isinstance(error, _NO_ARGUMENTS)
        click.echo(("" if is_help else "error: ") + error.format_message(), err=True)
        context = getattr(error, "ctx", None)
        if not is_help:
            click.echo(f"See: {context.command_path if context else 'rico-hdl'} --help", err=True)
        return EXIT_USAGE
    except RicoError as error:
        cause = error.__cause__ or error.__context__
        is_limit = isinstance(cause, OSError) and cause.errno in _LIMITS
        known = LimitError(error.message) if is_limit else error
        complain(known)
        is_continued = isinstance(known, InterruptedRunError) and not _only_reads(arguments)
        return EXIT_INTERRUPTED if is_continued else known.exit_code
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted; run the same command again to continue", err=True)
        return EXIT_INTERRUPTED
    except Exception as error:
        if os.environ.get("RICO_HDL_DEBUG"):
            raise
        if (limit := _limit(error)) is not None:
            complain(limit)
            return limit.exit_code
        click.echo(
            f"error: this is a mistake in rico-hdl: {type(error).__name__}: {error}", err=True
        )
        click.echo("Please report it, with what RICO_HDL_DEBUG=1 prints in addition.", err=True)
        return EXIT_BUG
    return checked(result if isinstance(result, int) else 0)


def complain(error: RicoError) -> None:
    """Print an error as every command does: what is wrong, then what to do."""
    click.echo(f"error: {error.message}", err=True)
    if error.hint:
        click.echo(error.hint, err=True)


def _limit(error: Exception) -> LimitError | None:
    """The error to report if the system refused memory, a thread or a file; None otherwise."""
    text = str(error).strip() or "out of memory"
    is_limit = (
        isinstance(error, MemoryError)
        or getattr(error, "errno", None) in _LIMITS
        or any(sign in text for sign in _SIGNS_OF_LIMITS)
    )
    return LimitError(text.splitlines()[-1]) if is_limit else None


def _leave(exit_code: int) -> NoReturn:
    """Exit, without waiting for threads that wait for a hanging disk or network mount."""
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    main_thread = threading.main_thread()
    if any(not t.daemon and t is not main_thread for t in threading.enumerate()):
        os._exit(exit_code)
    sys.exit(exit_code)


def _end_at_once(number: signal.Signals) -> NoReturn:
    """Exit from any thread, while others may be stuck."""
    write_notice(
        f"error: stopped by {number.name}, in the middle of an operation\n"
        "Everything that was committed is kept. Run the same command again to continue.\n"
    )
    os._exit(128 + number if _only_reads(sys.argv[1:]) else EXIT_INTERRUPTED)


def _only_reads(arguments: list[str]) -> bool:
    """Whether a command has nothing to continue: its exit code after a signal is the shells'."""
    return arguments[:1] in (["info"], ["stats"], ["verify"])
