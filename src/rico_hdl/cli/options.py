"""The options of a dataset's command, and what they amount to.

In: a spec, and the values that click read. Out: a `Job`. The lines that users copy from the
documentation of the original rico-hdl work, with a notice that names the proper option.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, cast

import click

from rico_hdl.sources.opening import is_called_archive
from rico_hdl.spec import DatasetSpec, Modality

OnError = Literal["skip", "stop"]

PROGRESS_OPTION: Final[dict[str, Any]] = {
    "type": click.Choice(["auto", "bars", "lines", "json", "none"]),
    "default": "auto",
    "show_default": True,
    "help": "How progress is shown: auto is bars on a terminal, and lines elsewhere.",
}
"""What commands that take time say about their option ``--progress``."""


@dataclass(frozen=True)
class Job:
    """What a command line asks for."""

    spec: DatasetSpec
    """The dataset."""
    sources: dict[str, list[str]]
    """What was named as the source of each modality, by the modality's name."""
    target: str
    """The target folder."""
    n_workers: int | None
    """Threads, or None for all processors."""
    on_error: OnError
    """What a patch that can't be converted means."""
    report: Path | None
    """Where the report goes."""
    as_json: bool
    """Whether stdout carries JSON."""
    quiet: bool
    """Whether nothing but errors is printed."""
    progress: str
    """How progress is shown: a value of ``--progress``."""
    dry_run: bool
    """Whether nothing is written."""
    overwrite: bool
    """Whether what is in the target is replaced."""
    check_archives: bool
    """Whether archives are compared with published MD5 sums."""


def _parameter(modality: Modality) -> str:
    return f"source_{modality.name}".replace("-", "_")


def source_options(spec: DatasetSpec) -> list[click.Parameter]:
    """The options that name a dataset's sources."""
    options: list[click.Parameter] = []
    for modality in spec.modalities:
        parameter = _parameter(modality)
        options.append(
            click.Option(
                [modality.option, parameter],
                multiple=True,
                metavar="SOURCE",
                help=f"The {modality.title}: a folder, or what was downloaded.",
            )
        )
        options += [
            click.Option([alias, f"{parameter}_alias_{i}"], multiple=True, hidden=True)
            for i, alias in enumerate(modality.aliases)
        ]
    return options


def options_for(spec: DatasetSpec) -> list[click.Parameter]:
    """The options of a dataset's command."""
    return [
        *source_options(spec),
        click.Option(
            ["--target-dir"],
            metavar="FOLDER",
            help="Where the LMDB goes; created if it is not there.  [required]",
        ),
        click.Option(
            ["--num-workers", "n_workers"],
            type=click.IntRange(min=1),
            metavar="N",
            help="Threads that read and decode.  [default: all processors this process may use]",
        ),
        click.Option(
            ["--on-error"],
            type=click.Choice(["skip", "stop"]),
            default="skip",
            show_default=True,
            help="Leave out patches that can't be converted and list them, or stop at the first.",
        ),
        click.Option(
            ["--report"],
            type=click.Path(dir_okay=False, path_type=Path),
            metavar="FILE.json",
            help="Write what was done, and every failure, to this file.",
        ),
        click.Option(
            ["--dry-run"],
            is_flag=True,
            help="Say what would be converted, how large it gets and what is wrong; write nothing.",
        ),
        click.Option(
            ["--overwrite"],
            is_flag=True,
            help="Begin anew: remove what rico-hdl wrote to the target folder before.",
        ),
        click.Option(
            ["--check-archives"],
            is_flag=True,
            help="Compare archives with the MD5 sums that their publishers state.",
        ),
        click.Option(["--progress"], **PROGRESS_OPTION),
        click.Option(["--json", "as_json"], is_flag=True, help="Print the result as JSON."),
        click.Option(["--quiet"], is_flag=True, help="Print nothing but errors."),
    ]


def job_from(spec: DatasetSpec, values: dict[str, Any]) -> Job:
    """What the values of the options amount to.

    Raises:
        click.UsageError: Options are missing, given twice, or contradict each other.
    """
    given = {m.name: _given(m, values) for m in spec.modalities}
    target = values["target_dir"]
    _refuse_empty({m.option: given[m.name] for m in spec.modalities} | {"--target-dir": [target]})
    if target is None and len(spec.modalities) == 1:
        target = _target_from_source(spec.modalities[0], given)
    sources = {name: places for name, places in given.items() if places}
    if not sources:
        options = " or ".join(modality.option for modality in spec.modalities)
        raise click.UsageError(f"Missing a source. Give {options}.")
    if target is None:
        raise click.UsageError("Missing option '--target-dir': the folder to write to.")
    report = values["report"]
    if report is not None and not os.access(report.absolute().parent, os.W_OK):
        raise click.UsageError(f"--report: can't write to the folder {report.absolute().parent}")
    return Job(
        spec=spec,
        sources=sources,
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
    )


def _refuse_empty(places: dict[str, list[str]]) -> None:
    """An empty name would be the current folder, which nobody means."""
    for option, names in places.items():
        if "" in names:
            raise click.UsageError(f"{option} is empty: is a shell variable not set?")


def sources_from(spec: DatasetSpec, values: dict[str, Any]) -> dict[str, list[str]]:
    """What is named as the source of each modality that is given, by the modality's name."""
    given = {m.name: _given(m, values) for m in spec.modalities}
    return {name: places for name, places in given.items() if places}


def _given(modality: Modality, values: dict[str, Any]) -> list[str]:
    """What is given for a modality under any spelling of its option."""
    parameter = _parameter(modality)
    places = list(values[parameter])
    for i, alias in enumerate(modality.aliases):
        if aliased := values[f"{parameter}_alias_{i}"]:
            click.echo(f"note: {alias} is read as {modality.option}", err=True)
            places += aliased
    return places


def _target_from_source(modality: Modality, given: dict[str, list[str]]) -> str | None:
    """The target, where it was given as a second source, as the original's documentation has it."""
    places = given[modality.name]
    if len(places) != 2 or any(is_called_archive(place) for place in places):
        return None
    target = places.pop()
    click.echo(
        f"note: the second {modality.option} is read as --target-dir {target}; write it so",
        err=True,
    )
    return target
