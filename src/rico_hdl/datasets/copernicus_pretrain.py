"""Copernicus-Pretrain, the raw GeoTIFFs: patches of five missions and elevation on one grid.

Layout and numbers: the publisher's repository; Wang et al., "Towards a Unified Copernicus
Foundation Model for Earth Vision", 2025 (arXiv:2503.11849). A real file of Sentinel-2 was at hand;
its order of bands is that of the mission.
"""

from rico_hdl.spec import Band, DatasetSpec, Download, Modality, Preset, Template

_S2_NAMES = (
    "B1", "B2", "B3", "B4", "B5", "B6", "B7", "B8", "B8A", "B9", "B10", "B11", "B12",
)  # fmt: skip
_S3_NAMES = tuple(f"Oa{i:02}_radiance" for i in range(1, 22))
_GRID, _LOCAL = "0235_-60.75_-52.25", "0_-60.73_-52.21"
_S2_PRODUCT = "20201002T221611_20201002T221610_T60HWB"

# The files hold all bands at 10 m; presets are named after the bands' native resolution.
_PRESETS = (
    Preset("rgb", ("B4", "B3", "B2")),
    Preset("10m", ("B2", "B3", "B4", "B8")),
    Preset("20m", ("B5", "B6", "B7", "B8A", "B11", "B12")),
    Preset("60m", ("B1", "B9", "B10")),
)


def _s5p(gas: str, n_published: int) -> Modality:
    variable = f"{gas.upper()}_column_number_density"
    return Modality(
        name=f"s5p-{gas}",
        title=f"Sentinel-5P columns of {gas.upper()}",
        option=f"--s5p-{gas}-dir",
        files=Template.parse(f"**/{variable}/{{grid}}/{{product}}.tif"),
        key=Template.parse(f"{gas}_{{grid}}_{{product}}"),
        bands=(Band(variable),),
        folder=f"s5p_{gas}",
        downloads=(Download(f"s5p_{gas}_wgs_*.tar.zst"),),
        example=f"{variable}/{_GRID}/2021-01-01_2021-02-01.tif",
        n_published=n_published,
    )


SPEC = DatasetSpec(
    name="copernicus-pretrain",
    title="Copernicus-Pretrain",
    summary="Sentinel-1, -2, -3 and -5P patches and elevation on a global grid, as raw GeoTIFFs.",
    url="https://github.com/zhu-xlab/Copernicus-FM",
    topic="Sentinel-1 with Sentinel-2",
    keywords=("SAR", "multispectral", "pre-training", "atmosphere", "DEM"),
    licence="CC-BY-4.0",
    citation=(
        "Y. Wang, Z. Xiong, C. Liu, A. J. Stewart, T. Dujardin, N. I. Bountos, A. Zavras, "
        "F. Gerken, I. Papoutsis, L. Leal-Taixé, X. X. Zhu: Towards a Unified Copernicus "
        "Foundation Model for Earth Vision. 2025."
    ),
    pairs_by=("grid", "local"),
    modalities=(
        Modality(
            name="s1",
            title="Sentinel-1 GRD patches",
            option="--s1-dir",
            files=Template.parse("**/images/{grid}/{local}/{product}.tif", product="S1*"),
            key=Template.parse("s1_{grid}_{local}_{product}"),
            bands=(Band("VV", index=1), Band("VH", index=2)),
            folder="s1_grd",
            downloads=(Download("s1_grd_utm_*.tar.zst"),),
            example=(
                f"images/{_GRID}/{_LOCAL}/"
                "S1A_IW_GRDH_1SDV_20210103T094538_20210103T094603_035988_043730_7C8B.tif"
            ),
            n_published=4_227_387,
        ),
        Modality(
            name="s2",
            title="Sentinel-2 L1C patches",
            option="--s2-dir",
            files=Template.parse("**/images/{grid}/{local}/{product}.tif", product="[0-9]*_T*"),
            # A product covers several local patches.
            key=Template.parse("s2_{grid}_{local}_{product}"),
            bands=tuple(
                Band(name, index=i, shape=(264, 264), aliases=("B08A",) if name == "B8A" else ())
                for i, name in enumerate(_S2_NAMES, 1)
            ),
            presets=_PRESETS,
            dtype="uint16",
            folder="s2_toa",
            downloads=(Download("s2_toa_mix_*.tar.zst"),),
            example=f"images/{_GRID}/{_LOCAL}/{_S2_PRODUCT}.tif",
            n_published=4_218_065,
        ),
        Modality(
            name="s3",
            title="Sentinel-3 OLCI patches",
            option="--s3-dir",
            files=Template.parse("**/images/{grid}/{product}.tif", product="S3*"),
            key=Template.parse("s3_{grid}_{product}"),
            bands=tuple(Band(name, index=i) for i, name in enumerate(_S3_NAMES, 1)),
            folder="s3_olci",
            downloads=(Download("s3_olci_wgs_*.tar.zst"),),
            example=f"images/{_GRID}/S3A_20210113T132216_20210113T132516.tif",
            n_published=2_189_561,
        ),
        _s5p("co", 2_104_735),
        _s5p("no2", 1_752_558),
        _s5p("o3", 2_556_631),
        _s5p("so2", 1_366_452),
        Modality(
            name="dem",
            title="elevation",
            option="--dem-dir",
            files=Template.parse("**/{grid}/dem.tif"),
            key=Template.parse("dem_{grid}"),
            bands=(Band("DEM"),),
            folder="dem_grid",
            downloads=(Download("dem_grid_wgs_*.tar.zst"),),
            example=f"images/{_GRID}/dem.tif",
            n_published=297_665,
        ),
    ),
    notes=(
        "Patches of a place share the part of the key that names the grid cell.",
        "The publisher's WebDataset form holds pickles, which rico-hdl never loads.",
        (
            "No real file was at hand of modalities other than s2: no dtype is enforced for them, "
            "and the names of their files follow the publisher's repository."
        ),
    ),
)
