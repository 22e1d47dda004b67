"""``rico-hdl georef``: keep afterwards where the patches of a store are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from rico_hdl.cli.options import PROGRESS_OPTION
from rico_hdl.cli.output import json_text

if TYPE_CHECKING:
    from rico_hdl.enriching.georeferencing import GeorefSummary

EXIT_FAILURES = 1
_N_FAILURES = 20


@click.command(
    "georef",
    short_help="Keep where the patches of an older store are.",
    context_settings={
        "ignore_unknown_options": True,
        "allow_extra_args": True,
        "max_content_width": 100,
    },
)
@click.argument("target", metavar="STORE")
@click.option("--dataset", metavar="DATASET", help="Its dataset, if it has no rico-hdl.json.")
@click.option("--progress", **PROGRESS_OPTION)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@click.option("--quiet", is_flag=True, help="Print only failures and errors.")
@click.pass_context
def georef_command(ctx: click.Context, /, **values: Any) -> int:  # noqa: ANN401 - click's values
    """Note what the source files of STORE say beyond pixels: place, nodata, descriptions.

    Conversions do so themselves. This is for stores of version 0.1.0 or of the original rico-hdl.
    The sources are those named in the manifest, or others given with the dataset's own options,
    such as --dataset-dir FOLDER. Neither data.mdb nor the journal is changed.
    """
    return _georef(ctx.args, **values)


def _georef(  # noqa: PLR0913 - the command's options
    arguments: list[str],
    *,
    target: str,
    dataset: str | None,
    progress: str,
    as_json: bool,
    quiet: bool,
) -> int:
    # Imported here to keep --help fast.
    from rico_hdl.cli.progress import progress_for  # noqa: PLC0415
    from rico_hdl.cli.sources import given_sources  # noqa: PLC0415
    from rico_hdl.enriching.georeferencing import keep_georeferencing  # noqa: PLC0415

    sources = given_sources("georef", target, arguments, dataset)
    with progress_for(progress, sources, quiet=quiet) as observer:
        summary = keep_georeferencing(target, sources, dataset=dataset, observer=observer)
    if as_json:
        click.echo(json_text(summary.to_dict()))
    else:
        _print(summary, quiet=quiet)
    return EXIT_FAILURES if summary.failures or summary.n_unknown else 0


def _print(summary: GeorefSummary, *, quiet: bool) -> None:
    for failure in summary.failures[:_N_FAILURES]:
        click.echo(str(failure))
    if len(summary.failures) > _N_FAILURES:
        click.echo(f"… and {len(summary.failures) - _N_FAILURES} more: use --json")
    if summary.n_unknown:
        click.echo(f"{summary.n_unknown} stored patches are in none of the sources, or failed")
    if not quiet:
        click.echo(f"{summary.target}: noted where {summary.n_noted} patches are")
