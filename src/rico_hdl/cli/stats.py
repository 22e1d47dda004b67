"""``rico-hdl stats``: count pixels and labels, and print or write their statistics."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import isnan
from typing import TYPE_CHECKING, Final

import click

from rico_hdl.cli.options import PROGRESS_OPTION
from rico_hdl.cli.output import json_text

if TYPE_CHECKING:
    from rico_hdl.statistics import BandStatistics, Statistics

_N_SHOWN: Final = 30
"""The most bands of a modality in the printed table, and the most classes."""
_COLUMNS: Final = ("mean", "std", "min", "2 %", "50 %", "98 %", "max", "zero", "nodata", "NaN")


@click.command(
    "stats",
    short_help="Count pixels and labels: means, percentiles, classes.",
    context_settings={"max_content_width": 100},
)
@click.argument("target", metavar="TARGET")
@click.option(
    "--modality",
    "modalities",
    multiple=True,
    metavar="NAME",
    help="Count only this modality; may be repeated.  [default: all]",
)
@click.option("--split", metavar="NAME", help="Count only the patches of this split.")
@click.option(
    "--keys",
    "keys_file",
    type=click.Path(dir_okay=False),
    metavar="FILE",
    help="Count only the patches whose keys are in this text file, one in each row.",
)
@click.option(
    "--nodata",
    type=float,
    metavar="VALUE",
    help="Leave out pixels of this value.  [default: the class of a mask that is to be ignored]",
)
@click.option(
    "--output",
    metavar="FILE",
    help="Write the result to a file: .json all of it, .yaml means and standard deviations, .txt "
    "the same for TerraTorch, in files NAME-means.txt and NAME-stds.txt.",
)
@click.option(
    "--num-workers",
    "n_workers",
    type=click.IntRange(min=1),
    metavar="N",
    help="Threads.  [default: all processors this process may use]",
)
@click.option("--progress", **PROGRESS_OPTION)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@click.option("--quiet", is_flag=True, help="Print only errors, and JSON if asked for.")
def stats_command(  # noqa: PLR0913 - the command's options
    *,
    target: str,
    modalities: tuple[str, ...],
    split: str | None,
    keys_file: str | None,
    nodata: float | None,
    output: str | None,
    n_workers: int | None,
    progress: str,
    as_json: bool,
    quiet: bool,
) -> int:
    """Count every pixel of the store in folder TARGET, and the labels of its patches.

    Mean, standard deviation, extremes, percentiles and histogram of each band, the shares of
    nodata, NaN and zeros, and the numbers of patches and pixels of each class.
    """
    # Imported here to keep --help fast.
    from rico_hdl.cli.progress import progress_for  # noqa: PLC0415
    from rico_hdl.reading import open as open_store  # noqa: PLC0415
    from rico_hdl.reading.statistics import chosen_keys, counted  # noqa: PLC0415
    from rico_hdl.statistics.files import as_dict, check_output, save  # noqa: PLC0415

    if output is not None:
        check_output(output)
    keys = None if keys_file is None else _keys_in(keys_file)
    with open_store(target) as store, progress_for(progress, quiet=quiet) as observer:
        observer.reading = "counting"
        chosen = chosen_keys(store, modalities, split=split, keys=keys)
        found = counted(store, chosen, split, nodata, n_workers, observer)
    files = [] if output is None else save(output, found)
    if as_json:
        click.echo(json_text(as_dict(found)))
    elif not quiet:
        click.echo("\n".join(_lines(found)))
        for file in files:
            click.echo(f"written: {file}")
    return 0


def _keys_in(path: str) -> list[str]:
    """The keys in a text file."""
    from rico_hdl.labels import read_split  # noqa: PLC0415

    return read_split(path, str)


def _lines(found: Mapping[str, Statistics]) -> Iterator[str]:
    for name, statistics in found.items():
        yield f"{name}: {_counted(statistics.n_patches, 'patch')}"
        yield from _table(statistics)
        if statistics.has_class_pixels:
            pixels = statistics.class_pixels()
            yield from _shares("pixel", pixels, sum(pixels.values()))
        if statistics.labels:
            n_labelled = statistics.n_patches - statistics.n_unlabelled
            yield from _shares("patch", statistics.labels, n_labelled)
        if statistics.n_unlabelled:
            yield f"  without a label: {_counted(statistics.n_unlabelled, 'patch')}"


def _table(statistics: Statistics) -> Iterator[str]:
    """A row for each band."""
    bands = list(statistics.bands.items())
    rows = [["band", *_COLUMNS], *([name, *_cells(band)] for name, band in bands[:_N_SHOWN])]
    # Columns in which no band has anything are left out.
    kept = [i for i in range(len(rows[0])) if i < 8 or any(row[i] for row in rows[1:])]
    widths = [max(len(row[i]) for row in rows) for i in kept]
    for row in rows:
        cells = (row[i].rjust(width) for i, width in zip(kept[1:], widths[1:], strict=True))
        yield f"  {row[0].ljust(widths[0])}  {'  '.join(cells)}".rstrip()
    if len(bands) > _N_SHOWN:
        yield f"  and {len(bands) - _N_SHOWN} more bands: use --json or --output"


def _cells(band: BandStatistics) -> list[str]:
    """The numbers of a band, in the order of `_COLUMNS`; empty for shares of 0."""
    low, middle, high = band.percentile([2, 50, 98]).tolist()
    numbers = [band.mean, band.std, band.minimum, low, middle, high, band.maximum]
    shares = [band.n_zero, band.n_nodata, band.n_nan]
    n = max(1, band.n_pixels)
    return [
        *("-" if number is None or isnan(number) else f"{number:.6g}" for number in numbers),
        *(f"{100 * share / n:.2g}%" if share else "" for share in shares),
    ]


def _counted(n: int, what: str) -> str:
    """A number of pixels or patches."""
    plural = "patches" if what == "patch" else "pixels"
    return f"{n} {what if n == 1 else plural}"


def _shares(what: str, counts: Mapping[str, int], n: int) -> Iterator[str]:
    """A row for each class, with its share of ``n``; a patch may have several classes."""
    width = max(map(len, list(counts)[:_N_SHOWN]), default=0)
    for name, count in list(counts.items())[:_N_SHOWN]:
        yield f"  {name.ljust(width)}  {_counted(count, what)}, {100 * count / max(1, n):.3g}%"
    if len(counts) > _N_SHOWN:
        yield f"  and {len(counts) - _N_SHOWN} more classes: use --json or --output"
