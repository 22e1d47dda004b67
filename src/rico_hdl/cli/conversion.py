"""Running a conversion from the command line: progress, summary, report, exit code.

In: a `Job`. Out: an exit code; results on stdout, progress and problems on stderr.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from rico_hdl._version import __version__
from rico_hdl.cli.options import Job
from rico_hdl.cli.output import json_text, print_aside
from rico_hdl.cli.progress import progress_for
from rico_hdl.cli.text import bytes_text
from rico_hdl.converting.conversion import convert
from rico_hdl.converting.dry_run import DryRun, dry_run
from rico_hdl.converting.pipeline import IN_FLIGHT_BYTES
from rico_hdl.converting.summary import Summary
from rico_hdl.errors import InterruptedRunError, RicoError, SourceError
from rico_hdl.patches.opening import sources_in
from rico_hdl.values import ArchiveFailure, PatchFailure

EXIT_FAILURES = 1
_N_PROBLEMS = 20


def with_all_sources(job: Job) -> Job:
    """Look for the modalities that have no source of their own, and note those that are absent.

    Raises:
        SourceError: The source of all modalities holds none of them, and no other is given.
    """
    if job.source_of_all is None:
        return job
    wanted = [m for m in job.spec.modalities if m.name not in job.sources and not m.on_request]
    try:
        found = sources_in(job.spec, job.source_of_all, wanted) if wanted else {}
    except SourceError:
        if not job.sources:
            raise
        found = {}
    for modality in wanted:
        if modality.name not in found:
            text = f"note: {job.source_of_all} holds no {modality.title}: skipped"
            click.echo(text, err=True)
    places = {name: [str(place)] for name, place in found.items()}
    return replace(job, sources=job.sources | places, source_of_all=None)


def run_conversion(job: Job) -> int:
    """Convert, and print the summary.

    Raises:
        RicoError: The conversion can't be carried out.
    """
    try:
        with progress_for(job.progress, job.sources, quiet=job.quiet) as progress:
            summary = convert(
                job.spec,
                job.sources,
                job.target,
                n_workers=job.n_workers,
                on_error=job.on_error,
                overwrite=job.overwrite,
                observer=progress,
                check_archives=job.check_archives,
                in_flight_bytes=job.memory or IN_FLIGHT_BYTES,
                labels=job.labels,
            )
    except InterruptedRunError as error:
        _write_report(job, error.summary)
        raise
    _write_report(job, summary.to_dict())
    if job.as_json:
        click.echo(json_text(summary.to_dict()))
    elif not job.quiet:
        print_aside(_summary_text(job, summary))
    if summary.failures:
        archives = Counter(
            failure.state for failure in summary.failures if isinstance(failure, ArchiveFailure)
        )
        n = len(summary.failures) - archives.total()
        where = job.report or Path(summary.target) / "rico-hdl.json"
        found = [f"{m} archive{'s' * (m > 1)} {word}" for word, m in sorted(archives.items())]
        if n:
            found.append("1 patch was left out" if n == 1 else f"{n} patches were left out")
        ending = "; stopped there" if job.on_error == "stop" else ""
        click.echo(f"{', '.join(found)}{ending}: see {where}", err=True)
        if archives["read in part"]:
            click.echo("Give such archives in the form that is named there.", err=True)
        if archives["damaged"] or archives["incomplete"]:
            repair = "compare the stored patches with it and repair those that differ"
            what = repair if archives["damaged"] else "add the missing patches"
            click.echo(f"Get an intact copy and run the same command to {what}.", err=True)
    return 0 if summary.complete else EXIT_FAILURES


def _summary_text(job: Job, summary: Summary) -> str:
    failed = dict.fromkeys(summary.n_written, 0)
    for failure in summary.failures:
        failed[failure.modality] += isinstance(failure, PatchFailure)
    width = max((len(name) for name in failed), default=0)
    lines = [f"{job.spec.title} in {summary.target}"]
    lines += [
        f"  {name:{width}}  {summary.n_written[name]} written, "
        f"{summary.n_present[name]} already there, {failed[name]} failed"
        for name in failed
    ]
    if summary.n_bytes:
        rate = bytes_text(summary.n_bytes / summary.seconds)
        lines.append(
            f"  {bytes_text(summary.n_bytes)} written in {summary.seconds:.1f} s ({rate}/s)"
        )
    elif summary.n_written:
        lines.append("  nothing was written")
    if summary.n_samples is not None:
        lines.append(f"  labels of {summary.n_labelled} of {summary.n_samples} samples")
    if summary.n_mended:
        lines.append(f"  {summary.n_mended} of the written patches replace wrong records")
    lines += [f"  note: {warning}" for warning in summary.warnings]
    return "\n".join(lines)


def _write_report(job: Job, summary: Mapping[str, Any]) -> None:
    if job.report is None:
        return
    content = {"tool": f"rico-hdl {__version__}", "sources": job.sources, **summary}
    try:
        job.report.write_text(json_text(content) + "\n", encoding="utf-8")
    except OSError as error:
        raise RicoError(f"--report: {job.report} can't be written: {error.strerror}") from error


def print_dry_run(job: Job) -> int:
    """Print what a conversion would do.

    Raises:
        RicoError: The conversion can't be carried out.
    """
    found = dry_run(job.spec, job.sources, job.target)
    if found.n_bytes_expected is not None and found.n_bytes_expected > found.n_bytes_free:
        click.echo(
            f"warning: {job.target} lacks space: about {bytes_text(found.n_bytes_expected)} are "
            f"needed, {bytes_text(found.n_bytes_free)} are free",
            err=True,
        )
    _write_report(job, found.to_dict())
    if job.as_json:
        click.echo(json_text(found.to_dict()))
    elif job.quiet:
        for failure in found.failures:
            click.echo(str(failure), err=True)
    else:
        click.echo(_dry_run_text(job, found))
    return EXIT_FAILURES if found.failures else 0


def _dry_run_text(job: Job, found: DryRun) -> str:
    lines = [f"{job.spec.title}, dry run: nothing is written"]
    for name, modality in found.modalities.items():
        n, published = modality.n_patches, modality.n_published
        of = f" (published: {published})" if published else ""
        number = "an unknown number of patches" if n is None else f"{n} patches"
        lines.append(f"  {name}: {number}{of} in {modality.source}")
        lines += [f"    {key}" for key in modality.first_keys]
        if n is None or n > len(modality.first_keys):
            lines.append("    …")
    expected, free = found.n_bytes_expected, bytes_text(found.n_bytes_free)
    size = "an unknown size" if expected is None else f"about {bytes_text(expected)}"
    lines.append(f"  {size} in {job.target} ({free} free)")
    lines += [f"  note: {warning}" for warning in found.warnings]
    lines.append(f"  problems: {len(found.failures) or 'none found'}")
    lines += [f"    {failure}" for failure in found.failures[:_N_PROBLEMS]]
    if len(found.failures) > _N_PROBLEMS:
        lines.append(f"    … and {len(found.failures) - _N_PROBLEMS} more: use --report or --json")
    return "\n".join(lines)
