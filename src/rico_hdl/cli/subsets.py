"""``rico-hdl select`` and ``rico-hdl merge``: stores made of other stores."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rico_hdl.cli.options import PROGRESS_OPTION
from rico_hdl.cli.output import json_text, print_aside
from rico_hdl.cli.text import bytes_text
from rico_hdl.errors import UsageError

if TYPE_CHECKING:
    from rico_hdl.subsets import CopySummary

_OVERWRITE: dict[str, Any] = {
    "is_flag": True,
    "help": "Start from scratch: remove everything rico-hdl wrote to the target folder.",
}
_JSON: dict[str, Any] = {"is_flag": True, "help": "Print the result as JSON."}
_QUIET: dict[str, Any] = {"is_flag": True, "help": "Print only errors."}


@click.command("select", short_help="Copy a part of a store into a store of its own.")
@click.argument("store", metavar="STORE")
@click.argument("target", metavar="TARGET")
@click.option(
    "--modality", "modalities", multiple=True, metavar="NAME", help="A modality; repeat for more."
)
@click.option("--keys", "keys_file", metavar="FILE", help="A file with a key in each line.")
@click.option("--split", metavar="NAME", help="A split, such as train, or a split file.")
@click.option("--label", "labels", multiple=True, metavar="CLASS", help="A class; repeat for more.")
@click.option("--bbox", metavar="W,S,E,N", help="Samples that touch this box, in degrees.")
@click.option(
    "--fraction", type=float, metavar="F", help="A share of the samples, such as 0.1 for a tenth."
)
@click.option(
    "--seed",
    type=int,
    default=0,
    show_default=True,
    metavar="N",
    help="Choose other samples for --fraction.",
)
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="At most N samples.")
@click.option("--overwrite", **_OVERWRITE)
@click.option("--progress", **PROGRESS_OPTION)
@click.option("--json", "as_json", **_JSON)
@click.option("--quiet", **_QUIET)
def select_command(  # noqa: PLR0913 - the command's options
    store: str,
    target: str,
    *,
    modalities: tuple[str, ...],
    keys_file: str | None,
    split: str | None,
    labels: tuple[str, ...],
    bbox: str | None,
    fraction: float | None,
    seed: int,
    limit: int | None,
    overwrite: bool,
    progress: str,
    as_json: bool,
    quiet: bool,
) -> int:
    """Copy those patches of STORE that meet all criteria into TARGET, byte for byte.

    A sample is all patches that belong together, such as an image and its mask. The same fraction
    and seed choose the same samples on every machine. The same command continues if it was
    interrupted.
    """
    # Imported here, so that help texts don't pay for lmdb and numpy.
    from rico_hdl.cli.progress import progress_for  # noqa: PLC0415
    from rico_hdl.subsets import select  # noqa: PLC0415

    with progress_for(progress, quiet=quiet) as observer:
        summary = select(
            store,
            target,
            modality=modalities or None,
            keys=None if keys_file is None else keys_in(keys_file),
            split=split,
            label=labels or None,
            bbox=None if bbox is None else bbox.split(","),
            fraction=fraction,
            seed=seed,
            limit=limit,
            overwrite=overwrite,
            observer=observer,
        )
    return _print(summary, as_json=as_json, quiet=quiet)


@click.command("merge", short_help="Copy several stores of one dataset into one.")
@click.argument("stores", metavar="STORE...", nargs=-1, required=True)
@click.argument("target", metavar="TARGET")
@click.option("--overwrite", **_OVERWRITE)
@click.option("--progress", **PROGRESS_OPTION)
@click.option("--json", "as_json", **_JSON)
@click.option("--quiet", **_QUIET)
def merge_command(  # noqa: PLR0913, PLR0917 - the command's options
    stores: tuple[str, ...],
    target: str,
    overwrite: bool,  # noqa: FBT001 - click's value
    progress: str,
    as_json: bool,  # noqa: FBT001 - click's value
    quiet: bool,  # noqa: FBT001 - click's value
) -> int:
    """Copy the patches of every STORE, all of one dataset, into TARGET, byte for byte.

    The same command continues if it was interrupted.
    """
    from rico_hdl.cli.progress import progress_for  # noqa: PLC0415 - see above
    from rico_hdl.subsets import merge  # noqa: PLC0415 - see above

    with progress_for(progress, quiet=quiet) as observer:
        summary = merge(stores, target, overwrite=overwrite, observer=observer)
    return _print(summary, as_json=as_json, quiet=quiet)


def keys_in(place: str) -> list[str]:
    """The keys in a file, one in each line, or on standard input.

    Raises:
        UsageError: The file can't be read, or holds none.
    """
    try:
        text = sys.stdin.read() if place == "-" else Path(place).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UsageError(f"--keys: {place} can't be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError(
            f"--keys: {place} is not UTF-8 text: byte {error.start}", "Expected a key in each line."
        ) from None
    keys = [line.strip() for line in text.splitlines() if line.strip()]
    if not keys:
        raise UsageError(f"--keys: {place} holds no keys", "Expected a key in each line.")
    return keys


def _print(summary: CopySummary, *, as_json: bool, quiet: bool) -> int:
    if as_json:
        click.echo(json_text(summary.to_dict()))
    elif not quiet:
        n, n_bytes = sum(summary.n_written.values()), summary.n_bytes
        rate = bytes_text(n_bytes / summary.seconds) if summary.seconds else "-"
        lines = [summary.target]
        lines += [f"  {name or 'unknown'}  {m:,} written" for name, m in summary.n_written.items()]
        if summary.n_present:
            lines.append(f"  {summary.n_present:,} already there")
        if n:
            lines.append(f"  {bytes_text(n_bytes)} written in {summary.seconds:.1f} s ({rate}/s)")
        print_aside("\n".join(lines))
    return 0
