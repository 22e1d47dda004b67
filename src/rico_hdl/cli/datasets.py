"""``rico-hdl datasets``: the supported datasets and their expected folders."""

from __future__ import annotations

import click

from rico_hdl.cli.output import json_text
from rico_hdl.datasets import get, registry
from rico_hdl.spec import DatasetSpec, Modality
from rico_hdl.spec.portable import as_rows


@click.command("datasets", short_help="List the supported datasets.")
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def datasets_command(name: str | None, *, as_json: bool) -> None:
    """List the supported datasets: modalities, bands and expected folders.

    With NAME, show only that dataset.
    """
    specs = [get(name)] if name else list(registry().values())
    if as_json:
        click.echo(json_text([as_rows(spec) for spec in specs]))
        return
    click.echo("\n\n".join(_describe(spec) for spec in specs))


def _describe(spec: DatasetSpec) -> str:
    lines = [f"{spec.name}: {spec.title}", f"  {spec.summary}", f"  {spec.url}"]
    for modality in spec.modalities:
        lines += [
            f"  {modality.option} {modality.folder}    ({modality.name}: {modality.title})",
            f"    files  {modality.files.description}",
            f"    such as  {_example(modality)}",
            *_downloads(modality),
            f"    key    {modality.key}",
            f"    bands  {_bands(modality)}",
        ]
    lines += [f"  note: {note}" for note in spec.notes]
    lines.append(f"  cite: {spec.citation}")
    return "\n".join(lines)


def _example(modality: Modality) -> str:
    if modality.arrays is not None and not modality.arrays.are_files:
        return f"{modality.example}, in a store"
    return f"{modality.folder}/{modality.example}"


def _downloads(modality: Modality) -> list[str]:
    # If a name is listed both with its folder and without, only the former is published.
    shown = [
        d.name
        for d in modality.downloads
        if not any(
            other is not d and other.name.endswith(f"/{d.name}") for other in modality.downloads
        )
    ]
    names = ", ".join(shown)
    return [f"    published as  {names}"] if names else []


def _bands(modality: Modality) -> str:
    names = modality.band_names
    shown = ", ".join(names) if len(names) <= 15 else f"{names[0]}, {names[1]}, … {names[-1]}"
    dtype = f"  ({modality.dtype})" if modality.dtype else ""
    return f"{len(names)}: {shown}{dtype}"
