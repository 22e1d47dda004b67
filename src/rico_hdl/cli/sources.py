"""The sources that a command about an existing store is given with its dataset's own options."""

from __future__ import annotations

from pathlib import Path

import click

from rico_hdl.cli.options import source_options, sources_from
from rico_hdl.errors import UsageError
from rico_hdl.spec import DatasetSpec


def given_sources(
    command: str, target: str, arguments: list[str], dataset: str | None = None
) -> dict[str, list[str]]:
    """The sources given with the dataset's own options, by modality.

    Args:
        command: The name of the command.
        target: The store.
        arguments: The arguments that the command doesn't know.
        dataset: The dataset, if the user names it.

    Raises:
        UsageError: The store's dataset is unknown.
    """
    if not arguments:
        return {}
    spec = _spec(target, dataset)
    if spec is None:
        raise UsageError(f"unknown options {' '.join(arguments)}: {target} has no known dataset")
    parser = click.Command(f"{command} {spec.name}", params=source_options(spec))
    return sources_from(spec, parser.make_context(f"rico-hdl {command}", arguments).params)


def _spec(target: str, dataset: str | None) -> DatasetSpec | None:
    from rico_hdl.datasets import resolve  # noqa: PLC0415 - help needs no store

    if dataset is not None:
        return resolve(dataset)
    from rico_hdl.store import Manifest, spec_of  # noqa: PLC0415

    manifest = Manifest.read(Path(target)) if Path(target).is_dir() else None
    if manifest is not None and manifest.dataset is not None:
        return spec_of(manifest)
    from rico_hdl.reading import open as open_store  # noqa: PLC0415

    with open_store(target) as store:
        return resolve(store.dataset) if store.dataset is not None else None
