"""HLS Burn Scars of GEO-Bench-2: HLS chips of burnt areas with masks.

Layout and band order: GEO-Bench-2's code (The-AI-Alliance/GEO-Bench-2, `geobench_v2/
generate_benchmark/burn_scars.py` and `datasets/burn_scars.py`). Not tested with real files.
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
_DOWNLOADS = (Download("geobench_burn_scars.tortilla"),)


SPEC = DatasetSpec(
    name="geo-bench-2-burn-scars",
    title="GEO-Bench-2 Burn Scars",
    summary="HLS chips of 512 x 512 pixels and 6 bands with masks of burnt areas.",
    url="https://huggingface.co/datasets/aialliance/burn_scars",
    topic="GEO-Bench-2",
    keywords=("multispectral", "segmentation", "fires", "HLS"),
    citation=(
        "N. Simumba, N. Lehmann, P. Fraccaro, and others: GEO-Bench-2: From Performance to "
        "Capability, Rethinking Evaluation in Geospatial AI. 2025 (arXiv:2511.15658). Images: C. "
        "Phillips, S. Roy, K. Ankur, R. Ramachandran: HLS Foundation Burnscars Dataset. 2023."
    ),
    labels=Labels(
        tables=(
            LabelTable(
                "",
                (
                    KeyForm("hls", "{id}_image"),
                    KeyForm("mask", "{id}_label"),
                ),
                split="data_split",
            ),
        ),
    ),
    modalities=(
        Modality(
            name="hls",
            title="HLS chips",
            option="--hls-dir",
            files=Template.parse("sample_{number:d}/image.tif"),
            key=Template.parse("sample_{number:d}_image"),
            bands=tuple(
                Band(name, index=i, shape=_SHAPE)
                for i, name in enumerate(("B02", "B03", "B04", "B8A", "B11", "B12"), 1)
            ),
            presets=(Preset("rgb", ("B04", "B03", "B02")),),
            folder="geobench_burn_scars",
            downloads=_DOWNLOADS,
            example="sample_0/image.tif",
        ),
        Modality(
            name="mask",
            role="mask",
            title="masks of burn scars",
            option="--mask-dir",
            files=Template.parse("sample_{number:d}/label.tif"),
            key=Template.parse("sample_{number:d}_label"),
            bands=(Band("Data", shape=_SHAPE),),
            classes=("background", "burn scar"),
            ignore=-1,
            folder="geobench_burn_scars",
            downloads=_DOWNLOADS,
            example="sample_0/label.tif",
        ),
    ),
    notes=(
        "Pixels of the mask that are -1 have no class.",
        "Splits are in the footer of the archive, by the ids that keys begin with.",
        (
            "No real file was at hand: names and bands are those of GEO-Bench-2's code; no dtype "
            "is enforced."
        ),
    ),
)
