"""Kuro Siwo of GEO-Bench-2: Sentinel-1 patches before and after floods, with masks of water.

Layout and band order: GEO-Bench-2's code (The-AI-Alliance/GEO-Bench-2, `geobench_v2/
generate_benchmark/kuro_siwo.py` and `datasets/kuro_siwo.py`). Not tested with real files.
"""

from rico_hdl.spec import (
    Band,
    DatasetSpec,
    Download,
    KeyForm,
    Labels,
    LabelTable,
    Modality,
    Template,
)

_SHAPE = (224, 224)
_DOWNLOADS = (Download("geobench_kuro_siwo.tortilla"),)


SPEC = DatasetSpec(
    name="geo-bench-2-kuro-siwo",
    title="GEO-Bench-2 Kuro Siwo",
    summary=("Sentinel-1 patches of 224 x 224 pixels before and after floods with masks of water."),
    url="https://huggingface.co/datasets/aialliance/kuro_siwo",
    topic="GEO-Bench-2",
    keywords=("SAR", "segmentation", "floods", "elevation", "time series"),
    citation=(
        "N. Simumba, N. Lehmann, P. Fraccaro, and others: GEO-Bench-2: From Performance to "
        "Capability, Rethinking Evaluation in Geospatial AI. 2025 (arXiv:2511.15658). Images: N. "
        "I. Bountos, M. Sdraka, A. Zavras, and others: Kuro Siwo: 33 billion m2 under the water. "
        "NeurIPS 2024 Datasets and Benchmarks."
    ),
    labels=Labels(
        tables=(
            LabelTable(
                "",
                (
                    KeyForm("pre-event-1", "{id}_pre_event_1"),
                    KeyForm("pre-event-2", "{id}_pre_event_2"),
                    KeyForm("post-event", "{id}_post_event"),
                    KeyForm("dem", "{id}_dem"),
                    KeyForm("mask", "{id}_mask"),
                    KeyForm("invalid-data", "{id}_invalid_data"),
                ),
                split="data_split",
            ),
        ),
    ),
    modalities=(
        Modality(
            name="pre-event-1",
            title="Sentinel-1 patches before the flood, the earlier of two",
            option="--pre-event-1-dir",
            files=Template.parse("{number:d}/pre_event_1.tif"),
            key=Template.parse("{number:d}_pre_event_1"),
            bands=tuple(
                Band(name, index=i, shape=_SHAPE) for i, name in enumerate(("VV", "VH"), 1)
            ),
            folder="geobench_kuro_siwo",
            downloads=_DOWNLOADS,
            example="100/pre_event_1.tif",
        ),
        Modality(
            name="pre-event-2",
            title="Sentinel-1 patches before the flood, the later of two",
            option="--pre-event-2-dir",
            files=Template.parse("{number:d}/pre_event_2.tif"),
            key=Template.parse("{number:d}_pre_event_2"),
            bands=tuple(
                Band(name, index=i, shape=_SHAPE) for i, name in enumerate(("VV", "VH"), 1)
            ),
            folder="geobench_kuro_siwo",
            downloads=_DOWNLOADS,
            example="100/pre_event_2.tif",
        ),
        Modality(
            name="post-event",
            title="Sentinel-1 patches after the flood",
            option="--post-event-dir",
            files=Template.parse("{number:d}/post_event.tif"),
            key=Template.parse("{number:d}_post_event"),
            bands=tuple(
                Band(name, index=i, shape=_SHAPE) for i, name in enumerate(("VV", "VH"), 1)
            ),
            folder="geobench_kuro_siwo",
            downloads=_DOWNLOADS,
            example="100/post_event.tif",
        ),
        Modality(
            name="dem",
            role="auxiliary",
            title="elevation",
            option="--dem-dir",
            files=Template.parse("{number:d}/dem.tif"),
            key=Template.parse("{number:d}_dem"),
            bands=(Band("DEM", shape=_SHAPE),),
            folder="geobench_kuro_siwo",
            downloads=_DOWNLOADS,
            example="100/dem.tif",
        ),
        Modality(
            name="mask",
            role="mask",
            title="masks of water",
            option="--mask-dir",
            files=Template.parse("{number:d}/mask.tif"),
            key=Template.parse("{number:d}_mask"),
            bands=(Band("Data", shape=_SHAPE),),
            classes=("no water", "permanent water", "flood", "no data"),
            ignore=3,
            folder="geobench_kuro_siwo",
            downloads=_DOWNLOADS,
            example="100/mask.tif",
        ),
        Modality(
            name="invalid-data",
            role="auxiliary",
            title="masks of valid pixels",
            option="--invalid-data-dir",
            files=Template.parse("{number:d}/invalid_data.tif"),
            key=Template.parse("{number:d}_invalid_data"),
            bands=(Band("Data", shape=_SHAPE),),
            folder="geobench_kuro_siwo",
            downloads=_DOWNLOADS,
            example="100/invalid_data.tif",
        ),
    ),
    notes=(
        "Ids are numbers, and so is the beginning of each key.",
        "Splits are in the footer of the archive, by the ids that keys begin with.",
        (
            "No real file was at hand: names and bands are those of GEO-Bench-2's code; no dtype "
            "is enforced."
        ),
    ),
)
