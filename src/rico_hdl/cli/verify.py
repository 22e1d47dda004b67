"""``rico-hdl verify``: check a store against its journal, or against its sources.

It prints findings to stdout and progress to stderr, and returns an exit code.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from rico_hdl.cli.options import MEMORY_OPTION, PROGRESS_OPTION, source_options, sources_from
from rico_hdl.cli.output import json_text
from rico_hdl.cli.text import bytes_text
from rico_hdl.errors import UsageError
from rico_hdl.spec import DatasetSpec

if TYPE_CHECKING:
    from rico_hdl.checking.verification import Verification

EXIT_FINDINGS = 1
_N_FINDINGS = 100


@click.command(
    "verify",
    short_help="Check every record of a store.",
    context_settings={
        "ignore_unknown_options": True,
        "allow_extra_args": True,
        "max_content_width": 100,
    },
)
@click.argument("target", metavar="TARGET")
@click.option("--sources", "with_sources", is_flag=True, help="Decode and compare the sources.")
@click.option(
    "--decoder",
    type=click.Choice(["fast", "gdal"]),
    default="fast",
    show_default=True,
    help="How to decode the sources: as in conversions, or with GDAL as an independent check.",
)
@click.option(
    "--num-workers",
    "n_workers",
    type=click.IntRange(min=1),
    metavar="N",
    help="Threads.  [default: all processors this process may use]",
)
@click.option("--memory", **MEMORY_OPTION)
@click.option("--progress", **PROGRESS_OPTION)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@click.option("--quiet", is_flag=True, help="Print only findings and errors.")
@click.pass_context
def verify_command(ctx: click.Context, /, **values: Any) -> int:  # noqa: ANN401 - click's values
    """Check every record in the folder TARGET against the digest recorded when it was written.

    With --sources, decode the source files again and compare value by value: those named in the
    manifest, or others given with the dataset's own options, such as --dataset-dir FOLDER.
    """
    return _verify(ctx.args, **values)


def _verify(  # noqa: PLR0913 - the command's options
    arguments: list[str],
    *,
    target: str,
    with_sources: bool,
    decoder: str,
    n_workers: int | None,
    memory: int | None,
    as_json: bool,
    quiet: bool,
    progress: str,
) -> int:
    # Imported here to keep --help fast. The check itself is imported only by the other process.
    from rico_hdl.checking.isolated import run_isolated  # noqa: PLC0415
    from rico_hdl.cli.progress import progress_for  # noqa: PLC0415

    sources = _given_sources(target, arguments)
    if (sources or decoder != "fast" or memory) and not with_sources:
        raise UsageError(
            "source options, --decoder and --memory require --sources", "Add --sources."
        )
    options: dict[str, Any] = {"n_workers": n_workers}
    if with_sources:
        options["sources"] = sources
        if memory:
            options["in_flight_bytes"] = memory
    if decoder == "gdal":
        from rico_hdl.decoding.gdal import GdalDecoder  # noqa: PLC0415

        options["make_decoder"] = GdalDecoder
    check: Literal["verify", "compare_with_sources"]
    check = "compare_with_sources" if with_sources else "verify"
    with progress_for(progress, quiet=quiet) as observer:
        watching = observer if observer.period else None
        result = run_isolated(check, target, watching, **options)
    if as_json:
        click.echo(json_text(result.to_dict()))
    else:
        _print(result, quiet=quiet, what="patches compared" if with_sources else "records")
    return EXIT_FINDINGS if result.findings else 0


def _given_sources(target: str, arguments: list[str]) -> dict[str, list[str]]:
    """The sources given with the dataset's own options."""
    if not arguments:
        return {}
    from rico_hdl.store import Manifest, spec_of  # noqa: PLC0415

    manifest = Manifest.read(Path(target)) if Path(target).is_dir() else None
    if manifest is None or manifest.dataset is None:
        raise UsageError(f"unknown options {' '.join(arguments)}: {target} has no known dataset")
    spec = spec_of(manifest)
    if spec is None:
        raise UsageError(f"{target}: nothing describes the dataset {manifest.dataset!r}")
    return _parse_sources(spec, arguments)


def _parse_sources(spec: DatasetSpec, arguments: list[str]) -> dict[str, list[str]]:
    parser = click.Command(f"verify {spec.name}", params=source_options(spec))
    return sources_from(spec, parser.make_context("rico-hdl verify", arguments).params)


def _print(result: Verification, *, quiet: bool, what: str) -> None:
    for finding in result.findings[:_N_FINDINGS]:
        click.echo(str(finding))
    if len(result.findings) > _N_FINDINGS:
        click.echo(f"… and {len(result.findings) - _N_FINDINGS} more: use --json")
    if quiet:
        return
    rate = bytes_text(result.n_bytes / result.seconds) if result.seconds else "-"
    n = len(result.findings)
    if n:
        verdict = "1 finding" if n == 1 else f"{n} findings"
    elif what != "records":
        verdict = "all equal"
    else:
        verdict = "all well-formed" if result.n_unproven else "all as written"
    click.echo(
        f"{result.target}: {result.n_records} {what}, {bytes_text(result.n_bytes)} "
        f"in {result.seconds:.1f} s ({rate}/s): {verdict}"
    )
    for note in _notes(result):
        click.echo(note)


def _notes(result: Verification) -> Iterator[str]:
    """Notes on the limits of the check, and on the state of the store."""
    if result.n_unproven:
        yield (
            f"{result.n_unproven} records have no digest in the journal, so only their form was "
            "checked; --sources compares their values"
        )
    if result.is_being_written:
        yield (
            "note: a conversion is writing to this store: only the records committed before the "
            "check began were checked"
        )
    elif result.is_complete is False:
        yield (
            "note: the store is incomplete: this check does not report patches that were never "
            "stored; rico-hdl info shows more"
        )
    if result.n_unfinished and not result.is_being_written:
        yield (
            f"note: an interrupted conversion recorded {result.n_unfinished} records without "
            "storing them: run its command again to write them"
        )
    if result.n_samples is not None:
        absent = f", {result.n_absent} patches that they name are not stored"
        yield f"labels: {result.n_samples} samples as written{absent if result.n_absent else ''}"
    if result.n_constant:
        yield f"note: {result.n_constant} patches have the same value in all pixels of each band"
