"""The supported datasets: one small module per dataset, discovered in this folder.

No code outside of a dataset's own module knows its name. A module has the name of its dataset's
command, with underscores: ``ssl4eo_s12_v1_1`` describes ``ssl4eo-s12-v1.1``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from rico_hdl.errors import UsageError
from rico_hdl.spec import DatasetSpec


class _Specs(Mapping[str, DatasetSpec]):
    """Specs by the name of their command, in alphabetical order; each is imported when needed."""

    def __init__(self) -> None:
        modules = [module.name for module in iter_modules(__path__)]
        self._modules = dict(sorted((_command(module), module) for module in modules))
        self._loaded: dict[str, DatasetSpec] = {}

    def __getitem__(self, name: str) -> DatasetSpec:
        if name not in self._loaded:
            module = import_module(f"{__name__}.{self._modules[name]}")
            self._loaded[name] = module.SPEC
        return self._loaded[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._modules)

    def __len__(self) -> int:
        return len(self._modules)


def _command(module: str) -> str:
    """The command of the dataset that a module describes: versions are written with dots."""
    return re.sub(r"-v(\d+)-(\d+)$", r"-v\1.\2", module.replace("_", "-"))


@cache
def registry() -> Mapping[str, DatasetSpec]:
    """All specs by the name of their command, in alphabetical order.

    A spec is imported when it is looked up. Iterating over the names imports none.
    """
    return _Specs()


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


def recognised(fit: Callable[[DatasetSpec], tuple[int, ...]]) -> DatasetSpec | None:
    """The dataset that fits some records best; None if none does, or if several do equally well.

    Records without a description of their own are usually those of the original rico-hdl. A dataset
    that it converts therefore precedes others that fit as well.

    Args:
        fit: How well a dataset fits, zeros if not at all.
    """
    scores = {name: (*fit(spec), spec.is_original) for name, spec in registry().items()}
    best = max(scores.values())
    names = [name for name, score in scores.items() if score == best]
    return registry()[names[0]] if len(names) == 1 and any(best[:-1]) else None
