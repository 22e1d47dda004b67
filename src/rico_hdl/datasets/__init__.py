"""The supported datasets: one small module each, found by their presence in this folder.

In: nothing. Out: the registry of specs. Nothing outside of a dataset's own module knows its name.
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
    """The spec of that name.

    Raises:
        UsageError: No dataset has that name.
    """
    try:
        return registry()[name]
    except KeyError:
        raise UsageError(
            f"no dataset is called {name!r}", f"Known: {', '.join(registry())}."
        ) from None
