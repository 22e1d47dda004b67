"""SSL4EO-L: Landsat products of three sensors at the same 250,000 places.

Layout, names of archives and band order: torchgeo's reader and the scripts with which its authors
made the dataset; Stewart et al., "SSL4EO-L: Datasets and Foundation Models for Landsat Imagery",
NeurIPS 2023 (arXiv:2306.09424). Not tested with real files.
"""

from rico_hdl.spec import Band, DatasetSpec, Download, Modality, Preset, Template

_SHAPE = (264, 264)
_TO_B7 = ("B1", "B2", "B3", "B4", "B5", "B6", "B7")
_ETM_TOA = ("B1", "B2", "B3", "B4", "B5", "B6_VCID_1", "B6_VCID_2", "B7", "B8")
_ETM_SR = ("B1", "B2", "B3", "B4", "B5", "B7")
_TM_RGB, _OLI_RGB = Preset("rgb", ("B3", "B2", "B1")), Preset("rgb", ("B4", "B3", "B2"))


def _modality(  # noqa: PLR0913, PLR0917 - all of one modality
    name: str, title: str, names: tuple[str, ...], rgb: Preset, scenes: str, example: str
) -> Modality:
    split = name.replace("-", "_")
    return Modality(
        name=name,
        title=title,
        option=f"--{name}-dir",
        files=Template.parse("{location:7d}/{scene}/all_bands.tif", scene=scenes),
        # Splits of a sensor hold the same locations and scenes.
        key=Template.parse(f"{split}_{{location:7d}}_{{scene}}"),
        bands=tuple(Band(band, index=i, shape=_SHAPE) for i, band in enumerate(names, 1)),
        presets=(rgb,),
        folder=f"ssl4eo_l_{split}",
        downloads=(Download(f"ssl4eo_l_{split}.tar.gz*"),),
        example=f"0000002/{example}/all_bands.tif",
    )


SPEC = DatasetSpec(
    name="ssl4eo-l",
    title="SSL4EO-L",
    summary="Landsat 5, 7, 8 and 9 products of 264 x 264 pixels, four seasons at each location.",
    url="https://huggingface.co/datasets/torchgeo/ssl4eo_l",
    topic="Landsat",
    keywords=("multispectral", "pre-training"),
    citation=(
        "A. J. Stewart, N. Lehmann, I. A. Corley, Y. Wang, Y.-C. Chang, N. A. Ait Ali Braham, "
        "S. Sehgal, C. Robinson, A. Banerjee: SSL4EO-L: Datasets and Foundation Models for Landsat "
        "Imagery. NeurIPS 2023 Datasets and Benchmarks."
    ),
    modalities=(
        _modality(
            "tm-toa", "Landsat 5 TM products, top of atmosphere", _TO_B7,
            _TM_RGB, "LT*", "LT05_172034_20100526",
        ),
        _modality(
            "etm-toa", "Landsat 7 ETM+ products, top of atmosphere", _ETM_TOA,
            _TM_RGB, "LE*", "LE07_172034_20010526",
        ),
        _modality(
            "etm-sr", "Landsat 7 ETM+ products, surface reflectance", _ETM_SR,
            _TM_RGB, "LE*", "LE07_172034_20010526",
        ),
        _modality(
            "oli-tirs-toa", "Landsat 8-9 OLI and TIRS products, top of atmosphere",
            (*_TO_B7, "B8", "B9", "B10", "B11"), _OLI_RGB, "L[CO]*", "LC08_172034_20210526",
        ),
        _modality(
            "oli-sr", "Landsat 8-9 OLI products, surface reflectance", _TO_B7,
            _OLI_RGB, "L[CO]*", "LC08_172034_20210526",
        ),
    ),
    notes=(
        "Values are bytes: the authors scaled each split from reflectance and temperature.",
        (
            "ETM+ at the top of the atmosphere has the thermal band at two gains, B6_VCID_1 and "
            "B6_VCID_2."
        ),
        "Thermal and panchromatic bands are resampled to 30 m.",
        "metadata.json next to each product is not converted.",
        "No real file was at hand: bands and names are torchgeo's, and no dtype is enforced.",
    ),
)  # fmt: skip
