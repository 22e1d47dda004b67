"""FLAIR #2 of GEO-Bench-2: aerial patches with elevation and masks of land cover.

Layout and band order: GEO-Bench-2's code (The-AI-Alliance/GEO-Bench-2, `geobench_v2/
generate_benchmark/flair2.py` and `datasets/flair2.py`). Not tested with real files.
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
_DOWNLOADS = (Download("geobench_flair2.tortilla"),)


SPEC = DatasetSpec(
    name="geo-bench-2-flair2",
    title="GEO-Bench-2 FLAIR #2",
    summary="Aerial patches of 512 x 512 pixels with elevation and masks of land cover.",
    url="https://huggingface.co/datasets/aialliance/flair2",
    topic="GEO-Bench-2",
    keywords=("VHR", "segmentation", "infrared"),
    citation=(
        "N. Simumba, N. Lehmann, P. Fraccaro, and others: GEO-Bench-2: From Performance to "
        "Capability, Rethinking Evaluation in Geospatial AI. 2025 (arXiv:2511.15658). Images: A. "
        "Garioud, N. Gonthier, L. Landrieu, and others: FLAIR: a Country-Scale Land Cover Semantic "
        "Segmentation Dataset From Multi-Source Optical Imagery. NeurIPS 2023 Datasets and "
        "Benchmarks."
    ),
    labels=Labels(
        tables=(
            LabelTable(
                "",
                (
                    KeyForm("aerial", "{id}_aerial"),
                    KeyForm("mask", "{id}_mask"),
                ),
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
                for i, name in enumerate(("Red", "Green", "Blue", "NIR", "Elevation"), 1)
            ),
            presets=(Preset("rgb", ("Red", "Green", "Blue")),),
            folder="geobench_flair2",
            downloads=_DOWNLOADS,
            example="sample_0/aerial.tif",
        ),
        Modality(
            name="mask",
            role="mask",
            title="masks of land cover",
            option="--mask-dir",
            files=Template.parse("sample_{number:d}/mask.tif"),
            key=Template.parse("sample_{number:d}_mask"),
            bands=(Band("Data", shape=_SHAPE),),
            folder="geobench_flair2",
            downloads=_DOWNLOADS,
            example="sample_0/mask.tif",
        ),
    ),
    notes=(
        "Classes of the masks are 1 to 19; GEO-Bench-2 joins those from 13 on.",
        "Splits are in the footer of the archive, by the ids that keys begin with.",
        (
            "No real file was at hand: names and bands are those of GEO-Bench-2's code; no dtype "
            "is enforced."
        ),
    ),
)
