"""Labels and splits: the publishers' own files, in terms of a store's keys.

In: keys, and the files that publishers provide in addition to the archives. Out: keys by split,
class indexes, vectors and masks as numpy arrays. It never opens a store and needs no framework.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rico_hdl.labels.class_names import (
        EUROSAT_CLASSES,
        UC_MERCED_CLASSES,
        class_indexes_of_keys,
        class_of_key,
    )
    from rico_hdl.labels.land_cover import (
        CLASSES,
        CODES,
        IGNORE_INDEX,
        NOMENCLATURE,
        check_classes,
        class_indexes,
        index_of_code,
        multi_hot,
    )
    from rico_hdl.labels.metadata import SPLITS, PatchTable, read_metadata
    from rico_hdl.labels.splits import file_stem, folder_and_file, folder_name, read_split

__all__ = [
    "CLASSES",
    "CODES",
    "EUROSAT_CLASSES",
    "IGNORE_INDEX",
    "NOMENCLATURE",
    "SPLITS",
    "UC_MERCED_CLASSES",
    "PatchTable",
    "check_classes",
    "class_indexes",
    "class_indexes_of_keys",
    "class_of_key",
    "file_stem",
    "folder_and_file",
    "folder_name",
    "index_of_code",
    "multi_hot",
    "read_metadata",
    "read_split",
]

# Imported on first use: a conversion takes other modules of this package, and needs no numpy.
_HOMES = {
    "CLASSES": "land_cover",
    "CODES": "land_cover",
    "EUROSAT_CLASSES": "class_names",
    "IGNORE_INDEX": "land_cover",
    "NOMENCLATURE": "land_cover",
    "SPLITS": "metadata",
    "UC_MERCED_CLASSES": "class_names",
    "PatchTable": "metadata",
    "check_classes": "land_cover",
    "class_indexes": "land_cover",
    "class_indexes_of_keys": "class_names",
    "class_of_key": "class_names",
    "file_stem": "splits",
    "folder_and_file": "splits",
    "folder_name": "splits",
    "index_of_code": "land_cover",
    "multi_hot": "land_cover",
    "read_metadata": "metadata",
    "read_split": "splits",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - any public name
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
