"""Datasets that installed packages add, through the entry point group ``rico_hdl.datasets``.

In: the metadata of installed packages. Out: the names of their datasets, without importing any; and
a dataset's spec, when it is needed.
"""

from __future__ import annotations

import os
import sys
from collections import defaultdict
from collections.abc import Callable, Collection
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rico_hdl.errors import SpecError
from rico_hdl.spec import DatasetSpec
from rico_hdl.spec.model import NAME

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP: Final = "rico_hdl.datasets"
"""The group of entry points. The name of an entry point is that of its dataset."""
COMMANDS: Final = frozenset(
    {"convert", "datasets", "export", "georef", "info", "new", "table", "verify"}
)
"""Names that no dataset may have: ``rico-hdl`` has commands of these names."""
_EXPECTED: Final = "a DatasetSpec, the path of a TOML file, or a function that returns one of them"


class PackagedSpecs:
    """The datasets of installed packages.

    Args:
        built_in: The names of built-in datasets, which no package may use.
    """

    def __init__(self, built_in: Collection[str]) -> None:
        self.refused: dict[str, str] = {}
        """Why names were refused, a sentence each."""
        self.names: list[str] = []
        """The names that can be used, sorted."""
        self._loaders: dict[str, EntryPoint] = {}
        offers = defaultdict(list)
        try:
            for offer in _entry_points():
                offers[offer.name].append(offer)
        except Exception as error:  # noqa: BLE001 - damaged metadata of any package
            self.refused[""] = (
                f"installed packages can't be searched for datasets: {type(error).__name__}: "
                f"{error}. `pip check` may say which package is damaged"
            )
        for name, found in sorted(offers.items()):
            if name in built_in:
                reason = ", which rico-hdl has itself: the built-in one is used"
            elif name in COMMANDS or not NAME.fullmatch(name) or name.endswith(".toml"):
                reason = (
                    ", which can't be its name: expected lower-case letters, digits and hyphens, "
                    f"and none of {', '.join(sorted(COMMANDS))}"
                )
            elif len(found) > 1:
                reason = ": uninstall all but one of them"
            else:
                self.names.append(name)
                self._loaders[name] = found[0]
                continue
            packages = sorted({f"the package {_package(one)!r}" for one in found})
            verb = "offers" if len(packages) == 1 else "offer"
            self.refused[name] = f"{' and '.join(packages)} {verb} a dataset {name!r}{reason}"

    def load(self, name: str) -> DatasetSpec:
        """Import the spec of a dataset.

        Args:
            name: One of `names`.

        Raises:
            SpecError: Its package is broken.
        """
        offer = self._loaders[name]
        hint = f"Update the package, or remove it: pip uninstall {_package(offer)}"
        place = f"the dataset {name!r} of the package {_package(offer)!r} ({offer.value})"
        try:
            found = _spec_of(offer.load())
        except SpecError as error:
            raise SpecError(f"{place} can't be loaded: {error.message}", hint) from error
        except (Exception, SystemExit) as error:  # whatever code of others raises
            reason = f"{type(error).__name__}: {error}"
            raise SpecError(f"{place} can't be loaded: {reason}", hint) from error
        if found.name != name:
            raise SpecError(
                f"{place} is called {found.name!r} in its spec, expected {name!r}",
                f"Give the entry point the name of the dataset. {hint}",
            )
        return found


def _spec_of(value: DatasetSpec | str | os.PathLike[str] | Callable[[], object]) -> DatasetSpec:
    """The spec that an entry point refers to."""
    found = value() if callable(value) else value
    if isinstance(found, DatasetSpec):
        return found
    if isinstance(found, str | os.PathLike):
        from rico_hdl.spec.toml_form import load_spec  # noqa: PLC0415 - for TOML files only

        return load_spec(found)
    raise SpecError(f"it is {type(found).__name__}, expected {_EXPECTED}")


def _package(offer: EntryPoint) -> str:
    """The name of the package that an entry point is from."""
    return offer.dist.name if offer.dist is not None else offer.module.partition(".")[0]


def _entry_points() -> list[EntryPoint]:
    """The entry points of installed packages; the metadata's library is imported if there are any.

    Importing it takes a fifth of the time of ``rico-hdl --help``.
    """
    if not any(map(_may_offer, dict.fromkeys(sys.path))):
        return []
    from importlib.metadata import entry_points  # noqa: PLC0415

    return list(entry_points(group=GROUP))


def _may_offer(folder: str) -> bool:
    """Whether packages in a folder of ``sys.path`` may have entry points of the group."""
    try:
        names = os.listdir(folder or ".")  # noqa: PTH208 - faster than paths, which help waits for
    except NotADirectoryError:  # a zip with packages
        return True
    except OSError:  # most interpreters have a place for a zip that does not exist
        return False
    for name in names:
        if name.endswith((".dist-info", ".egg-info")):
            try:
                if GROUP.encode() in Path(folder, name, "entry_points.txt").read_bytes():
                    return True
            except OSError:  # most packages have none
                continue
    return False
