"""``rico-hdl datasets``: the supported datasets and their expected folders."""

from __future__ import annotations

import re
import shutil
import textwrap
from collections.abc import Sequence
from typing import Final

import click

from rico_hdl.cli.output import json_text
from rico_hdl.datasets import get, packaged, registry, resolve
from rico_hdl.errors import SpecError, UsageError
from rico_hdl.spec import DatasetSpec, Modality
from rico_hdl.spec.portable import as_rows

TOPICS: Final = (
    "Sentinel-1 with Sentinel-2",
    "Sentinel-1 or Sentinel-2",
    "Landsat",
    "Hyperspectral",
    "Aerial images",
    "Floods, fires and water",
    "GEO-Bench-2",
)
"""The topics of the built-in datasets, in the order of the list; others follow."""
_NO_TOPIC: Final = "Others"
_MAX_NAME: Final = 24
"""The width of the column of names at most; longer names shift their summary."""
_SHORTER: Final = {
    r"of [0-9]+ x [0-9]+ pixels and (?=[0-9]+ bands)": "of ",
    r" of [0-9]+ x [0-9]+ pixels": "",
    "Sentinel-1 and Sentinel-2": "Sentinel-1 and -2",
    r"\.$": "",
}
"""Replacements in summaries, which leave more of the 80 columns to the words that tell most."""


@click.command("datasets", short_help="List or search the supported datasets.")
@click.argument("words", nargs=-1, metavar="[NAME | WORD...]")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def datasets_command(words: tuple[str, ...], *, as_json: bool) -> None:
    """List the supported datasets.

    With NAME, show that dataset: its modalities, bands and expected folders. NAME may be the TOML
    file of your own. With other words, list the datasets that contain all of them in their names,
    titles, summary or keywords, such as: rico-hdl datasets sar flood
    """
    named = len(words) == 1 and (
        words[0] in registry()
        or words[0] in packaged().refused
        or words[0].lower().endswith(".toml")
    )
    if named:
        specs = [resolve(words[0])]
    else:
        specs = [spec for spec in _all_specs() if all(_has(spec, word) for word in words)]
        if not specs:
            raise _nothing_found(words)
    if as_json:
        click.echo(json_text([as_rows(spec) for spec in specs]))
    else:
        click.echo(_describe(specs[0]) if named else _overview(specs))


def _all_specs() -> list[DatasetSpec]:
    """All specs, by name; datasets of packages that can't be used are reported."""
    specs, problems = [], list(packaged().refused.values())
    for name in registry():
        try:
            specs.append(get(name))
        except SpecError as error:
            problems.append(f"{error.message}\n{error.hint}")
    for problem in problems:
        click.echo(f"warning: {problem}", err=True)
    return specs


def _has(spec: DatasetSpec, word: str) -> bool:
    """Whether a dataset's name contains a word, or a word in its other texts begins with it."""
    texts = [spec.title, spec.summary, *spec.keywords]
    texts += [text for modality in spec.modalities for text in (modality.name, modality.title)]
    start = rf"(?<![^\W_]){re.escape(word)}"
    return word.lower() in spec.name or any(re.search(start, text, re.IGNORECASE) for text in texts)


def _nothing_found(words: Sequence[str]) -> UsageError:
    if len(words) == 1:
        try:
            get(words[0])
        except UsageError as error:
            return error
    return UsageError(
        f"no dataset matches all of the words {', '.join(map(repr, words))}",
        "Give fewer words, or the beginning of a word. `rico-hdl datasets` lists all datasets.",
    )


def _overview(specs: Sequence[DatasetSpec]) -> str:
    """A line for each dataset, by topic, no wider than the terminal."""
    width = shutil.get_terminal_size().columns
    column = min(max(len(spec.name) for spec in specs), _MAX_NAME)
    topics: dict[str, list[str]] = {topic: [] for topic in TOPICS}
    for spec in sorted(specs, key=lambda one: (not one.topic, one.topic)):
        start = f"  {spec.name:{column}}  "
        text = spec.summary or spec.title
        for long, short in _SHORTER.items():
            text = re.sub(long, short, text)
        text = textwrap.shorten(text, max(width - len(start), 1), placeholder="…")
        topics.setdefault(spec.topic or _NO_TOPIC, []).append(start + text.replace(",…", "…"))
    parts = ["\n".join([topic, *lines]) for topic, lines in topics.items() if lines]
    n = len(specs)
    end = f"{n} dataset{'s' * (n > 1)}. Show one, or search: rico-hdl datasets NAME | WORD..."
    return "\n\n".join([*parts, end])


def _describe(spec: DatasetSpec) -> str:
    lines = [f"{spec.name}: {spec.title}"]
    lines += [f"  {text}" for text in (spec.summary, spec.url) if text]
    for modality in spec.modalities:
        folder = modality.folder or "FOLDER"
        lines += [
            f"  {modality.option} {folder}    ({modality.name}: {modality.title})",
            f"    files  {modality.files.description}",
            f"    such as  {_example(modality)}",
            *_downloads(modality),
            f"    key    {modality.key}",
            f"    bands  {_bands(modality)}",
        ]
    tables = [table.file for table in spec.labels.tables if table.file] if spec.labels else []
    if tables:
        lines.append(f"  labels and splits: {', '.join(tables)}")
    lines += [f"  note: {note}" for note in spec.notes]
    if spec.keywords:
        lines.append(f"  keywords: {', '.join(spec.keywords)}")
    if spec.licence:
        lines.append(f"  licence: {spec.licence}")
    if spec.citation:
        lines.append(f"  cite: {spec.citation}")
    return "\n".join(lines)


def _example(modality: Modality) -> str:
    if modality.arrays is not None and not modality.arrays.are_files:
        return f"{modality.example}, in a store"
    return "/".join(filter(None, (modality.folder, modality.example)))


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
