"""TreeSatAI of GEO-Bench-2: aerial, Sentinel-1 and Sentinel-2 patches around forest plots.

Layout: files of the release's form, and GEO-Bench-2's code (The-AI-Alliance/GEO-Bench-2,
`geobench_v2/datasets/treesatai.py` and `sensor_util.py`), which also gives the order of bands.
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

_SHAPE = (304, 304)
_DOWNLOADS = (Download("geobench_treesatai.tortilla"),)
_S2_NAMES = ("B02", "B03", "B04", "B08", "B05", "B06", "B07", "B8A", "B11", "B12", "B01", "B09")

_CLASSES = (
    "Abies", "Acer", "Alnus", "Betula", "Cleared", "Fagus", "Fraxinus", "Larix", "Picea", "Pinus",
    "Populus", "Prunus", "Pseudotsuga", "Quercus", "Tilia",
)  # fmt: skip


SPEC = DatasetSpec(
    name="geo-bench-2-treesatai",
    title="GEO-Bench-2 TreeSatAI",
    summary=("Aerial, Sentinel-1 and Sentinel-2 patches of 304 x 304 pixels with tree species."),
    url="https://huggingface.co/datasets/aialliance/treesatai",
    topic="GEO-Bench-2",
    keywords=("SAR", "multispectral", "multi-label", "classification", "trees", "VHR"),
    citation=(
        "N. Simumba, N. Lehmann, P. Fraccaro, and others: GEO-Bench-2: From Performance to "
        "Capability, Rethinking Evaluation in Geospatial AI. 2025 (arXiv:2511.15658). Images: S. "
        "Ahlswede, C. Schulz, C. Gava, and others: TreeSatAI Benchmark Archive. Earth System "
        "Science Data, 2023."
    ),
    labels=Labels(
        classes=_CLASSES,
        kind="multi",
        tables=(
            LabelTable(
                "",
                (
                    KeyForm("aerial", "{id}_aerial"),
                    KeyForm("s1", "{id}_s1"),
                    KeyForm("s2", "{id}_s2"),
                ),
                label=("species_labels",),
                split="data_split",
            ),
        ),
    ),
    modalities=(
        Modality(
            name="aerial",
            title="aerial patches",
            option="--aerial-dir",
            files=Template.parse("sample_{number:d}/aerial.tif"),
            key=Template.parse("sample_{number:d}_aerial"),
            bands=tuple(
                Band(name, index=i, shape=_SHAPE)
                for i, name in enumerate(("NIR", "Green", "Blue", "Red"), 1)
            ),
            dtype="uint8",
            presets=(Preset("rgb", ("Red", "Green", "Blue")),),
            folder="geobench_treesatai",
            downloads=_DOWNLOADS,
            example="sample_1632/aerial.tif",
        ),
        Modality(
            name="s1",
            role="auxiliary",
            title="Sentinel-1 patches (damaged)",
            option="--s1-dir",
            files=Template.parse("sample_{number:d}/s1.tif"),
            key=Template.parse("sample_{number:d}_s1"),
            bands=tuple(
                Band(name, index=i, shape=_SHAPE) for i, name in enumerate(("VV", "VH", "VV/VH"), 1)
            ),
            dtype="uint16",
            folder="geobench_treesatai",
            downloads=_DOWNLOADS,
            example="sample_1632/s1.tif",
        ),
        Modality(
            name="s2",
            title="Sentinel-2 patches",
            option="--s2-dir",
            files=Template.parse("sample_{number:d}/s2.tif"),
            key=Template.parse("sample_{number:d}_s2"),
            bands=tuple(Band(name, index=i, shape=_SHAPE) for i, name in enumerate(_S2_NAMES, 1)),
            dtype="uint16",
            presets=(Preset("rgb", ("B04", "B03", "B02")),),
            folder="geobench_treesatai",
            downloads=_DOWNLOADS,
            example="sample_1632/s2.tif",
        ),
    ),
    notes=(
        (
            "The values of S1 are damaged: negative decibels were stored as uint16, and are near "
            "65,535. Use those of the original dataset."
        ),
        "S1 and S2 are enlarged to 304 x 304 pixels.",
        "`source_path` in the footer is the name of the files in the original dataset.",
        "Splits and labels are in the footer of the archive, by the ids that keys begin with.",
    ),
)
