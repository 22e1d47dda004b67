"""The supported datasets: one small module per dataset, discovered in this folder.

No code outside of a dataset's own module knows its name.
"""

from __future__ import annotations

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


def get(name: str) -> DatasetSpec:
    """Return the spec of a dataset.

    Raises:
        UsageError: No dataset has that name.
    """
    try:
        return registry()[name]
    except KeyError:
        raise UsageError(
            f"no dataset is named {name!r}", f"Supported datasets: {', '.join(registry())}."
        ) from None
