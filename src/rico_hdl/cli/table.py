"""``rico-hdl table``: list the patches of a store in a GeoParquet file."""

from __future__ import annotations

from pathlib import Path

import click

from rico_hdl.cli.output import json_text


@click.command("table", short_help="List the patches of a store in a GeoParquet file.")
@click.argument("target", metavar="STORE")
@click.option(
    "--output",
    metavar="FILE.parquet",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file to write; it must not exist.  [required]",
)
@click.option(
    "--modality", "modalities", multiple=True, metavar="NAME", help="List only this modality."
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def table_command(target: str, output: Path, modalities: tuple[str, ...], *, as_json: bool) -> None:
    """Write a row for each patch of STORE: key, outline, bounds, time, size, class, source.

    The file follows GeoParquet 1.1: geopandas, DuckDB and QGIS open it.
    """
    from rico_hdl.exporting.table import write_table  # noqa: PLC0415 - help needs no numpy

    summary = write_table(target, output, modalities=modalities)
    if as_json:
        click.echo(json_text(summary.to_dict()))
        return
    click.echo(f"{summary.output}: {summary.n_patches} patches")
    if summary.n_disagreeing:
        click.echo(
            f"warning: {summary.n_disagreeing} patches have files in different places: they have "
            "no outline",
            err=True,
        )
    if n := summary.n_unplaced - summary.n_disagreeing:
        click.echo(
            f"warning: {n} patches have no outline: their files have no place, or it is unknown "
            "(see rico-hdl georef)",
            err=True,
        )
