"""BioMassters of GEO-Bench-2: monthly Sentinel-1 and Sentinel-2 chips with above-ground biomass.

Layout: GEO-Bench-2's code (The-AI-Alliance/GEO-Bench-2, `geobench_v2/generate_benchmark/
biomassters.py`); band order: that of the files of BioMassters, which it copies. Not tested with
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

_SHAPE = (256, 256)
_DOWNLOADS = (Download("geobench_biomassters.0000.part.tortilla"),)
_S2_NAMES = ("B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B11", "B12", "CLP")


SPEC = DatasetSpec(
    name="geo-bench-2-biomassters",
    title="GEO-Bench-2 BioMassters",
    summary=("Monthly Sentinel-1 and Sentinel-2 chips of 256 x 256 pixels with forest biomass."),
    url="https://huggingface.co/datasets/aialliance/biomassters",
    topic="GEO-Bench-2",
    keywords=("SAR", "multispectral", "regression", "trees", "time series"),
    citation=(
        "N. Simumba, N. Lehmann, P. Fraccaro, and others: GEO-Bench-2: From Performance to "
        "Capability, Rethinking Evaluation in Geospatial AI. 2025 (arXiv:2511.15658). Images: A. "
        "Nascetti, R. Yadav, K. Brodt, and others: BioMassters: A Benchmark Dataset for Forest "
        "Biomass Estimation using Multi-modal Satellite Time-series. NeurIPS 2023 Datasets and "
        "Benchmarks."
    ),
    labels=Labels(
        tables=(
            LabelTable(
                "",
                (KeyForm("agbm", "{id}_AGBM"),),
                split="data_split",
            ),
        ),
    ),
    modalities=(
        Modality(
            name="s1",
            title="monthly Sentinel-1 chips",
            option="--s1-dir",
            files=Template.parse(
                "sample_{number:d}/{chip}_S1_{month}.tif", chip="[0-9a-f]*", month="[A-Z]*"
            ),
            key=Template.parse("sample_{number:d}_S1_{month}"),
            bands=tuple(
                Band(name, index=i, shape=_SHAPE)
                for i, name in enumerate(("VV_asc", "VH_asc", "VV_desc", "VH_desc"), 1)
            ),
            folder="geobench_biomassters",
            downloads=_DOWNLOADS,
            example="sample_12/51241122_S1_September.tif",
        ),
        Modality(
            name="s2",
            title="monthly Sentinel-2 chips",
            option="--s2-dir",
            files=Template.parse(
                "sample_{number:d}/{chip}_S2_{month}.tif", chip="[0-9a-f]*", month="[A-Z]*"
            ),
            key=Template.parse("sample_{number:d}_S2_{month}"),
            bands=tuple(Band(name, index=i, shape=_SHAPE) for i, name in enumerate(_S2_NAMES, 1)),
            presets=(Preset("rgb", ("B04", "B03", "B02")),),
            folder="geobench_biomassters",
            downloads=_DOWNLOADS,
            example="sample_12/51241122_S2_September.tif",
        ),
        Modality(
            name="agbm",
            title="above-ground biomass",
            option="--agbm-dir",
            files=Template.parse("sample_{number:d}/{chip}_AGBM.tif", chip="[0-9a-f]*"),
            key=Template.parse("sample_{number:d}_AGBM"),
            bands=(Band("AGBM", shape=_SHAPE),),
            folder="geobench_biomassters",
            downloads=_DOWNLOADS,
            example="sample_12/51241122_AGBM.tif",
        ),
    ),
    notes=(
        "GEO-Bench-2 uses the first part of a set alone: it is taken as complete.",
        "Each month is a patch with a key of its own; months of S2 may be missing.",
        (
            "A missing orbit of S1 is -9999 in its two bands. CLP is the probability of clouds in "
            "percent."
        ),
        "Splits are in the footer of the archive, by the ids that keys begin with.",
        (
            "No real file was at hand: names and bands are those of GEO-Bench-2's code; no dtype "
            "is enforced."
        ),
    ),
)
