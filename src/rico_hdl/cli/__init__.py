"""The command line: options to calls, progress, exit codes. It holds no logic of its own.

=====  =======================================================
code   meaning
=====  =======================================================
0      done
1      done, with failures or findings
2      usage: an option is wrong or missing
3      the source or the spec can't be used
4      the target can't be used
70     a mistake in rico-hdl itself
130    interrupted: the same command continues
=====  =======================================================
"""

from __future__ import annotations

import os
import sys
from typing import NoReturn

import click

from rico_hdl.errors import RicoError

EXIT_USAGE = 2
EXIT_BUG = 70  # EX_SOFTWARE of sysexits.h
EXIT_INTERRUPTED = 130


def main() -> NoReturn:
    """Run the command line and exit with its code."""
    from rico_hdl.cli.commands import root  # noqa: PLC0415 - after the handlers' module is known

    sys.exit(run(root, sys.argv[1:]))


def run(command: click.Command, arguments: list[str]) -> int:
    """Run a command and turn whatever happens into a message on stderr and an exit code."""
    try:
        result = command.main(arguments, prog_name="rico-hdl", standalone_mode=False)
        sys.stdout.flush()
    except click.ClickException as error:
        click.echo(f"error: {error.format_message()}", err=True)
        context = getattr(error, "ctx", None)
        click.echo(f"See: {context.command_path if context else 'rico-hdl'} --help", err=True)
        return EXIT_USAGE
    except RicoError as error:
        complain(error)
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted; run the same command again to continue", err=True)
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # The reader of stdout went away, as `head` does: nobody is left to be told.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:
        if os.environ.get("RICO_HDL_DEBUG"):
            raise
        click.echo(
            f"error: this is a mistake in rico-hdl: {type(error).__name__}: {error}", err=True
        )
        click.echo("Please report it, with what RICO_HDL_DEBUG=1 prints in addition.", err=True)
        return EXIT_BUG
    return result if isinstance(result, int) else 0


def complain(error: RicoError) -> None:
    """Print an error as every command does: what is wrong, then what to do."""
    click.echo(f"error: {error.message}", err=True)
    if error.hint:
        click.echo(error.hint, err=True)
