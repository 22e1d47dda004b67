"""Fields of The World of GEO-Bench-2: Sentinel-2 patches of two seasons with masks of fields.

Layout and band order: GEO-Bench-2's code (The-AI-Alliance/GEO-Bench-2, `geobench_v2/
generate_benchmark/fotw.py` and `datasets/fotw.py`). Not tested with real files.
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

_SHAPE = (256, 256)
_DOWNLOADS = (Download("geobench_fotw.tortilla"),)


SPEC = DatasetSpec(
    name="geo-bench-2-fotw",
    title="GEO-Bench-2 Fields of The World",
    summary="Sentinel-2 patches of 256 x 256 pixels of two seasons with masks of fields.",
    url="https://huggingface.co/datasets/aialliance/fotw",
    topic="GEO-Bench-2",
    keywords=("multispectral", "segmentation", "agriculture"),
    citation=(
        "N. Simumba, N. Lehmann, P. Fraccaro, and others: GEO-Bench-2: From Performance to "
        "Capability, Rethinking Evaluation in Geospatial AI. 2025 (arXiv:2511.15658). Images: H. "
        "Kerner, S. Chaudhari, A. Ghosh, and others: Fields of The World: A Machine Learning "
        "Benchmark Dataset for Global Agricultural Field Boundary Segmentation. AAAI 2025."
    ),
    labels=Labels(
        tables=(
            LabelTable(
                "",
                (
                    KeyForm("window-a", "{id}_win_a"),
                    KeyForm("window-b", "{id}_win_b"),
                    KeyForm("instances", "{id}_instance_mask"),
                    KeyForm("mask", "{id}_semantic_3class_mask"),
                ),
                split="data_split",
            ),
        ),
    ),
    modalities=(
        Modality(
            name="window-a",
            title="Sentinel-2 patches of the first season",
            option="--window-a-dir",
            files=Template.parse("sample_{number:d}/win_a.tif"),
            key=Template.parse("sample_{number:d}_win_a"),
            bands=tuple(
                Band(name, index=i, shape=_SHAPE)
                for i, name in enumerate(("Red", "Green", "Blue", "NIR"), 1)
            ),
            presets=(Preset("rgb", ("Red", "Green", "Blue")),),
            folder="geobench_fotw",
            downloads=_DOWNLOADS,
            example="sample_0/win_a.tif",
        ),
        Modality(
            name="window-b",
            title="Sentinel-2 patches of the second season",
            option="--window-b-dir",
            files=Template.parse("sample_{number:d}/win_b.tif"),
            key=Template.parse("sample_{number:d}_win_b"),
            bands=tuple(
                Band(name, index=i, shape=_SHAPE)
                for i, name in enumerate(("Red", "Green", "Blue", "NIR"), 1)
            ),
            presets=(Preset("rgb", ("Red", "Green", "Blue")),),
            folder="geobench_fotw",
            downloads=_DOWNLOADS,
            example="sample_0/win_b.tif",
        ),
        Modality(
            name="instances",
            role="mask",
            title="masks of single fields",
            option="--instances-dir",
            files=Template.parse("sample_{number:d}/instance_mask.tif"),
            key=Template.parse("sample_{number:d}_instance_mask"),
            bands=(Band("Data", shape=_SHAPE),),
            folder="geobench_fotw",
            downloads=_DOWNLOADS,
            example="sample_0/instance_mask.tif",
        ),
        Modality(
            name="mask",
            role="mask",
            title="masks of fields and boundaries",
            option="--mask-dir",
            files=Template.parse("sample_{number:d}/semantic_3class_mask.tif"),
            key=Template.parse("sample_{number:d}_semantic_3class_mask"),
            bands=(Band("Data", shape=_SHAPE),),
            classes=("background", "field", "field boundary"),
            folder="geobench_fotw",
            downloads=_DOWNLOADS,
            example="sample_0/semantic_3class_mask.tif",
        ),
    ),
    notes=(
        "GEO-Bench-2 stored the numbers of single fields as bytes: those above 255 are lost.",
        "Splits are in the footer of the archive, by the ids that keys begin with.",
        (
            "No real file was at hand: names and bands are those of GEO-Bench-2's code; no dtype "
            "is enforced."
        ),
    ),
)
