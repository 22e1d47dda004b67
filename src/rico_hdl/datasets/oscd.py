"""OSCD: pairs of Sentinel-2 images of cities, before and after changes.

Layout and checksums: torchgeo's reader; Daudt et al., "Urban Change Detection for Multispectral
Earth Observation Using Convolutional Neural Networks", IGARSS 2018 (arXiv:1810.08468). Not tested
with real files.
"""

from rico_hdl.spec import Band, DatasetSpec, Download, Modality, Preset, Template

_NAMES = (
    "B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B10", "B11", "B12",
)  # fmt: skip
_FOLDER = "Onera Satellite Change Detection dataset - Images"

# All bands are at 10 m; presets are named after the bands' native resolution.
_PRESETS = (
    Preset("rgb", ("B04", "B03", "B02")),
    Preset("10m", ("B02", "B03", "B04", "B08")),
    Preset("20m", ("B05", "B06", "B07", "B8A", "B11", "B12")),
    Preset("60m", ("B01", "B09", "B10")),
)


def _modality(name: str, title: str, time: int) -> Modality:
    return Modality(
        name=name,
        title=title,
        option=f"--{name}-dir",
        files=Template.parse(f"**/{{city}}/imgs_{time}_rect/{{band}}.tif"),
        key=Template.parse(f"{{city}}_{time}"),
        bands=tuple(Band(band, aliases=("B08A",) if band == "B8A" else ()) for band in _NAMES),
        presets=_PRESETS,
        folder=_FOLDER,
        downloads=(Download(f"{_FOLDER}.zip", md5="c50d4a2941da64e03a47ac4dec63d915"),),
        example=f"abudhabi/imgs_{time}_rect/B01.tif",
        n_published=24,
    )


SPEC = DatasetSpec(
    name="oscd",
    title="OSCD",
    summary="Pairs of Sentinel-2 images of 24 cities, before and after changes.",
    url="https://rcdaudt.github.io/oscd",
    topic="Sentinel-1 or Sentinel-2",
    keywords=("multispectral", "change detection"),
    citation=(
        "R. C. Daudt, B. Le Saux, A. Boulch, Y. Gousseau: Urban Change Detection for Multispectral "
        "Earth Observation Using Convolutional Neural Networks. IGARSS 2018."
    ),
    modalities=(
        _modality("before", "earlier Sentinel-2 images", 1),
        _modality("after", "later Sentinel-2 images", 2),
    ),
    notes=(
        "Images of a city have the same size; it differs between cities.",
        "Images that are not aligned (imgs_1, imgs_2) and masks of changes are not converted.",
        "No real file was at hand: bands and names are torchgeo's, and no dtype is enforced.",
    ),
)
