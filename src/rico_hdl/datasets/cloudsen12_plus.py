"""CloudSEN12+: Sentinel-2 L1C and L2A patches with masks of clouds and their shadows.

Layout: code of users of release 1.1.2, which reads the samples `s2l1c`, `s2l2a` and `target`; band
order: Aybar et al., "CloudSEN12+: The largest dataset of expert-labeled pixels for cloud and cloud
shadow detection in Sentinel-2", Data in Brief 2024, and that of Earth Engine, from which it is. Not
tested with real files.
"""

from rico_hdl.spec import (
    Band,
    DatasetSpec,
    Download,
    KeyForm,
    Labels,
    LabelTable,
    Modality,
    Preset,
    Template,
)

_L1C_NAMES = (
    "B01", "B02", "B03", "B04", "B05", "B06", "B07",
    "B08", "B8A", "B09", "B10", "B11", "B12",
)  # fmt: skip
_L2A_NAMES = (
    "B01", "B02", "B03", "B04", "B05", "B06", "B07",
    "B08", "B8A", "B09", "B11", "B12", "AOT", "WVP",
)  # fmt: skip


SPEC = DatasetSpec(
    name="cloudsen12-plus",
    title="CloudSEN12+",
    summary=(
        "Sentinel-2 L1C and L2A patches all over the world, with masks of clouds and shadows."
    ),
    url="https://huggingface.co/datasets/tacofoundation/cloudsen12",
    topic="Sentinel-1 or Sentinel-2",
    keywords=("multispectral", "segmentation", "clouds"),
    licence="CC0-1.0",
    citation=(
        "C. Aybar, L. Bautista, D. Montero, J. Contreras, D. Ayala, F. Prudencio, J. Loja, L. "
        "Ysuhuaylas, F. Herrera, K. Gonzales, J. Valladares, L. A. Flores, E. Mamani, M. Quiñonez, "
        "R. Fajardo, W. Espinoza, A. Limas, R. Yali, A. Alcántara, M. Leyva, R. Loayza-Muro, B. "
        "Willems, G. Mateo-García, L. Gómez-Chova: CloudSEN12+: The largest dataset of "
        "expert-labeled pixels for cloud and cloud shadow detection in Sentinel-2. Data in Brief, "
        "2024."
    ),
    labels=Labels(
        tables=(
            LabelTable(
                "",
                (
                    KeyForm("l1c", "{id}_s2l1c"),
                    KeyForm("l2a", "{id}_s2l2a"),
                    KeyForm("mask", "{id}_target"),
                ),
                split="data_split",
            ),
        ),
    ),
    modalities=(
        Modality(
            name="l1c",
            title="Sentinel-2 L1C patches",
            option="--l1c-dir",
            files=Template.parse("{patch}/s2l1c.tif"),
            key=Template.parse("{patch}_s2l1c"),
            bands=tuple(Band(name, index=i) for i, name in enumerate(_L1C_NAMES, 1)),
            presets=(Preset("rgb", ("B04", "B03", "B02")),),
            folder="cloudsen12",
            downloads=(Download("cloudsen12-l1c.*.part.taco"),),
            example="ROI_00103/s2l1c.tif",
        ),
        Modality(
            name="l2a",
            title="Sentinel-2 L2A patches",
            option="--l2a-dir",
            files=Template.parse("{patch}/s2l2a.tif"),
            key=Template.parse("{patch}_s2l2a"),
            bands=tuple(Band(name, index=i) for i, name in enumerate(_L2A_NAMES, 1)),
            presets=(Preset("rgb", ("B04", "B03", "B02")),),
            folder="cloudsen12",
            downloads=(Download("cloudsen12-l2a.*.part.taco"),),
            example="ROI_00103/s2l2a.tif",
        ),
        Modality(
            name="mask",
            role="mask",
            title="masks of clouds",
            option="--mask-dir",
            files=Template.parse("{patch}/target.tif"),
            key=Template.parse("{patch}_target"),
            bands=(Band("Data"),),
            classes=("clear", "thick cloud", "thin cloud", "cloud shadow"),
            ignore=99,
            folder="cloudsen12",
            downloads=(Download("cloudsen12-l1c.*.part.taco"),),
            example="ROI_00103/target.tif",
        ),
    ),
    notes=(
        "Patches have 512 x 512 or 2048 x 2048 pixels, padded from 509 or 2000.",
        (
            "L2A has 14 bands according to users' code; the names of the last two, AOT and WVP, "
            "are those of Earth Engine's L2A."
        ),
        (
            "Users' code takes 99 in masks for no label. Masks are in the archives of L1C and of "
            "L2A."
        ),
        (
            "The archives called cloudsen12-extra, with other products' masks of clouds, are not "
            "converted."
        ),
        (
            "Splits (`data_split`) and types of labels (`label_type`) are in the footers of the "
            "archives."
        ),
        "No real file was at hand: no dtype is enforced.",
    ),
)
