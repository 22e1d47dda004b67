"""``rico-hdl new``: draft the spec of a user's dataset."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from rico_hdl.errors import UsageError


@click.command("new", short_help="Draft the description of a dataset of your own.")
@click.argument("source", metavar="FOLDER_OR_ARCHIVE")
@click.option(
    "--output",
    metavar="FILE.toml",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file to write; it must not exist.  [required]",
)
def new_command(source: str, output: Path) -> None:
    """Look at the images in a folder, an archive or parquet tables, and draft a TOML file.

    Comments in the file say what was inferred from what, and what is for you to decide.
    """
    if not source:
        raise click.UsageError("FOLDER_OR_ARCHIVE is empty. Is a shell variable unset?")
    if output.suffix.lower() != ".toml":
        raise click.UsageError(f"--output: {output} must end in .toml, as conversions expect")
    if output.exists():
        raise UsageError(f"{output} exists already", "Give another name, or remove it first.")
    from rico_hdl.drafting.drafting import draft_spec  # noqa: PLC0415 - not needed for help texts

    draft = draft_spec(source, output.stem)
    try:
        with output.open("x", encoding="utf-8") as file:
            file.write(draft.text)
    except OSError as error:
        raise UsageError(f"{output}: can't be written: {error.strerror}") from error
    click.echo(f"{output} describes {draft.n_images} images that were looked at:")
    for one in draft.spec.modalities:
        kind = "mask" if one.role == "mask" else "image"
        n, n_patches = len(one.bands), draft.n_patches[one.name]
        click.echo(
            f"  {one.name}  {kind}, {n} band{'s' if n > 1 else ''}, {n_patches} "
            f"patch{'es' if n_patches > 1 else ''}: {one.files.description}"
        )
    words = ["rico-hdl", "convert", str(output), "--dataset-dir", source]
    words += ["--target-dir", f"Encoded-{draft.spec.name}", "--dry-run"]
    click.echo(f"Read the comments in {output}, edit it, and then try:\n  {shlex.join(words)}")
