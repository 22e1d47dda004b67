"""The options of a dataset's command.

In: a spec, and the values that click parsed. Out: a `Job`. Command lines from the documentation of
the original rico-hdl work, with a note that names the current option.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, cast

import click

from rico_hdl.sources.opening import is_called_archive
from rico_hdl.spec import DatasetSpec, Modality

OnError = Literal["skip", "stop"]

FOR_ALL: Final = "--dataset-dir"
"""The option for the source of all modalities."""

PROGRESS_OPTION: Final[dict[str, Any]] = {
    "type": click.Choice(["auto", "bars", "lines", "json", "none"]),
    "default": "auto",
    "show_default": True,
    "help": "How to show progress: auto means bars on a terminal, and lines elsewhere.",
}
"""The option ``--progress`` of commands that take time."""


_UNITS: Final = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}


def _memory_size(text: str) -> int:
    """The number of bytes that a size such as ``512M`` means.

    Raises:
        click.BadParameter: It is no such size.
    """
    match = re.fullmatch(r"([0-9]{1,12})([kmgt]?)(?:i?b)?", text.strip().lower())
    if match is None or int(match[1]) == 0:
        raise click.BadParameter(f"{text!r} is not a size such as 512M or 2G")
    return int(match[1]) << 10 * _UNITS[match[2]]


MEMORY_OPTION: Final[dict[str, Any]] = {
    "type": _memory_size,
    "metavar": "SIZE",
    "help": "Memory for patches being converted; one patch may take half as much again, or 144M.  "
    "[default: 96M]",
}
"""The option ``--memory`` of commands that decode patches."""


@dataclass(frozen=True)
class Job:
    """A parsed command line."""

    spec: DatasetSpec
    """The dataset."""
    sources: dict[str, list[str]]
    """The paths given as the source of each modality, by the modality's name."""
    source_of_all: str | None
    """The source of the other modalities, as far as it holds them."""
    target: str
    """The target folder."""
    n_workers: int | None
    """Number of threads, or None for all processors."""
    on_error: OnError
    """Whether to skip a patch that can't be converted, or stop there."""
    report: Path | None
    """File for the report."""
    as_json: bool
    """Whether to print JSON to stdout."""
    quiet: bool
    """Whether to print only errors."""
    progress: str
    """How to show progress: a value of ``--progress``."""
    dry_run: bool
    """Whether to write nothing."""
    overwrite: bool
    """Whether to replace the contents of the target."""
    check_archives: bool
    """Whether to compare archives with their published MD5 sums."""
    labels: list[str]
    """The files with labels."""
    memory: int | None
    """Memory for patches in flight, in bytes, or None for the default."""


def _parameter(modality: Modality) -> str:
    return f"source_{modality.name}".replace("-", "_")


def source_options(spec: DatasetSpec) -> list[click.Parameter]:
    """The options for a dataset's sources."""
    options: list[click.Parameter] = []
    for modality in spec.modalities:
        parameter = _parameter(modality)
        options.append(
            click.Option(
                [modality.option, parameter],
                multiple=True,
                metavar="SOURCE",
                help=f"The {modality.title}: a folder, or the downloaded archives."
                + " Converted only with this option." * modality.on_request,
            )
        )
        options += [
            click.Option([alias, f"{parameter}_alias_{i}"], multiple=True, hidden=True)
            for i, alias in enumerate(modality.aliases)
        ]
    return options


def _options_for_all(spec: DatasetSpec) -> list[click.Parameter]:
    """The option for the source of all modalities, unless a modality's own is called so."""
    if any(modality.option == FOR_ALL for modality in spec.modalities):
        return []
    return [
        click.Option(
            [FOR_ALL, "source_of_all"],
            metavar="SOURCE",
            help="A folder or archive with all of these; those that it lacks are skipped.",
        )
    ]


def options_for(spec: DatasetSpec) -> list[click.Parameter]:
    """The options of a dataset's command."""
    return [
        *source_options(spec),
        *_options_for_all(spec),
        click.Option(
            ["--target-dir"],
            metavar="FOLDER",
            help="Folder for the LMDB; created if it doesn't exist.  [required]",
        ),
        click.Option(
            ["--num-workers", "n_workers"],
            type=click.IntRange(min=1),
            metavar="N",
            help="Number of threads that read and decode.  [default: all available processors]",
        ),
        click.Option(
            ["--on-error"],
            type=click.Choice(["skip", "stop"]),
            default="skip",
            show_default=True,
            help="Skip and list patches that can't be converted, or stop at the first one.",
        ),
        click.Option(
            ["--report"],
            type=click.Path(dir_okay=False, path_type=Path),
            metavar="FILE.json",
            help="Write the result, with every failure, to this file.",
        ),
        click.Option(
            ["--dry-run"],
            is_flag=True,
            help="Show what would be converted, its size and any problems, but write nothing.",
        ),
        click.Option(
            ["--overwrite"],
            is_flag=True,
            help="Start from scratch: remove everything rico-hdl wrote to the target folder.",
        ),
        click.Option(
            ["--check-archives"],
            is_flag=True,
            help="Compare archives with their published MD5 sums.",
        ),
        click.Option(
            ["--labels"],
            multiple=True,
            metavar="FILE",
            help="A publisher's file with labels or splits; alone, it adds them to a store.",
        ),
        click.Option(["--memory"], **MEMORY_OPTION),
        click.Option(["--progress"], **PROGRESS_OPTION),
        click.Option(["--json", "as_json"], is_flag=True, help="Print the result as JSON."),
        click.Option(["--quiet"], is_flag=True, help="Print only errors."),
    ]


def job_from(spec: DatasetSpec, values: dict[str, Any]) -> Job:
    """Turn the values of the options into a `Job`.

    Raises:
        click.UsageError: Options are missing, empty, or can't be used.
    """
    given = {m.name: _given(m, values) for m in spec.modalities}
    target, place = values["target_dir"], values.get("source_of_all")
    options = {m.option: given[m.name] for m in spec.modalities}
    labels = list(values["labels"])
    _refuse_empty(options | {"--target-dir": [target], FOR_ALL: [place], "--labels": labels})
    if target is None and len(spec.modalities) == 1:
        target = _target_from_source(spec.modalities[0], given)
    sources = {name: places for name, places in given.items() if places}
    if not sources and place is None and (not labels or values["dry_run"]):
        known = dict.fromkeys([*options, FOR_ALL])
        raise click.UsageError(f"Missing source. Give {' or '.join(known)}.")
    if target is None:
        raise click.UsageError("Missing option '--target-dir': the folder to write to.")
    report = values["report"]
    if report is not None and not os.access(report.absolute().parent, os.W_OK):
        raise click.UsageError(f"--report: can't write to the folder {report.absolute().parent}")
    return Job(
        spec=spec,
        sources=sources,
        source_of_all=place,
        target=target,
        n_workers=values["n_workers"],
        on_error=cast("OnError", values["on_error"]),
        report=report,
        as_json=values["as_json"],
        quiet=values["quiet"],
        progress=values["progress"],
        dry_run=values["dry_run"],
        overwrite=values["overwrite"],
        check_archives=values["check_archives"],
        labels=labels,
        memory=values["memory"],
    )


def _refuse_empty(places: dict[str, list[str]]) -> None:
    """Refuse empty paths: they would mean the current folder, which is hardly intended."""
    for option, names in places.items():
        if "" in names:
            raise click.UsageError(f"{option} is empty. Is a shell variable unset?")


def sources_from(spec: DatasetSpec, values: dict[str, Any]) -> dict[str, list[str]]:
    """The paths given as sources, by the name of their modality."""
    given = {m.name: _given(m, values) for m in spec.modalities}
    return {name: places for name, places in given.items() if places}


def _given(modality: Modality, values: dict[str, Any]) -> list[str]:
    """The paths given for a modality under any spelling of its option."""
    parameter = _parameter(modality)
    places = list(values[parameter])
    for i, alias in enumerate(modality.aliases):
        if aliased := values[f"{parameter}_alias_{i}"]:
            click.echo(f"note: {alias} is an alias of {modality.option}", err=True)
            places += aliased
    return places


def _target_from_source(modality: Modality, given: dict[str, list[str]]) -> str | None:
    """The target if it is given as a second source, as in the original's documentation."""
    places = given[modality.name]
    if len(places) != 2 or any(is_called_archive(place) for place in places):
        return None
    target = places.pop()
    click.echo(
        f"note: the second {modality.option} is read as the target; "
        f"write --target-dir {target} instead",
        err=True,
    )
    return target
