"""Labels and splits: the publishers' own files, in terms of a store's keys.

In: keys, and the files that publishers provide in addition to the archives. Out: keys by split,
class indexes, vectors and masks as numpy arrays. It never opens a store and needs no framework.
"""

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
