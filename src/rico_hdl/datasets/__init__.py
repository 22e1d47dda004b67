"""The supported datasets: one small module per dataset, discovered in this folder.

No code outside of a dataset's own module knows its name.
"""

from __future__ import annotations

import os
from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from rico_hdl.errors import UsageError
from rico_hdl.spec import DatasetSpec


@cache
def registry() -> dict[str, DatasetSpec]:
    """All specs by the name of their command, in alphabetical order."""
    modules = (import_module(f"{__name__}.{module.name}") for module in iter_modules(__path__))
    specs = sorted((module.SPEC for module in modules), key=lambda spec: spec.name)
    return {spec.name: spec for spec in specs}


def resolve(dataset: str | os.PathLike[str] | DatasetSpec) -> DatasetSpec:
    """The spec that a user names.

    Args:
        dataset: A spec, the name of a supported dataset, or the path of a TOML file.

    Raises:
        UsageError: No dataset has that name.
        SpecError: The file can't be read, or does not describe a dataset.
    """
    if isinstance(dataset, DatasetSpec):
        return dataset
    if os.fspath(dataset).lower().endswith(".toml"):
        from rico_hdl.spec.toml_form import load_spec  # noqa: PLC0415 - for users' specs only

        return load_spec(dataset)
    return get(os.fspath(dataset))


def get(name: str) -> DatasetSpec:
    """Return the spec of a dataset.

    Raises:
        UsageError: No dataset has that name.
    """
    try:
        return registry()[name]
    except KeyError:
        raise UsageError(
            f"no dataset is named {name!r}",
            f"Supported datasets: {', '.join(registry())}. A dataset of your own is the path of a "
            "TOML file.",
        ) from None
