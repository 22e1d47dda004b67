"""The land-cover classes of BigEarthNet, and the CORINE Land Cover codes that they consist of.

In: class names, or codes as found in the reference maps. Out: vectors and masks of class indexes.
Nothing here opens a file.

Classes and mapping: Sumbul et al., "BigEarthNet-MM: A Large Scale Multi-Modal Multi-Label Benchmark
Archive for Remote Sensing Image Classification and Retrieval", IEEE GRSM 2021 (arXiv:2105.07921),
in the machine-readable form that its authors publish (label_indices.json of their 19-class models,
OLD2NEW_LABELS_DICT of their package bigearthnet-common 2.8). Codes: the nomenclature guidelines of
CORINE Land Cover, https://land.copernicus.eu/content/corine-land-cover-nomenclature-guidelines.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from rico_hdl.errors import UsageError

NOMENCLATURE: Final = (
    "Urban fabric",
    "Industrial or commercial units",
    "Arable land",
    "Permanent crops",
    "Pastures",
    "Complex cultivation patterns",
    "Land principally occupied by agriculture, with significant areas of natural vegetation",
    "Agro-forestry areas",
    "Broad-leaved forest",
    "Coniferous forest",
    "Mixed forest",
    "Natural grassland and sparsely vegetated areas",
    "Moors, heathland and sclerophyllous vegetation",
    "Transitional woodland, shrub",
    "Beaches, dunes, sands",
    "Inland wetlands",
    "Coastal wetlands",
    "Inland waters",
    "Marine waters",
)
"""The 19 classes in the order of the publication: that of the CORINE codes, which TorchGeo uses."""

CLASSES: Final = tuple(sorted(NOMENCLATURE))
"""The 19 classes in alphabetical order, the default here: the order of ConfigILM, the library of
the dataset's authors (NEW_LABELS in configilm 0.7), and of the models that they publish."""

CODES: Final[Mapping[str, tuple[int, ...]]] = MappingProxyType(
    {
        "Urban fabric": (111, 112),
        "Industrial or commercial units": (121,),
        "Arable land": (211, 212, 213),
        "Permanent crops": (221, 222, 223, 241),
        "Pastures": (231,),
        "Complex cultivation patterns": (242,),
        (
            "Land principally occupied by agriculture, with significant areas of natural vegetation"
        ): (243,),
        "Agro-forestry areas": (244,),
        "Broad-leaved forest": (311,),
        "Coniferous forest": (312,),
        "Mixed forest": (313,),
        "Natural grassland and sparsely vegetated areas": (321, 333),
        "Moors, heathland and sclerophyllous vegetation": (322, 323),
        "Transitional woodland, shrub": (324,),
        "Beaches, dunes, sands": (331,),
        "Inland wetlands": (411, 412),
        "Coastal wetlands": (421, 422),
        "Inland waters": (511, 512),
        "Marine waters": (521, 522, 523),
    }
)
"""The CORINE codes of each class. Twelve codes belong to none: 122 roads and railways, 123 ports,
124 airports, 131 mines, 132 dumps, 133 construction sites, 141 green urban areas, 142 sport and
leisure, 332 bare rock, 334 burnt areas, 335 glaciers, 423 intertidal flats."""

IGNORE_INDEX: Final = -100
"""The class index of a pixel whose code belongs to no class: the default ``ignore_index`` of
torch's losses."""

_N_CODES: Final = 1 << 16  # reference maps are uint16


def check_classes(classes: Sequence[str]) -> tuple[str, ...]:
    """The 19 classes in the caller's order.

    Raises:
        UsageError: The names are not the 19 classes, each exactly once.
    """
    if sorted(classes) != list(CLASSES):
        unknown = sorted(set(classes) - set(CLASSES))
        missing = sorted(set(CLASSES) - set(classes))
        raise UsageError(
            f"classes has {len(classes)} names, expected the {len(CLASSES)} classes, each once: "
            f"unknown {unknown}, missing {missing}",
            "Pass a permutation of the classes, such as rico_hdl.labels.NOMENCLATURE.",
        )
    return tuple(classes)


def multi_hot(labels: Iterable[str], classes: Sequence[str] = CLASSES) -> npt.NDArray[np.uint8]:
    """One patch's labels as a vector of (class,): 1 where the class is present, else 0.

    Raises:
        UsageError: A label is not one of the classes.
    """
    vector = np.zeros(len(classes), np.uint8)
    for label in labels:
        if label not in classes:
            raise UsageError(f"label {label!r} is not one of the {len(classes)} classes")
        vector[classes.index(label)] = 1
    return vector


def index_of_code(
    classes: Sequence[str] = CLASSES, ignore_index: int = IGNORE_INDEX
) -> npt.NDArray[np.int64]:
    """A table of (65536,): the class index of each code that a uint16 pixel can hold.

    Args:
        classes: The 19 classes, in the order of the indexes.
        ignore_index: The index of codes that belong to no class.
    """
    table = np.full(_N_CODES, ignore_index, np.int64)
    for index, name in enumerate(classes):
        table[list(CODES[name])] = index
    return table


def class_indexes(
    codes: npt.NDArray[Any],
    classes: Sequence[str] = CLASSES,
    ignore_index: int = IGNORE_INDEX,
) -> npt.NDArray[np.int64]:
    """The class indexes for a reference map's codes, with the same shape as the codes."""
    table = index_of_code(classes, ignore_index)
    return np.take(table, codes)
