"""CloudSEN12+ of GEO-Bench-2: a selection of its Sentinel-2 L2A patches, with masks of clouds.

Layout: GEO-Bench-2's code (The-AI-Alliance/GEO-Bench-2, `geobench_v2/generate_benchmark/
cloudsen12.py`), which copies samples of CloudSEN12+; see `cloudsen12_plus`. Not tested with real
files.
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

_SHAPE = (512, 512)
_DOWNLOADS = (Download("geobench_cloudsen12.tortilla"),)
_S2_NAMES = (
    "B01", "B02", "B03", "B04", "B05", "B06", "B07",
    "B08", "B8A", "B09", "B11", "B12", "AOT", "WVP",
)  # fmt: skip


SPEC = DatasetSpec(
    name="geo-bench-2-cloudsen12",
    title="GEO-Bench-2 CloudSEN12",
    summary="Sentinel-2 L2A patches of 512 x 512 pixels with masks of clouds.",
    url="https://huggingface.co/datasets/aialliance/cloudsen12",
    topic="GEO-Bench-2",
    keywords=("multispectral", "segmentation", "clouds"),
    citation=(
        "N. Simumba, N. Lehmann, P. Fraccaro, and others: GEO-Bench-2: From Performance to "
        "Capability, Rethinking Evaluation in Geospatial AI. 2025 (arXiv:2511.15658). Images: C. "
        "Aybar, L. Bautista, D. Montero, and others: CloudSEN12+: The largest dataset of "
        "expert-labeled pixels for cloud and cloud shadow detection in Sentinel-2. Data in Brief, "
        "2024."
    ),
    labels=Labels(
        tables=(
            LabelTable(
                "",
                (
                    KeyForm("s2", "{id}_s2l2a"),
                    KeyForm("clouds", "{id}_target"),
                ),
                split="data_split",
            ),
        ),
    ),
    modalities=(
        Modality(
            name="s2",
            title="Sentinel-2 L2A patches",
            option="--s2-dir",
            files=Template.parse("{patch}/s2l2a.tif"),
            key=Template.parse("{patch}_s2l2a"),
            bands=tuple(Band(name, index=i, shape=_SHAPE) for i, name in enumerate(_S2_NAMES, 1)),
            presets=(Preset("rgb", ("B04", "B03", "B02")),),
            folder="geobench_cloudsen12",
            downloads=_DOWNLOADS,
            example="ROI_00103/s2l2a.tif",
        ),
        Modality(
            name="clouds",
            role="mask",
            title="masks of clouds",
            option="--clouds-dir",
            files=Template.parse("{patch}/target.tif"),
            key=Template.parse("{patch}_target"),
            bands=(Band("Data", shape=_SHAPE),),
            classes=("clear", "thick cloud", "thin cloud", "cloud shadow"),
            ignore=99,
            folder="geobench_cloudsen12",
            downloads=_DOWNLOADS,
            example="ROI_00103/target.tif",
        ),
    ),
    notes=(
        (
            "L2A has 14 bands according to users' code; the names of the last two, AOT and WVP, "
            "are those of Earth Engine's L2A."
        ),
        "Users' code takes 99 in masks for no label.",
        "Splits are in the footer of the archive, by the ids that keys begin with.",
        (
            "No real file was at hand: names and bands are those of GEO-Bench-2's code; no dtype "
            "is enforced."
        ),
    ),
)
