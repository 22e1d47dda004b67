"""DynamicEarthNet of GEO-Bench-2: daily Planet images of a month with Sentinel-1, -2 and labels.

Layout and the order of Planet's bands: GEO-Bench-2's code (The-AI-Alliance/GEO-Bench-2,
`geobench_v2/generate_benchmark/dynamic_earthnet.py` and `datasets/sensor_util.py`). Not tested with
real files.
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
_DOWNLOADS = (
    Download("geobench_dynamic_earthnet.0000.part.tortilla"),
    Download("geobench_dynamic_earthnet.0001.part.tortilla"),
    Download("geobench_dynamic_earthnet.0002.part.tortilla"),
)
_S1_NAMES = ("S1_1", "S1_2", "S1_3", "S1_4", "S1_5", "S1_6", "S1_7", "S1_8")
_S2_NAMES = (
    "S2_1", "S2_2", "S2_3", "S2_4", "S2_5", "S2_6",
    "S2_7", "S2_8", "S2_9", "S2_10", "S2_11", "S2_12",
)  # fmt: skip


SPEC = DatasetSpec(
    name="geo-bench-2-dynamic-earthnet",
    title="GEO-Bench-2 DynamicEarthNet",
    summary=("Daily Planet images of 512 x 512 pixels with Sentinel-1, Sentinel-2 and land cover."),
    url="https://huggingface.co/datasets/aialliance/dynamic_earthnet",
    topic="GEO-Bench-2",
    keywords=("SAR", "multispectral", "segmentation", "time series", "Planet"),
    citation=(
        "N. Simumba, N. Lehmann, P. Fraccaro, and others: GEO-Bench-2: From Performance to "
        "Capability, Rethinking Evaluation in Geospatial AI. 2025 (arXiv:2511.15658). Images: A. "
        "Toker, L. Kondmann, M. Weber, and others: DynamicEarthNet: Daily Multi-Spectral Satellite "
        "Dataset for Semantic Change Segmentation. CVPR 2022."
    ),
    labels=Labels(
        tables=(
            LabelTable(
                "",
                (
                    KeyForm("label", "{id}_label"),
                    KeyForm("s1", "{id}_s1"),
                    KeyForm("s2", "{id}_s2"),
                ),
                split="data_split",
            ),
        ),
    ),
    modalities=(
        Modality(
            name="planet",
            title="daily Planet images",
            option="--planet-dir",
            files=Template.parse("sample_{number:d}/planet_{day:d}.tif"),
            key=Template.parse("sample_{number:d}_planet_{day:d}"),
            time="day",
            bands=tuple(
                Band(name, index=i, shape=_SHAPE)
                for i, name in enumerate(("Blue", "Green", "Red", "NIR"), 1)
            ),
            presets=(Preset("rgb", ("Red", "Green", "Blue")),),
            folder="geobench_dynamic_earthnet",
            downloads=_DOWNLOADS,
            example="sample_0/planet_0.tif",
        ),
        Modality(
            name="s1",
            title="Sentinel-1 images of the month",
            option="--s1-dir",
            files=Template.parse("sample_{number:d}/s1.tif"),
            key=Template.parse("sample_{number:d}_s1"),
            bands=tuple(Band(name, index=i, shape=_SHAPE) for i, name in enumerate(_S1_NAMES, 1)),
            folder="geobench_dynamic_earthnet",
            downloads=_DOWNLOADS,
            example="sample_0/s1.tif",
        ),
        Modality(
            name="s2",
            title="Sentinel-2 images of the month",
            option="--s2-dir",
            files=Template.parse("sample_{number:d}/s2.tif"),
            key=Template.parse("sample_{number:d}_s2"),
            bands=tuple(Band(name, index=i, shape=_SHAPE) for i, name in enumerate(_S2_NAMES, 1)),
            folder="geobench_dynamic_earthnet",
            downloads=_DOWNLOADS,
            example="sample_0/s2.tif",
        ),
        Modality(
            name="label",
            role="mask",
            title="masks of land cover",
            option="--label-dir",
            files=Template.parse("sample_{number:d}/label.tif"),
            key=Template.parse("sample_{number:d}_label"),
            bands=(Band("Data", shape=_SHAPE),),
            classes=(
                "impervious surface",
                "agriculture",
                "forest and other vegetation",
                "wetlands",
                "soil",
                "water",
                "snow and ice",
            ),
            folder="geobench_dynamic_earthnet",
            downloads=_DOWNLOADS,
            example="sample_0/label.tif",
        ),
    ),
    notes=(
        (
            "The bands of S1 and S2 are numbered, since their order is not documented "
            "(aysim/dynnet issue 10). GEO-Bench-2's code takes those of S2 for B01 to B12 without "
            "B09."
        ),
        "Days count from 0 in the order of dates.",
        "Splits are in the footer of the archive, by the ids that keys begin with.",
        (
            "No real file was at hand: names and bands are those of GEO-Bench-2's code; no dtype "
            "is enforced."
        ),
    ),
)
