"""Copernicus-Bench: images, masks and targets of the tasks that are published as GeoTIFFs.

Layout, names of archives, checksums and bands: torchgeo's readers; Wang et al., "Towards a Unified
Copernicus Foundation Model for Earth Vision", 2025 (arXiv:2503.11849). Not tested with real files.
"""

from rico_hdl.spec import (
    Band,
    DatasetSpec,
    Download,
    KeyForm,
    Labels,
    LabelTable,
    Modality,
    Preset,
    Template,
)

_S1_NAMES = ("VV", "VH")
_S2_NAMES = (
    "B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B10", "B11", "B12",
)  # fmt: skip
_EUROSAT_NAMES = (*(name for name in _S2_NAMES if name != "B8A"), "B8A")
_LAND_NAMES = tuple(name for name in _S2_NAMES if name != "B10")
_S3_NAMES = tuple(f"Oa{i:02}_radiance" for i in range(1, 22))
_MASK = ("Data",)

# The files hold all bands at 10 m; presets are named after the bands' native resolution.
_RGB = Preset("rgb", ("B04", "B03", "B02"))
_10M = Preset("10m", ("B02", "B03", "B04", "B08"))
_20M = Preset("20m", ("B05", "B06", "B07", "B8A", "B11", "B12"))

_S3_PRODUCT = "S3A_20210113T132216_20210113T132516"
_CLOUD_S2 = "ROI_00002__20200422T141729_20200422T142243_T19GDN"
_CLOUD_S3 = "S3A_OL_1_EFR____20190606T001159_20190606T001459_20190607T055216"
_LAND_SCENE = "S2A_MSIL2A_20170613T101031_N9999_R022_T33UUP"
_RADAR_SCENE = "S1A_IW_GRDH_1SDV_20170613T165043"
_FLOOD = "data/1111013/01/grid_0"
_AIR = "EEA_1kmgrid_2021"


def _modality(  # noqa: PLR0913, PLR0917 - all of one modality
    name: str,
    title: str,
    files: Template,
    key: str,
    bands: tuple[str, ...],
    side: int,
    download: tuple[str, str],
    example: str,
    tokens: tuple[str, ...] = (),
) -> Modality:
    made = tuple(
        Band(
            band,
            token=tokens[i] if tokens else "",
            index=1 if tokens else i + 1,
            shape=(side, side),
            aliases=("B08A",) if band == "B8A" else (),
        )
        for i, band in enumerate(bands)
    )
    presets: tuple[Preset, ...] = ()
    if "B8A" in bands:
        last = tuple(band for band in ("B01", "B09", "B10") if band in bands)
        presets = (_RGB, _10M, _20M, Preset("60m", last))
    return Modality(
        name=name,
        title=title,
        option=f"--{name}-dir",
        files=files,
        key=Template.parse(key),
        bands=made,
        presets=presets,
        folder="Copernicus-Bench",
        downloads=(Download(download[0], md5=download[1]),),
        example=example,
    )


_CLOUD_S2_ZIP = ("cloud_s2.zip", "39a1f966e76455549a3e6c209ba751c1")
_CLOUD_S3_ZIP = ("cloud_s3.zip", "1f82a8ccf16a0c44f0b1729e523e343a")
_EUROSAT_S1_ZIP = ("eurosat_s1.zip", "e7e7f8fc68fc55a7a689cb654912ff3f")
_EUROSAT_S2_ZIP = ("eurosat_s2.zip", "b2be02ca9767554c717f2e9bd15bbd23")
_LAND_ZIP = ("bigearthnetv2.zip", "269355db0449e0da7213c95f30c346d4")
_DFC_ZIP = ("dfc2020.zip", "f10ba017dab6f38b7a6857b169ea924b")
_FLOOD_ZIP = ("flood_s1.zip", "f4337fee5e90203c6d0c3efeb0b97b8a")
_LC100_ZIP = ("lc100_s3.zip", "967d1da6286e0d0e346e425a8f3800e9")
_BIOMASS_ZIP = ("biomass_s3.zip", "4769ab8c2c23cd8957b99e15e071931c")
_AIR_ZIP = ("airquality_s5p.zip", "92081c7437c5c1daf783868ad7669877")


def _cloud() -> tuple[Modality, ...]:
    s2 = {"image": "s2_toa", "mask": "cloud"}
    s3 = {"image": "s3_olci", "multi": "cloud_multi", "binary": "cloud_binary"}
    return (
        *(
            _modality(
                f"cloud-s2-{name}",
                f"Cloud-S2, {name}s",
                Template.parse(f"**/cloud_s2/{folder}/{{patch}}.tif"),
                f"cloud_s2_{name}_{{patch}}",
                _S2_NAMES if name == "image" else _MASK,
                512,
                _CLOUD_S2_ZIP,
                f"cloud_s2/{folder}/{_CLOUD_S2}.tif",
            )
            for name, folder in s2.items()
        ),
        *(
            _modality(
                f"cloud-s3-{name}",
                f"Cloud-S3, {'images' if name == 'image' else f'{name} masks'}",
                Template.parse(f"**/cloud_s3/{folder}/{{patch}}.tif"),
                f"cloud_s3_{name}_{{patch}}",
                _S3_NAMES if name == "image" else _MASK,
                256,
                _CLOUD_S3_ZIP,
                f"cloud_s3/{folder}/{_CLOUD_S3}.tif",
            )
            for name, folder in s3.items()
        ),
    )


def _land_use() -> tuple[Modality, ...]:
    zips = {"s1": _EUROSAT_S1_ZIP, "s2": _EUROSAT_S2_ZIP}
    return tuple(
        _modality(
            f"eurosat-{sensor}",
            f"EuroSAT-{sensor.upper()}",
            Template.parse(f"**/eurosat_{sensor}/all_imgs/{{class}}/{{class}}_{{number:d}}.tif"),
            f"eurosat_{sensor}_{{class}}_{{number:d}}",
            _S1_NAMES if sensor == "s1" else _EUROSAT_NAMES,
            64,
            archive,
            f"eurosat_{sensor}/all_imgs/AnnualCrop/AnnualCrop_1.tif",
        )
        for sensor, archive in zips.items()
    )


def _land_cover() -> tuple[Modality, ...]:
    patches = {"s1": f"{_RADAR_SCENE}_33UUP_70_48", "s2": f"{_LAND_SCENE}_75_43"}
    scenes = {"s1": _RADAR_SCENE, "s2": _LAND_SCENE}
    return (
        *(
            _modality(
                f"bigearthnet-{sensor}",
                f"BigEarthNet-{sensor.upper()}",
                Template.parse(
                    f"**/BigEarthNet-{sensor.upper()}-5%/{{scene}}/{{patch}}/{{patch}}_allbands.tif"
                ),
                f"bigearthnet_{sensor}_{{patch}}",
                _S1_NAMES if sensor == "s1" else _LAND_NAMES,
                120,
                _LAND_ZIP,
                f"bigearthnet_s1s2/BigEarthNet-{sensor.upper()}-5%/{scenes[sensor]}/{patch}/"
                f"{patch}_allbands.tif",
            )
            for sensor, patch in patches.items()
        ),
        *(
            _modality(
                f"dfc2020-{name}",
                f"DFC2020-S1S2, {name}",
                Template.parse(f"**/dfc2020_s1s2/{name}/{{patch}}.tif"),
                f"dfc2020_{name}_{{patch}}",
                bands,
                256,
                _DFC_ZIP,
                f"dfc2020_s1s2/{name}/ROIs0000_test_{name}_0_p609.tif",
            )
            for name, bands in (("s1", _S1_NAMES), ("s2", _S2_NAMES), ("dfc", _MASK))
        ),
    )


def _flood() -> tuple[Modality, ...]:
    names = {
        "ms1": "images after the flood",
        "sl1": "images before the flood, the later of two",
        "sl2": "images before the flood, the earlier of two",
        "mlu": "masks of water",
        "mna": "masks of valid pixels",
    }
    tail, real = "_{event:d}_{aoi:2d}_{date:8d}.tif", "_1111013_01_20170504.tif"
    made = []
    for name, title in names.items():
        is_image = name in {"ms1", "sl1", "sl2"}
        stem = f"{name.upper()}_{{band}}" if is_image else f"MK0_{name.upper()}"
        made.append(
            _modality(
                f"flood-{name}",
                f"Flood-S1, {title}",
                Template.parse(f"**/flood_s1/data/{{event:d}}/{{aoi:2d}}/{{patch}}/{stem}{tail}"),
                f"flood_s1_{name}_{{event:d}}_{{aoi:2d}}_{{patch}}",
                _S1_NAMES if is_image else _MASK,
                224,
                _FLOOD_ZIP,
                f"flood_s1/{_FLOOD}/{stem.replace('{band}', 'IVV')}{real}",
                ("IVV", "IVH") if is_image else (),
            )
        )
    return tuple(made)


def _coarse() -> tuple[Modality, ...]:
    sets = {
        "lc100": ("LC100", _LC100_ZIP, "0200599_-70.25_-55.25"),
        "biomass": ("Biomass", _BIOMASS_ZIP, "0200599_-70.25_-55.25"),
    }
    made = []
    for name, (title, archive, place) in sets.items():
        made += [
            _modality(
                f"{name}-image",
                f"{title}-S3, images",
                Template.parse(f"**/{name}_s3/s3_olci/{{place}}/{{product}}.tif"),
                f"{name}_s3_image_{{place}}_{{product}}",
                _S3_NAMES,
                96,
                archive,
                f"{name}_s3/s3_olci/{place}/{_S3_PRODUCT}.tif",
            ),
            _modality(
                f"{name}-target",
                f"{title}-S3, targets",
                Template.parse(f"**/{name}_s3/{name}/{{place}}.tif"),
                f"{name}_s3_target_{{place}}",
                _MASK,
                288,
                archive,
                f"{name}_s3/{name}/{place}.tif",
            ),
        ]
    return tuple(made)


def _air() -> tuple[Modality, ...]:
    made = []
    for gas in ("no2", "o3"):
        place = f"{_AIR}_{gas}_avg_34_13"
        for kind, period in (
            ("annual", "2021-01-01_2021-12-31"),
            ("seasonal", "2021-01-01_2021-04-01"),
        ):
            made.append(
                _modality(
                    f"{gas}-{kind}",
                    f"AirQuality-S5P, {kind} {gas.upper()}",
                    Template.parse(f"**/airquality_s5p/{gas}/s5p_{kind}/{{place}}/{{period}}.tif"),
                    f"airquality_{gas}_{kind}_{{place}}_{{period}}",
                    (gas.upper(),),
                    56,
                    _AIR_ZIP,
                    f"airquality_s5p/{gas}/s5p_{kind}/{place}/{period}.tif",
                )
            )
        made.append(
            _modality(
                f"{gas}-target",
                f"AirQuality-S5P, targets of {gas.upper()}",
                Template.parse(f"**/airquality_s5p/{gas}/label_annual/{{place}}.tif"),
                f"airquality_{gas}_target_{{place}}",
                _MASK,
                56,
                _AIR_ZIP,
                f"airquality_s5p/{gas}/label_annual/{place}.tif",
            )
        )
    return tuple(made)


def _tables() -> tuple[LabelTable, ...]:
    """The splits of the tasks whose lists name patches."""
    clouds = {"cloud_s2": ("image", "mask"), "cloud_s3": ("image", "multi", "binary")}
    return (
        *(
            LabelTable(
                f"{task}/{{split}}.csv",
                tuple(
                    KeyForm(f"{task.replace('_', '-')}-{name}", f"{task}_{name}_{{patch}}")
                    for name in names
                ),
                header=("file",) if task == "cloud_s3" else ("patch",),
                split="split",
                row="{patch}.tif" if task == "cloud_s3" else "",  # file names, not stems
            )
            for task, names in clouds.items()
        ),
        *(
            LabelTable(
                f"eurosat_{sensor}/eurosat-{{split}}.txt",
                (KeyForm(f"eurosat-{sensor}", f"eurosat_{sensor}_{{class}}_{{number}}"),),
                row="{class}_{number:d}.{extension}",
                split="split",
            )
            for sensor in ("s1", "s2")
        ),
    )


SPEC = DatasetSpec(
    name="copernicus-bench",
    title="Copernicus-Bench",
    summary="Images, masks and targets of ten tasks of the Sentinel missions.",
    url="https://github.com/zhu-xlab/Copernicus-FM",
    topic="Sentinel-1 with Sentinel-2",
    keywords=(
        "SAR",
        "multispectral",
        "benchmark",
        "clouds",
        "floods",
        "biomass",
        "segmentation",
        "classification",
        "land cover",
        "air quality",
    ),
    licence="CC-BY-4.0, unless the original dataset says otherwise",
    citation=(
        "Y. Wang, Z. Xiong, C. Liu, A. J. Stewart, T. Dujardin, N. I. Bountos, A. Zavras, "
        "F. Gerken, I. Papoutsis, L. Leal-Taixé, X. X. Zhu: Towards a Unified Copernicus "
        "Foundation Model for Earth Vision. 2025."
    ),
    labels=Labels("class", tables=_tables()),
    modalities=(
        *_cloud(),
        *_land_use(),
        *_land_cover(),
        *_flood(),
        *_coarse(),
        *_air(),
    ),
    notes=(
        "Give the modalities of the tasks that you want; keys begin with the task.",
        "Sentinel-2 bands of the land-use task end with B8A; elsewhere B8A follows B08.",
        "Images of Sentinel-3 and Sentinel-5P have a key for each date, and may have NaN.",
        "The task of local climate zones is published as HDF5 and not converted.",
        "No real file was at hand: bands and names are torchgeo's, and no dtype is enforced.",
    ),
)
