"""``rico-hdl export``: write patches of a store as GeoTIFF files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from rico_hdl.cli.options import PROGRESS_OPTION
from rico_hdl.cli.output import json_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rico_hdl.reading import Store


@click.command("export", short_help="Write patches of a store as GeoTIFF files.")
@click.argument("target", metavar="STORE")
@click.argument("folder", metavar="FOLDER")
@click.argument("names", metavar="[KEY]...", nargs=-1)
@click.option(
    "--keys",
    "file",
    type=click.File(encoding="utf-8"),
    metavar="FILE",
    help="Export the patches whose keys this file lists, one a line; - for standard input.",
)
@click.option(
    "--modality", "modalities", multiple=True, metavar="NAME", help="Export only this modality."
)
@click.option(
    "--compression",
    type=click.Choice(["deflate", "none"]),
    default="deflate",
    show_default=True,
    help="How to compress the pixels, without loss.",
)
@click.option("--overwrite", is_flag=True, help="Replace files that exist.")
@click.option("--progress", **PROGRESS_OPTION)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@click.option("--quiet", is_flag=True, help="Print only errors.")
def export_command(  # noqa: PLR0913 - the command's options
    target: str,
    folder: str,
    names: tuple[str, ...],
    *,
    file: click.File | None,
    modalities: tuple[str, ...],
    compression: Literal["deflate", "none"],
    overwrite: bool,
    progress: str,
    as_json: bool,
    quiet: bool,
) -> None:
    """Write the patches of STORE to FOLDER, with CRS, transform, nodata and descriptions.

    A patch has the files that it was published as: one for each band, or one for all. Without KEY,
    --keys or --modality, all patches are written.
    """
    # Imported here to keep --help fast.
    from rico_hdl.cli.progress import progress_for  # noqa: PLC0415
    from rico_hdl.exporting.files import export  # noqa: PLC0415
    from rico_hdl.reading import open as open_store  # noqa: PLC0415

    wanted = list(names)
    if file is not None:
        wanted += [line.rstrip("\r\n") for line in file if line.strip()]  # type: ignore[attr-defined]
    chosen: Sequence[str] | None = wanted if names or file is not None else None
    with open_store(target) as store:
        if modalities:
            chosen = _of_modalities(store, chosen, modalities)
    with progress_for(progress, quiet=quiet) as observer:
        summary = export(
            target,
            folder,
            chosen,
            compression=compression,
            overwrite=overwrite,
            observer=observer,
        )
    if as_json:
        click.echo(json_text(summary.to_dict()))
        return
    if not quiet:
        click.echo(f"{Path(folder)}: {summary.n_files} files of {summary.n_patches} patches")
    if summary.n_unplaced:
        click.echo(
            f"warning: nothing is known about {summary.n_unplaced} of the patches beyond their "
            "pixels (see rico-hdl georef)",
            err=True,
        )


def _of_modalities(
    store: Store, chosen: Sequence[str] | None, modalities: Sequence[str]
) -> list[str]:
    """The keys that belong to one of some modalities."""
    found = [key for name in modalities for key in store.keys(name)]
    if chosen is None:
        return found
    known = set(found)
    return [key for key in chosen if key in known]
