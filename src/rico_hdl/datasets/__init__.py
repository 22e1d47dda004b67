"""The supported datasets: one small module per dataset, discovered in this folder.

Installed packages add others, see `_packages`.

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

from rico_hdl.datasets._packages import PackagedSpecs
from rico_hdl.errors import SpecError, UsageError
from rico_hdl.spec import DatasetSpec


class _BuiltIn(Mapping[str, DatasetSpec]):
    """Specs by the name of their command, in alphabetical order; each is imported when needed."""

    def __init__(self) -> None:
        modules = [one.name for one in iter_modules(__path__) if not one.name.startswith("_")]
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


class _AllSpecs(Mapping[str, DatasetSpec]):
    """The built-in specs and those of installed packages, which are searched when needed."""

    def __getitem__(self, name: str) -> DatasetSpec:
        specs = built_in()
        if name in specs:
            return specs[name]
        if name not in packaged().names:
            raise KeyError(name)
        return _from_package(name)

    def __contains__(self, name: object) -> bool:
        return name in built_in() or name in packaged().names

    def __iter__(self) -> Iterator[str]:
        return iter(sorted([*built_in(), *packaged().names]))

    def __len__(self) -> int:
        return len(built_in()) + len(packaged().names)


@cache
def built_in() -> Mapping[str, DatasetSpec]:
    """The specs of this package, by the name of their command, in alphabetical order.

    A spec is imported when it is looked up. Iterating over the names imports none.
    """
    return _BuiltIn()


@cache
def packaged() -> PackagedSpecs:
    """The datasets of other installed packages."""
    return PackagedSpecs(built_in())


@cache
def _from_package(name: str) -> DatasetSpec:
    return packaged().load(name)


_ALL = _AllSpecs()


def registry() -> Mapping[str, DatasetSpec]:
    """All specs by the name of their command, in alphabetical order, also those of other packages.

    A spec is imported when it is looked up. Iterating over the names imports none. Looking up a
    name raises `SpecError` if the package that offers it is broken.
    """
    return _ALL


def usable(name: str) -> DatasetSpec | None:
    """The spec of a dataset; None if no dataset has that name, or if its package is broken."""
    try:
        return registry().get(name)
    except SpecError:
        return None


def all_usable() -> Iterator[DatasetSpec]:
    """All specs in the order of their names, without those of broken packages."""
    return filter(None, map(usable, registry()))


def resolve(dataset: str | os.PathLike[str] | DatasetSpec) -> DatasetSpec:
    """The spec that a user names.

    Args:
        dataset: A spec, the name of a supported dataset, or the path of a TOML file.

    Raises:
        UsageError: No dataset has that name.
        SpecError: The file can't be read, or does not describe a dataset; or the package that
            offers the dataset is broken.
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
        SpecError: The package that offers it is broken.
    """
    try:
        return registry()[name]
    except KeyError:
        if name in packaged().refused:
            raise UsageError(packaged().refused[name]) from None
        from difflib import get_close_matches  # noqa: PLC0415 - for this message only

        near = get_close_matches(name, registry(), 1)
        guess = f"Did you mean {near[0]}? " if near else ""
        raise UsageError(
            f"no dataset is named {name!r}",
            f"{guess}Supported datasets: {', '.join(registry())}. A dataset of your own is the "
            "path of a TOML file.",
        ) from None


def recognised(fit: Callable[[DatasetSpec], tuple[int, ...]]) -> DatasetSpec | None:
    """The dataset that fits some records best; None if none does, or if several do equally well.

    Records without a description of their own are usually those of the original rico-hdl. A dataset
    that it converts therefore precedes others that fit as well, and built-in ones precede those of
    other packages.

    Args:
        fit: How well a dataset fits, zeros if not at all.
    """
    scores = [
        ((*fit(spec), spec.is_original, spec.name in built_in()), spec) for spec in all_usable()
    ]
    best = max(score for score, _ in scores)
    found = [spec for score, spec in scores if score == best]
    return found[0] if len(found) == 1 and any(best[:-2]) else None
