"""Kuro Siwo (GRD): Sentinel-1 patches before and after floods, with masks of water.

Layout: the publisher's repository; Bountos et al., "Kuro Siwo: 33 billion m2 under the water. A
global multi-temporal satellite dataset for rapid flood mapping", NeurIPS 2024 (arXiv:2311.12056).
Not tested with real files.
"""

from rico_hdl.spec import Band, DatasetSpec, Modality, Template

_SHAPE = (224, 224)
_FOLDERS, _TAIL = "**/{event:d}/{aoi:2d}/{patch}/", "_{event:d}_{aoi:2d}_{date:8d}.tif"
_KEY = "{event:d}_{aoi:2d}_{patch}_"
_EXAMPLE, _EXAMPLE_TAIL = "1111013/01/grid_0", "_1111013_01_20170504.tif"


def _image(name: str, title: str) -> Modality:
    word = name.upper()
    return Modality(
        name=name,
        title=title,
        option=f"--{name}-dir",
        files=Template.parse(f"{_FOLDERS}{word}_{{band}}{_TAIL}"),
        key=Template.parse(f"{_KEY}{word}"),
        bands=(Band("VV", "IVV", shape=_SHAPE), Band("VH", "IVH", shape=_SHAPE)),
        folder="KuroSiwo",
        example=f"{_EXAMPLE}/{word}_IVV{_EXAMPLE_TAIL}",
    )


def _layer(name: str, title: str, band: str) -> Modality:
    return Modality(
        name=name,
        title=title,
        option=f"--{name}-dir",
        files=Template.parse(f"{_FOLDERS}MK0_{band}{_TAIL}"),
        key=Template.parse(f"{_KEY}{band}"),
        bands=(Band(band, shape=_SHAPE),),
        role="mask" if name in {"mlu", "mna"} else "auxiliary",
        folder="KuroSiwo",
        example=f"{_EXAMPLE}/MK0_{band}{_EXAMPLE_TAIL}",
    )


SPEC = DatasetSpec(
    name="kuro-siwo",
    title="Kuro Siwo",
    summary="Sentinel-1 patches of 224 x 224 pixels before and after floods, with masks.",
    url="https://github.com/Orion-AI-Lab/KuroSiwo",
    topic="Floods, fires and water",
    keywords=("SAR", "segmentation", "elevation", "time series"),
    licence="CC-BY",
    citation=(
        "N. I. Bountos, M. Sdraka, A. Zavras, I. Karasante, A. Karavias, T. Herekakis, "
        "A. Thanasou, D. Michail, I. Papoutsis: Kuro Siwo: 33 billion m2 under the water. A global "
        "multi-temporal satellite dataset for rapid flood mapping. NeurIPS 2024 Datasets and "
        "Benchmarks."
    ),
    modalities=(
        _image("ms1", "Sentinel-1 patches after the flood"),
        _image("sl1", "Sentinel-1 patches before the flood, the later of two"),
        _image("sl2", "Sentinel-1 patches before the flood, the earlier of two"),
        _layer("mlu", "masks of water", "MLU"),
        _layer("mna", "masks of valid pixels", "MNA"),
        _layer("dem", "elevation", "DEM"),
        _layer("slope", "slope", "SLOPE"),
    ),
    notes=(
        "SL1 is the later of the two images before the flood, SL2 the earlier.",
        "MLU is 0 (no water), 1 (permanent water) or 2 (flood).",
        (
            "The publisher's script renames the archives to numbers, so they have no names by "
            "which a folder's archives are found: name them one by one."
        ),
        "Splits are by event, in the publisher's pickles, which rico-hdl never loads.",
        "No real file was at hand: bands and names are the publisher's; no dtype is enforced.",
    ),
)
