"""Landslide4Sense: patches of Sentinel-2 with slope and elevation, and masks of landslides.

Layout: the publisher's repository. Bands: its authors, in issue 3 of
https://github.com/iarai/Landslide4Sense-2022. Ghorbanzadeh et al., "Landslide4Sense: Reference
Benchmark Data and Deep Learning Models for Landslide Detection", TGRS 2022. Not tested with files
of this release.
"""

from rico_hdl.spec import Arrays, Axis, Band, DatasetSpec, Labels, Modality, Preset, Template

_SHAPE = (128, 128)
_NAMES = (
    "B1", "B2", "B3", "B4", "B5", "B6", "B7", "B8", "B9", "B10", "B11", "B12", "slope", "DEM",
)  # fmt: skip

SPEC = DatasetSpec(
    name="landslide4sense",
    title="Landslide4Sense",
    summary="Sentinel-2 patches of 128 x 128 pixels with slope, elevation and landslide masks.",
    url="https://github.com/iarai/Landslide4Sense-2022",
    topic="Floods, fires and water",
    keywords=("multispectral", "segmentation", "landslides", "DEM", "HDF5"),
    citation=(
        "O. Ghorbanzadeh, Y. Xu, P. Ghamisi, M. Kopp, D. Kreil: Landslide4Sense: Reference "
        "Benchmark Data and Deep Learning Models for Landslide Detection. IEEE Transactions on "
        "Geoscience and Remote Sensing, 2022."
    ),
    labels=Labels(split="split"),
    modalities=(
        Modality(
            name="image",
            title="Sentinel-2 patches with slope and elevation",
            option="--image-dir",
            files=Template.parse("{split}Data/img/image_{number:d}.h5"),
            key=Template.parse("{split}_image_{number}"),
            bands=tuple(Band(name, index=i, shape=_SHAPE) for i, name in enumerate(_NAMES, 1)),
            arrays=Arrays("img", (Axis("y"), Axis("x"), Axis("band"))),
            presets=(Preset("rgb", ("B4", "B3", "B2")),),
            folder="Landslide4Sense",
            example="TrainData/img/image_1.h5",
        ),
        Modality(
            name="mask",
            title="masks of landslides",
            option="--mask-dir",
            files=Template.parse("{split}Data/mask/mask_{number:d}.h5"),
            key=Template.parse("{split}_mask_{number}"),
            bands=(Band("mask", shape=_SHAPE),),
            arrays=Arrays("mask", (Axis("y"), Axis("x"))),
            role="mask",
            classes=("background", "landslide"),
            folder="Landslide4Sense",
            example="TrainData/mask/mask_1.h5",
        ),
    ),
    notes=(
        "Numbers begin with 1 in each split, so keys begin with the split.",
        "B8A is absent: B9 follows B8. The last two bands are slope and elevation.",
        "No file was at hand, and no dtype is enforced. The images are said to be float64.",
    ),
)
