"""EuroSAT, the RGB version: Sentinel-2 patches of 10 classes as JPEG files.

Band order: JPEG's own; Helber et al., "EuroSAT: A Novel Dataset and Deep Learning Benchmark for
Land Use and Land Cover Classification", JSTARS 2019 (arXiv:1709.00029). A real file was at hand.
"""

from rico_hdl.datasets.eurosat_multi_spectral import CLASSES
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

_SHAPE = (64, 64)

SPEC = DatasetSpec(
    name="eurosat-rgb",
    title="EuroSAT RGB",
    summary="Sentinel-2 patches of 64 x 64 pixels in true colour, in 10 land-use classes.",
    url="https://zenodo.org/records/7711810",
    topic="Sentinel-1 or Sentinel-2",
    keywords=("classification", "land cover"),
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
            name="rgb",
            title="Sentinel-2 patches in true colour",
            option="--dataset-dir",
            files=Template.parse("**/{class}/{class}_{number:d}.jpg", **{"class": "[A-Z]*"}),
            key=Template.parse("{class}_{number}"),
            bands=(
                Band("Red", index=1, shape=_SHAPE),
                Band("Green", index=2, shape=_SHAPE),
                Band("Blue", index=3, shape=_SHAPE),
            ),
            presets=(Preset("rgb", ("Red", "Green", "Blue")),),
            dtype="uint8",
            folder="EuroSAT_RGB",
            downloads=(
                Download("EuroSAT_RGB.zip", md5="f46e308c4d50d4bf32fedad2d3d62f3b"),
                Download("EuroSAT.zip", md5="c8fa014336c82ac7804f0398fcb19387"),
            ),
            example="AnnualCrop/AnnualCrop_1.jpg",
            n_published=27_000,
        ),
    ),
    notes=(
        "Keys are those of the multi-spectral version, so patches of both pair by their keys.",
        "Both published layouts are supported: EuroSAT_RGB/<class>/ and the older 2750/<class>/.",
    ),
)
