"""``rico-hdl info``: the contents of a store at a glance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import click

from rico_hdl.cli.output import json_text
from rico_hdl.cli.text import bytes_text

if TYPE_CHECKING:
    from rico_hdl.checking.inspection import ModalityInfo, StoreInfo

_N_BANDS = 15
_N_SOURCES = 5  # shown per modality; a dataset may have thousands of Zarr stores


@click.command("info", short_help="Show the contents of a store.")
@click.argument("target", metavar="TARGET")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def info_command(target: str, *, as_json: bool) -> None:
    """Show the contents of the store in folder TARGET: dataset, patches, bands, sources, gaps.

    Stores of the original rico-hdl are supported, too.
    """
    from rico_hdl.checking.inspection import inspect  # noqa: PLC0415 - help needs no lmdb

    info = inspect(target)
    if as_json:
        click.echo(json_text(info.to_dict()))
    else:
        click.echo("\n".join(_lines(info)))


def _lines(info: StoreInfo) -> list[str]:
    lines = [
        f"{info.target}: {info.dataset or 'unknown dataset'}",
        f"  {info.n_records} patches, {bytes_text(info.n_file_bytes)}",
        f"  written by {info.tool or 'another tool'}",
    ]
    lines += _origin_lines(info)
    if info.n_looked_at is not None:
        lines.append(f"  no complete journal: {info.n_looked_at} records were inspected")
    for name, part in info.modalities.items():
        lines += _modality_lines(name, part)
    lines += _label_lines(info)
    if info.complete is None:
        lines.append("  complete: unknown")
    elif info.complete:
        lines.append("  complete")
    else:
        lines += [f"  damaged: {archive}" for archive in info.damaged]
        lines += [f"  incomplete: {archive}" for archive in info.incomplete]
        missing = []
        if info.damaged:
            missing.append("patches from damaged archives may be wrong")
        if info.incomplete:
            missing.append("incomplete archives may lack patches")
        if info.n_failures:
            missing.append(f"{info.n_failures} patches were left out")
        why = ", ".join(missing) or "interrupted"
        lines.append(f"  not complete ({why}): run the same command again to continue")
    if info.content_digest:
        lines.append(f"  {info.content_digest}")
    return lines


def _origin_lines(info: StoreInfo) -> list[str]:
    """The stores that a store was made of, and what was selected."""
    stores = [store["path"] for store in (info.made_of or {}).get("stores", [])]
    verb = "merged from" if info.selection is None else "selected from"
    lines = [f"  {verb} {store}" for store in stores[:_N_SOURCES]]
    if len(stores) > _N_SOURCES:
        lines.append(f"  and {len(stores) - _N_SOURCES} more: use --json")
    for name, value in (info.selection or {}).items():
        if isinstance(value, Mapping):
            shown = f"{value['n']:,} of a list"
        else:
            shown = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        lines.append(f"    {name}: {shown}")
    return lines


def _label_lines(info: StoreInfo) -> list[str]:
    labels = info.labels
    if labels is None:
        return []
    lines = [f"  labels: {labels.get('n_labelled', 0)} of {labels.get('n_samples', 0)} samples"]
    classes, splits = labels.get("classes"), labels.get("splits")
    if isinstance(classes, list) and classes:
        shown = ", ".join(map(str, classes[:_N_BANDS])) + (", …" if len(classes) > _N_BANDS else "")
        lines.append(f"    {len(classes)} classes: {shown}")
    if isinstance(splits, dict) and splits:
        lines.append(f"    splits: {', '.join(f'{name} {n}' for name, n in splits.items())}")
    return lines


def _modality_lines(name: str, part: ModalityInfo) -> list[str]:
    published = f" (published: {part.n_published})" if part.n_published else ""
    lines = [f"  {name}: {part.n_patches} patches{published}, {bytes_text(part.n_bytes)}"]
    lines += [f"    from {source}" for source in part.sources[:_N_SOURCES]]
    if len(part.sources) > _N_SOURCES:
        lines.append(f"    and {len(part.sources) - _N_SOURCES} more: use --json")
    if part.layouts:
        by_kind: dict[str, list[str]] = {}
        for band, kind in part.layouts[0].bands.items():
            by_kind.setdefault(kind, []).append(band)
        for kind, bands in by_kind.items():
            shown = ", ".join(bands[:_N_BANDS]) + (", …" if len(bands) > _N_BANDS else "")
            lines.append(f"    {kind}: {shown}")
    if part.n_deviating:
        lines.append(f"    {part.n_deviating} patches have other shapes")
    if part.n_constant:
        lines.append(f"    {part.n_constant} patches are constant in each band")
    return lines
