"""SatlasPretrain: images of four sensors on the same grid as PNG files of 8 bits.

Layout, bands and archives: torchgeo's reader; Bastani et al., "SatlasPretrain: A Large-Scale
Dataset for Remote Sensing Image Understanding", ICCV 2023 (arXiv:2211.15660). No real file was at
hand.
"""

from rico_hdl.spec import Band, DatasetSpec, Download, Modality, Preset, Template

_SHAPE = (512, 512)
_ARCHIVE = "satlas-dataset-v1"


def _sensor(  # noqa: PLR0913 - a sensor has that much of its own
    name: str,
    title: str,
    bands: tuple[Band, ...],
    example: str,
    downloads: tuple[Download, ...],
    *,
    presets: tuple[Preset, ...] = (),
) -> Modality:
    return Modality(
        name=name,
        title=title,
        option=f"--{name}-dir",
        files=Template.parse(f"{name}/{{product}}/{{band}}/{{column:d}}_{{row:d}}.png"),
        key=Template.parse(f"{name}_{{product}}_{{column}}_{{row}}"),
        bands=bands,
        presets=presets,
        folder="satlas",
        downloads=downloads,
        example=f"{name}/{example}.png",
    )


def _band(name: str, token: str, index: int = 1) -> Band:
    return Band(name, token, index, _SHAPE)


SPEC = DatasetSpec(
    name="satlaspretrain",
    title="SatlasPretrain",
    summary="Sentinel-2, Sentinel-1, Landsat and NAIP images of 512 x 512 pixels on one grid.",
    url="https://satlas-pretrain.allen.ai",
    topic="Sentinel-1 with Sentinel-2",
    keywords=("multispectral", "SAR", "VHR", "pre-training", "NAIP", "Landsat"),
    licence="ODC-BY",
    citation=(
        "F. Bastani, P. Wolters, R. Gupta, J. Ferdinando, A. Kembhavi: SatlasPretrain: A "
        "Large-Scale Dataset for Remote Sensing Image Understanding. ICCV 2023."
    ),
    pairs_by=("column", "row"),
    modalities=(
        _sensor(
            "sentinel2",
            "Sentinel-2 images",
            (
                # The true-colour image is red, green and blue.
                *(_band(name, "tci", i) for i, name in enumerate(("B04", "B03", "B02"), 1)),
                *(_band(f"B{n}", f"b{n}") for n in ("05", "06", "07", "08", "11", "12")),
            ),
            "S2A_MSIL1C_20160401T000000_N0201_R001_T31UFS_20160401T000000/tci/1867_3287",
            (
                Download(f"{_ARCHIVE}-sentinel2-a.tar", md5="7e1c6a1e322807fb11df8c0c062545ca"),
                Download(f"{_ARCHIVE}-sentinel2-b.tar", md5="6636b8ecf2fff1d6723ecfef55a4876d"),
            ),
            presets=(Preset("rgb", ("B04", "B03", "B02")),),
        ),
        _sensor(
            "sentinel1",
            "Sentinel-1 images",
            (_band("VH", "vh"), _band("VV", "vv")),
            "S1A_IW_GRDH_1SDV_20160401T000000_20160401T000025_010000_00FFFF_0000/vh/1867_3287",
            (Download(f"{_ARCHIVE}-sentinel1*.tar"),),
        ),
        _sensor(
            "landsat",
            "Landsat images",
            tuple(_band(f"B{n}", f"b{n}") for n in range(1, 12)),
            "LC08_L1TP_199024_20160401_20200907_02_T1/b1/1867_3287",
            (Download(f"{_ARCHIVE}-landsat.tar"),),
            presets=(Preset("rgb", ("B4", "B3", "B2")),),
        ),
        _sensor(
            "naip",
            "NAIP images",
            (
                *(_band(name, "tci", i) for i, name in enumerate(("Red", "Green", "Blue"), 1)),
                _band("NIR", "ir"),
            ),
            "m_3807504_ne_18_1_20110529/tci/29872_52592",
            (Download(f"{_ARCHIVE}-naip-*.tar"),),
            presets=(Preset("rgb", ("Red", "Green", "Blue")),),
        ),
    ),
    notes=(
        "Values are scaled to 8 bits. All bands have the size of the finest one.",
        "Each band is in a folder of its own, except red, green and blue, which are in tci.",
        "Labels are not converted. Splits in the metadata are lists of columns and rows.",
        "No real file was at hand: names follow torchgeo's reader, and no dtype is enforced.",
    ),
)
