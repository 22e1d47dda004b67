"""DFC2020: the Sentinel-1, Sentinel-2 and land-cover patches of the data fusion contest of 2020.

Layout: the organizers' baseline; band order: that of the triplets of 2019, which the contest
extends. Not tested with real files.
"""

from rico_hdl.spec import Band, DatasetSpec, Modality, Preset, Template
from rico_hdl.spec.model import Role

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
    presets: tuple[Preset, ...] = (),
    role: Role = "image",
) -> Modality:
    return Modality(
        name=name,
        title=title,
        option=f"--{name}-dir",
        files=Template.parse(
            f"**/{{roi}}/{name}_{{group}}/{{roi}}_{name}_{{group}}_p{{number:d}}.tif",
            roi="ROIs0000_*",
        ),
        key=Template.parse(f"{name}_{{roi}}_{{group}}_p{{number:d}}"),
        bands=tuple(
            Band(band, index=i, shape=_SHAPE, aliases=("B08A",) if band == "B8A" else ())
            for i, band in enumerate(names, 1)
        ),
        role=role,
        presets=presets,
        folder="DFC2020",
        example=f"ROIs0000_test/{name}_0/ROIs0000_test_{name}_0_p609.tif",
    )


SPEC = DatasetSpec(
    name="dfc2020",
    title="DFC2020",
    summary="Sentinel-1 and Sentinel-2 patches of 256 x 256 pixels with land cover at 10 m.",
    url="https://ieee-dataport.org/competitions/2020-ieee-grss-data-fusion-contest",
    topic="Sentinel-1 with Sentinel-2",
    keywords=("SAR", "multispectral", "segmentation"),
    citation=(
        "M. Schmitt, L. Hughes, P. Ghamisi, N. Yokoya, R. Hänsch: 2020 IEEE GRSS Data Fusion "
        "Contest. IEEE DataPort, 2020."
    ),
    modalities=(
        _modality("s1", "Sentinel-1 patches", ("VV", "VH")),
        _modality("s2", "Sentinel-2 patches", _S2_NAMES, _PRESETS),
        _modality("dfc", "land cover at 10 m", ("Data",), role="mask"),
        _modality(
            "lc", "MODIS land cover", ("IGBP", "LCCS_LC", "LCCS_LU", "LCCS_SH"), role="auxiliary"
        ),
    ),
    notes=(
        "Keys begin with s1, s2, dfc or lc; the rest is that of the place.",
        "Classes of dfc are 1 to 10. Some copies hold S1 as float64.",
        "No real file was at hand: bands and names are the organizers', and no dtype is enforced.",
    ),
)
