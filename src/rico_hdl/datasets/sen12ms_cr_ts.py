"""SEN12MS-CR-TS: time series of Sentinel-1 and Sentinel-2 patches, with and without clouds.

Layout: the authors' repository (Ebel et al., "SEN12MS-CR-TS: A Remote-Sensing Data Set for
Multimodal Multitemporal Cloud Removal", IEEE TGRS 2022). Not tested with real files.
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
    name: str,
    title: str,
    names: tuple[str, ...],
    date: str,
    presets: tuple[Preset, ...] = (),
) -> Modality:
    return Modality(
        name=name,
        title=title,
        option=f"--{name}-dir",
        files=Template.parse(
            f"**/{{season}}/{{scene:d}}/{name.upper()}/{{time:d}}/{{patch}}.tif",
            season="ROIs*",
            patch=f"{name}_ROIs*_patch_*",
        ),
        key=Template.parse("{patch}"),
        bands=tuple(
            Band(band, index=i, shape=_SHAPE, aliases=("B08A",) if band == "B8A" else ())
            for i, band in enumerate(names, 1)
        ),
        presets=presets,
        folder="SEN12MS-CR-TS",
        downloads=(Download(f"{name}_*.tar.gz"),),
        example=(f"ROIs1970/21/{name.upper()}/0/{name}_ROIs1970_21_ImgNo_0_{date}_patch_250.tif"),
    )


SPEC = DatasetSpec(
    name="sen12ms-cr-ts",
    title="SEN12MS-CR-TS",
    summary="Sentinel-1 and Sentinel-2 patches of 256 x 256 pixels at 30 times of a year.",
    url="https://mediatum.ub.tum.de/1639953",
    topic="Sentinel-1 with Sentinel-2",
    keywords=("SAR", "multispectral", "cloud removal", "time series"),
    citation=(
        "P. Ebel, Y. Xu, M. Schmitt, X. X. Zhu: SEN12MS-CR-TS: A Remote-Sensing Data Set for "
        "Multimodal Multitemporal Cloud Removal. IEEE Transactions on Geoscience and Remote "
        "Sensing, 2022."
    ),
    modalities=(
        _modality("s1", "Sentinel-1 patches", ("VV", "VH"), "2018-01-03"),
        _modality("s2", "Sentinel-2 patches", _S2_NAMES, "2018-01-06", _PRESETS),
    ),
    notes=(
        "Each time step has a key of its own, with its date.",
        (
            "S1 and S2 pair by scene, time index (ImgNo) and patch, not by their dates, which "
            "differ."
        ),
        "No real file was at hand: bands and names are the authors', and no dtype is enforced.",
    ),
)
