"""SpaceNet 2 of GEO-Bench-2: WorldView tiles of cities with masks of buildings.

Layout and band order: GEO-Bench-2's code (The-AI-Alliance/GEO-Bench-2, `geobench_v2/
generate_benchmark/spacenet2.py` and `datasets/spacenet2.py`). Not tested with real files.
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

_SHAPE = (650, 650)
_DOWNLOADS = (
    Download("geobench_spacenet2.*.part.tortilla"),
    Download("geobench_spacenet2.tortilla"),
)
_WORLDVIEW_NAMES = ("Coastal", "Blue", "Green", "Yellow", "Red", "RedEdge", "NIR1", "NIR2")


SPEC = DatasetSpec(
    name="geo-bench-2-spacenet2",
    title="GEO-Bench-2 SpaceNet 2",
    summary="WorldView tiles of 650 x 650 pixels of four cities with masks of buildings.",
    url="https://huggingface.co/datasets/aialliance/spacenet2",
    topic="GEO-Bench-2",
    keywords=("VHR", "multispectral", "segmentation", "buildings"),
    citation=(
        "N. Simumba, N. Lehmann, P. Fraccaro, and others: GEO-Bench-2: From Performance to "
        "Capability, Rethinking Evaluation in Geospatial AI. 2025 (arXiv:2511.15658). Images: A. "
        "Van Etten, D. Lindenbaum, T. M. Bacastow: SpaceNet: A Remote Sensing Dataset and "
        "Challenge Series. 2018 (arXiv:1807.01232)."
    ),
    labels=Labels(
        tables=(
            LabelTable(
                "",
                (
                    KeyForm("worldview", "{id}_ps-ms"),
                    KeyForm("pan", "{id}_pan"),
                    KeyForm("mask", "{id}_semantic_mask"),
                    KeyForm("buildings", "{id}_instance_mask"),
                ),
                split="data_split",
            ),
        ),
    ),
    modalities=(
        Modality(
            name="worldview",
            title="pan-sharpened multispectral tiles",
            option="--worldview-dir",
            files=Template.parse("sample_{number:d}/ps-ms.tif"),
            key=Template.parse("sample_{number:d}_ps-ms"),
            bands=tuple(
                Band(name, index=i, shape=_SHAPE) for i, name in enumerate(_WORLDVIEW_NAMES, 1)
            ),
            presets=(Preset("rgb", ("Red", "Green", "Blue")),),
            folder="geobench_spacenet2",
            downloads=_DOWNLOADS,
            example="sample_0/ps-ms.tif",
        ),
        Modality(
            name="pan",
            title="panchromatic tiles",
            option="--pan-dir",
            files=Template.parse("sample_{number:d}/pan.tif"),
            key=Template.parse("sample_{number:d}_pan"),
            bands=(Band("Pan", shape=_SHAPE),),
            folder="geobench_spacenet2",
            downloads=_DOWNLOADS,
            example="sample_0/pan.tif",
        ),
        Modality(
            name="mask",
            role="mask",
            title="masks of buildings",
            option="--mask-dir",
            files=Template.parse("sample_{number:d}/semantic_mask.tif"),
            key=Template.parse("sample_{number:d}_semantic_mask"),
            bands=(Band("Data", shape=_SHAPE),),
            classes=("background", "building"),
            folder="geobench_spacenet2",
            downloads=_DOWNLOADS,
            example="sample_0/semantic_mask.tif",
        ),
        Modality(
            name="buildings",
            role="mask",
            title="masks of single buildings",
            option="--buildings-dir",
            files=Template.parse("sample_{number:d}/instance_mask.tif"),
            key=Template.parse("sample_{number:d}_instance_mask"),
            bands=(Band("Data", shape=_SHAPE),),
            folder="geobench_spacenet2",
            downloads=_DOWNLOADS,
            example="sample_0/instance_mask.tif",
        ),
    ),
    notes=(
        "Published as one file or in parts, depending on the revision.",
        "Splits are in the footer of the archive, by the ids that keys begin with.",
        (
            "No real file was at hand: names and bands are those of GEO-Bench-2's code; no dtype "
            "is enforced."
        ),
    ),
)
