"""EuroSAT, the multi-spectral version: Sentinel-2 L1C patches of 10 classes.

Band order: Helber et al., "EuroSAT: A Novel Dataset and Deep Learning Benchmark for Land Use and
Land Cover Classification", JSTARS 2019 (arXiv:1709.00029); the narrow near-infrared band is stored
last, and the original rico-hdl names it B08A.
"""

from rico_hdl.spec import (
    Band,
    DatasetSpec,
    Download,
    Labels,
    LabelTable,
    Modality,
    Preset,
    Template,
)

_NAMES = (
    "B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B09", "B10", "B11", "B12", "B08A",
)  # fmt: skip

# The files hold all bands at 10 m; presets are named after the bands' native resolution.
_PRESETS = (
    Preset("rgb", ("B04", "B03", "B02")),
    Preset("10m", ("B02", "B03", "B04", "B08")),
    Preset("20m", ("B05", "B06", "B07", "B08A", "B11", "B12")),
    Preset("60m", ("B01", "B09", "B10")),
)

CLASSES = (
    "AnnualCrop", "Forest", "HerbaceousVegetation", "Highway", "Industrial", "Pasture",
    "PermanentCrop", "Residential", "River", "SeaLake",
)  # fmt: skip
"""Helber et al., figure 2; the names of the folders, in alphabetical order."""

SPEC = DatasetSpec(
    name="eurosat-multi-spectral",
    title="EuroSAT multi-spectral",
    summary="Sentinel-2 L1C patches of 64 x 64 pixels and 13 bands in 10 land-use classes.",
    url="https://github.com/phelber/EuroSAT",
    topic="Sentinel-1 or Sentinel-2",
    keywords=("multispectral", "classification", "land cover"),
    licence="MIT",
    citation=(
        "P. Helber, B. Bischke, A. Dengel, D. Borth: EuroSAT: A Novel Dataset and Deep Learning "
        "Benchmark for Land Use and Land Cover Classification. IEEE JSTARS 2019."
    ),
    labels=Labels(
        "class",
        CLASSES,
        tables=(
            LabelTable("eurosat-{split}.txt", row="{class}_{number:d}.{extension}", split="split"),
        ),
    ),
    modalities=(
        Modality(
            name="s2",
            title="Sentinel-2 L1C patches",
            option="--dataset-dir",
            files=Template.parse("**/{class}/{class}_{number:d}.tif"),
            key=Template.parse("{class}_{number}"),
            bands=tuple(
                Band(name, index=i, shape=(64, 64), aliases=("B8A",) if name == "B08A" else ())
                for i, name in enumerate(_NAMES, 1)
            ),
            presets=_PRESETS,
            dtype="uint16",
            folder="EuroSAT_MS",
            downloads=(
                Download("EuroSAT_MS.zip", md5="091174add3c8e680a49244acf185b9f0"),
                Download("EuroSATallBands.zip", md5="5ac12b3b2557aa56e1826e981e8e200e"),
            ),
            example="AnnualCrop/AnnualCrop_1.tif",
            n_published=27_000,
        ),
    ),
    notes=(
        (
            "B08A is the narrow near-infrared band, elsewhere called B8A; it is the last band in "
            "the files."
        ),
        (
            "Both published layouts are supported: EuroSAT_MS/<class>/ and the older "
            "ds/images/remote_sensing/otherDatasets/sentinel_2/tif/<class>/."
        ),
    ),
    is_original=True,
)
