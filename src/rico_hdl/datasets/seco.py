"""SeCo (Seasonal Contrast): Sentinel-2 products of the same locations at five dates.

Layout, archives and checksums: torchgeo's reader and the authors' repository; Mañas et al.,
"Seasonal Contrast: Unsupervised Pre-Training from Uncurated Remote Sensing Data", ICCV 2021
(arXiv:2103.16607). Each band has a file named after it. No real file was at hand.
"""

from rico_hdl.spec import Band, DatasetSpec, Download, Modality, Preset, Template

_10M, _20M, _60M = (264, 264), (132, 132), (44, 44)
_SHAPES = {
    **dict.fromkeys(("B2", "B3", "B4", "B8"), _10M),
    **dict.fromkeys(("B5", "B6", "B7", "B8A", "B11", "B12"), _20M),
    **dict.fromkeys(("B1", "B9"), _60M),
}
_NAMES = ("B1", "B2", "B3", "B4", "B5", "B6", "B7", "B8", "B8A", "B9", "B11", "B12")

SPEC = DatasetSpec(
    name="seco",
    title="SeCo (Seasonal Contrast)",
    summary="Sentinel-2 products of 2.64 km in 8 bits, five dates at each location.",
    url="https://zenodo.org/records/4728033",
    topic="Sentinel-1 or Sentinel-2",
    keywords=("multispectral", "pre-training", "time series"),
    citation=(
        "O. Mañas, A. Lacoste, X. Giró-i-Nieto, D. Vazquez, P. Rodríguez: Seasonal Contrast: "
        "Unsupervised Pre-Training from Uncurated Remote Sensing Data. ICCV 2021."
    ),
    pairs_by=("location",),
    modalities=(
        Modality(
            name="s2",
            title="Sentinel-2 products",
            option="--dataset-dir",
            files=Template.parse(
                "{location:6d}/{product}/{band}.tif",
                product="[0-9]*T[0-9]*_[0-9]*T[0-9]*_T*",
            ),
            key=Template.parse("{location}_{product}"),
            time="product",
            bands=tuple(
                Band(
                    name,
                    shape=_SHAPES[name],
                    aliases=() if name in {"B11", "B12"} else (f"B0{name[1:]}",),
                )
                for name in _NAMES
            ),
            presets=(
                Preset("rgb", ("B4", "B3", "B2")),
                Preset("10m", ("B2", "B3", "B4", "B8")),
                Preset("20m", ("B5", "B6", "B7", "B8A", "B11", "B12")),
                Preset("60m", ("B1", "B9")),
            ),
            folder="seasonal_contrast_100k",
            companions=("metadata.json", "*_T?????.tif"),
            downloads=(
                Download("seco_100k.zip", md5="ebf2d5e03adc6e657f9a69a20ad863e0"),
                Download("seco_1m.zip", md5="187963d852d4d3ce6637743ec3a4bd9e"),
            ),
            example="000000/20190803T154559_20190803T154611_T18QVG/B8A.tif",
        ),
    ),
    notes=(
        (
            "There are two editions, of 100,000 and of a million products. Their numbers of "
            "locations may stand for different places: convert each into a store of its own."
        ),
        "Reflectance between 0 and 1 is scaled to 8 bits, and the TIFFs are compressed with JPEG.",
        "Previews next to the folders of products are not converted.",
        "No real file was at hand: names follow torchgeo's reader, and the dtype is not enforced.",
    ),
)
