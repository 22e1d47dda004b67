"""The SSL4EO-L benchmark: Landsat products with masks of crops (CDL) and land cover (NLCD).

Layout, names of archives, checksums and band order: torchgeo's reader; Stewart et al., "SSL4EO-L:
Datasets and Foundation Models for Landsat Imagery", NeurIPS 2023 (arXiv:2306.09424). Not tested
with real files.
"""

from rico_hdl.spec import Band, DatasetSpec, Download, Modality, Preset, Template

_SHAPE = (264, 264)
_N_PUBLISHED = 25_000
_TO_B7 = ("B1", "B2", "B3", "B4", "B5", "B6", "B7")
_ETM_TOA = ("B1", "B2", "B3", "B4", "B5", "B6_VCID_1", "B6_VCID_2", "B7", "B8")
_ETM_SR = ("B1", "B2", "B3", "B4", "B5", "B7")
_TM_RGB, _OLI_RGB = Preset("rgb", ("B3", "B2", "B1")), Preset("rgb", ("B4", "B3", "B2"))
_SCENES = {
    "tm": ("LT*", "LT05_172034_20110526"),
    "etm": ("LE*", "LE07_172030_20010526"),
    "oli": ("L[CO]*", "LC08_172030_20190526"),
}


def _image(name: str, title: str, names: tuple[str, ...], rgb: Preset, md5: str) -> Modality:
    split = name.replace("-", "_")
    scenes, example = _SCENES[split.partition("_")[0]]
    return Modality(
        name=name,
        title=title,
        option=f"--{name}-dir",
        files=Template.parse("{location:7d}/{scene}/all_bands.tif", scene=scenes),
        # Splits of a sensor hold the same locations and scenes.
        key=Template.parse(f"{split}_benchmark_{{location:7d}}_{{scene}}"),
        bands=tuple(Band(band, index=i, shape=_SHAPE) for i, band in enumerate(names, 1)),
        presets=(rgb,),
        folder=f"ssl4eo_l_{split}_benchmark",
        downloads=(Download(f"ssl4eo_l_{split}_benchmark.tar.gz", md5=md5),),
        example=f"0000001/{example}/all_bands.tif",
        n_published=_N_PUBLISHED,
    )


def _mask(sensor: str, product: str, year: int, md5: str) -> Modality:
    scenes, example = _SCENES[sensor]
    name = f"ssl4eo_l_{sensor}_{product}"
    return Modality(
        name=f"{sensor}-{product}",
        title=f"{product.upper()} masks of the {sensor.upper()} products",
        option=f"--{sensor}-{product}-dir",
        files=Template.parse(f"{{location:7d}}/{{scene}}/{product}_{{year:4d}}.tif", scene=scenes),
        key=Template.parse(f"{sensor}_{product}_{{location:7d}}_{{scene}}"),
        bands=(Band("Data", shape=_SHAPE),),
        role="mask",
        folder=name,
        downloads=(Download(f"{name}.tar.gz", md5=md5),),
        example=f"0000001/{example}/{product}_{year}.tif",
        n_published=_N_PUBLISHED,
    )


SPEC = DatasetSpec(
    name="ssl4eo-l-benchmark",
    title="SSL4EO-L benchmark",
    summary="Landsat products of 264 x 264 pixels with masks of crops and land cover.",
    url="https://huggingface.co/datasets/torchgeo/ssl4eo-l-benchmark",
    topic="Landsat",
    keywords=("multispectral", "segmentation"),
    citation=(
        "A. J. Stewart, N. Lehmann, I. A. Corley, Y. Wang, Y.-C. Chang, N. A. Ait Ali Braham, "
        "S. Sehgal, C. Robinson, A. Banerjee: SSL4EO-L: Datasets and Foundation Models for Landsat "
        "Imagery. NeurIPS 2023 Datasets and Benchmarks."
    ),
    modalities=(
        _image(
            "tm-toa", "Landsat 5 TM products, top of atmosphere", _TO_B7, _TM_RGB,
            "8e3c5bcd56d3780a442f1332013b8d15",
        ),
        _image(
            "etm-toa", "Landsat 7 ETM+ products, top of atmosphere", _ETM_TOA, _TM_RGB,
            "1b051c7fe4d61c581b341370c9e76f1f",
        ),
        _image(
            "etm-sr", "Landsat 7 ETM+ products, surface reflectance", _ETM_SR, _TM_RGB,
            "34a24fa89a801654f8d01e054662c8cd",
        ),
        _image(
            "oli-tirs-toa", "Landsat 8-9 OLI and TIRS products, top of atmosphere",
            (*_TO_B7, "B8", "B9", "B10", "B11"), _OLI_RGB, "6e9d7cf0392e1de2cbdb39962ba591aa",
        ),
        _image(
            "oli-sr", "Landsat 8-9 OLI products, surface reflectance", _TO_B7, _OLI_RGB,
            "0700cd15cc2366fe68c2f8c02fa09a15",
        ),
        _mask("tm", "cdl", 2011, "3d676770ffb56c7e222a7192a652a846"),
        _mask("tm", "nlcd", 2011, "261149d7614fcfdcb3be368eefa825c7"),
        _mask("etm", "cdl", 2019, "008098c968544049eaf7b307e14241de"),
        _mask("etm", "nlcd", 2019, "9c031049d665202ba42ac1d89b687999"),
        _mask("oli", "cdl", 2019, "1cb057de6eafeca975deb35cb9fb036f"),
        _mask("oli", "nlcd", 2019, "9de0d6d4d0b94313b80450f650813922"),
    ),
    notes=(
        (
            "The masks of a product are tm_cdl, tm_nlcd and so on, with the same location and "
            "scene in their keys."
        ),
        "Masks hold the codes of CDL and NLCD, not consecutive classes.",
        "torchgeo draws the splits by itself, with a seed; there is no list of them.",
        "No real file was at hand: bands and names are torchgeo's, and no dtype is enforced.",
    ),
)  # fmt: skip
