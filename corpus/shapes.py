"""Names of classes and sizes of patches, as in the releases, which the specs don't state."""

from __future__ import annotations

from typing import Final

from rico_hdl.testing.patches import DEVIATIONS, NAMES, USUAL_SHAPES

_EUROSAT_CLASSES: Final = (
    "AnnualCrop", "Forest", "HerbaceousVegetation", "Highway", "Industrial",
    "Pasture", "PermanentCrop", "Residential", "River", "SeaLake",
)  # fmt: skip

NAMES |= {
    ("dfc2020", "roi"): ("ROIs0000_test", "ROIs0000_validation"),
    ("eurosat-multi-spectral", "class"): _EUROSAT_CLASSES,
    ("eurosat-rgb", "class"): _EUROSAT_CLASSES,
    ("ftw", "country"): ("austria", "south_africa"),
    ("million-aid", "split"): ("train", "test"),
    ("million-aid", "class"): ("agriculture_land/grassland/meadow", "water_area/beach"),
    ("seasonet", "season"): ("spring", "summer", "fall", "winter", "snow"),
    ("uc-merced", "class"): (
        "airplane", "agricultural", "baseballdiamond", "beach", "buildings", "chaparral",
        "denseresidential", "forest", "freeway", "golfcourse", "harbor", "intersection",
        "mediumresidential", "mobilehomepark", "overpass", "parkinglot", "river", "runway",
        "sparseresidential", "storagetanks", "tenniscourt",
    ),
}  # fmt: skip

_CLOUDS = ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B11", "B12")
_10M, _20M, _60M = (264, 264), (132, 132), (44, 44)

USUAL_SHAPES |= {
    ("cloudsen12-plus", "l1c"): dict.fromkeys((*_CLOUDS, "B10"), (512, 512)),
    ("cloudsen12-plus", "l2a"): dict.fromkeys((*_CLOUDS, "AOT", "WVP"), (512, 512)),
    ("cloudsen12-plus", "mask"): {"Data": (512, 512)},
    ("ssl4eo-s12", "s1"): dict.fromkeys(("VH", "VV"), _10M),
    **dict.fromkeys(
        (("ssl4eo-s12", "s2c"), ("ssl4eo-s12", "s2a")),
        dict.fromkeys(("B2", "B3", "B4", "B8"), _10M)
        | dict.fromkeys(("B5", "B6", "B7", "B8A", "B11", "B12"), _20M)
        | dict.fromkeys(("B1", "B9", "B10"), _60M),
    ),
    ("major-tom-core", "s1"): dict.fromkeys(("vh", "vv"), (1068, 1068)),
}

DEVIATIONS |= {
    ("ssl4eo-s12", "s1"): (3, _10M, (265, 264)),
    ("ssl4eo-s12", "s2c"): (3, _10M, (264, 263)),
    ("ssl4eo-s12", "s2a"): (3, _10M, (265, 264)),
    ("uc-merced", "rgb"): (47, (256, 256), (256, 255)),
    ("major-tom-core", "s1"): (4, (1068, 1068), (1424, 1424)),
}
# 44 of UC Merced's 2,100, about one in 47.
