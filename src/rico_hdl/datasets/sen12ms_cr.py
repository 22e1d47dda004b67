"""SEN12MS-CR: Sentinel-1 and cloud-free and cloudy Sentinel-2 patches of the same places.

Layout: the authors' repository (Ebel et al., "Multisensor Data Fusion for Cloud Removal in Global
and All-Season Sentinel-2 Imagery", IEEE TGRS 2021). Band order: as in the triplets of 2019, from
which it was made. Not tested with real files.
"""

from rico_hdl.spec import Band, DatasetSpec, Download, Modality, Preset, Template

_SHAPE = (256, 256)
_S2_NAMES = (
    "B1", "B2", "B3", "B4", "B5", "B6", "B7", "B8", "B8A", "B9", "B10", "B11", "B12",
)  # fmt: skip

# The files hold all bands at 10 m; presets are named after the bands' native resolution.
_PRESETS = (
    Preset("rgb", ("B4", "B3", "B2")),
    Preset("10m", ("B2", "B3", "B4", "B8")),
    Preset("20m", ("B5", "B6", "B7", "B8A", "B11", "B12")),
    Preset("60m", ("B1", "B9", "B10")),
)


def _modality(
    name: str, title: str, names: tuple[str, ...], presets: tuple[Preset, ...] = ()
) -> Modality:
    word = name.replace("-", "_")
    return Modality(
        name=name,
        title=title,
        option=f"--{name}-dir",
        # The season's folder has the modality in its name, unlike that of the triplets of 2019.
        files=Template.parse(
            f"**/{{season}}_{word}/{word}_{{scene:d}}/"
            f"{{season}}_{word}_{{scene:d}}_p{{number:d}}.tif",
            season="ROIs[12]*",
        ),
        key=Template.parse(f"{{season}}_{word}_{{scene:d}}_p{{number:d}}"),
        bands=tuple(
            Band(band, index=i, shape=_SHAPE, aliases=("B08A",) if band == "B8A" else ())
            for i, band in enumerate(names, 1)
        ),
        presets=presets,
        folder="SEN12MS-CR",
        downloads=(Download(f"ROIs*_{word}.tar.gz"),),
        example=f"ROIs1158_spring_{word}/{word}_1/ROIs1158_spring_{word}_1_p407.tif",
    )


SPEC = DatasetSpec(
    name="sen12ms-cr",
    title="SEN12MS-CR",
    summary="Sentinel-1, cloud-free and cloudy Sentinel-2 patches of 256 x 256 pixels.",
    url="https://mediatum.ub.tum.de/1554803",
    topic="Sentinel-1 with Sentinel-2",
    keywords=("SAR", "multispectral", "cloud removal"),
    citation=(
        "P. Ebel, A. Meraner, M. Schmitt, X. X. Zhu: Multisensor Data Fusion for Cloud Removal in "
        "Global and All-Season Sentinel-2 Imagery. IEEE Transactions on Geoscience and Remote "
        "Sensing, 2021."
    ),
    modalities=(
        _modality("s1", "Sentinel-1 patches", ("VV", "VH")),
        _modality("s2", "cloud-free Sentinel-2 patches", _S2_NAMES, _PRESETS),
        _modality("s2-cloudy", "cloudy Sentinel-2 patches", _S2_NAMES, _PRESETS),
    ),
    notes=(
        (
            "Keys of the three modalities differ only in s1, s2 and s2_cloudy; the same key "
            "otherwise is the same place."
        ),
        (
            "The triplets of 2019 have the same keys for other pixels: never convert both into one "
            "store."
        ),
        "Training, validation and test sets are lists of scenes in the authors' loader, not files.",
        "No real file was at hand: bands and names are the authors', and no dtype is enforced.",
    ),
)
