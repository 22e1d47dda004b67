"""Major-TOM Core: Sentinel-1 RTC, Sentinel-2 L2A and L1C products and a DEM on a global grid.

Bands: Francis and Czerkawski, "Major TOM: Expandable Datasets for Earth Observation", IGARSS 2024
(arXiv:2402.12095); each band has a file named after it. L1C and the DEM follow the publisher's
cards.
"""

from dataclasses import replace

from rico_hdl.spec import (
    Band,
    Columns,
    DatasetSpec,
    Download,
    KeyColumn,
    Modality,
    Preset,
    Template,
)

_PATHS = "{row}/{cell}/{product}/{band}.tif"
_S1_FILES = Template.parse(_PATHS, product="S1?_*_rtc")
# L1C and L2A products have files of the same names; L1C has B10 in addition.
_TIMES = "????????T??????_N????_R???_T?????_????????T?????[0-9]"
_S2_FILES = Template.parse(_PATHS, product=f"S2?_MSIL2A_{_TIMES}")
_L1C_FILES = Template.parse(_PATHS, product=f"S2?_MSIL1C_{_TIMES}")
_MASK_FILES = Template.parse(
    "{row}/{cell}/{product}/cloud_mask.tif", product=f"S2?_MSIL[12][AC]_{_TIMES}"
)
# A grid cell is called 0U_199R, say, where 0U is the row of the grid.
_COLUMNS = Columns(
    keys=(
        KeyColumn("row", "grid_cell", until="_"),
        KeyColumn("cell", "grid_cell"),
        KeyColumn("product", "product_id"),
    )
)
_DEM_COLUMNS = Columns(
    keys=(KeyColumn("row", "grid_cell", until="_"), KeyColumn("cell", "grid_cell")), files="DEM"
)
_10M, _20M, _60M = (1068, 1068), (534, 534), (178, 178)
_L2A_BANDS = (
    Band("B01", shape=_60M),
    Band("B02", shape=_10M),
    Band("B03", shape=_10M),
    Band("B04", shape=_10M),
    Band("B05", shape=_20M),
    Band("B06", shape=_20M),
    Band("B07", shape=_20M),
    Band("B08", shape=_10M),
    Band("B8A", shape=_20M, aliases=("B08A",)),
    Band("B09", shape=_60M),
    Band("B11", shape=_20M),
    Band("B12", shape=_20M),
)
_L1C_BANDS = (*_L2A_BANDS[:10], Band("B10", shape=_60M), *_L2A_BANDS[10:])
_PRESETS = (
    Preset("rgb", ("B04", "B03", "B02")),
    Preset("10m", ("B02", "B03", "B04", "B08")),
    Preset("20m", ("B05", "B06", "B07", "B8A", "B11", "B12")),
    Preset("60m", ("B01", "B09")),
)
_L1C_PRESETS = (*_PRESETS[:-1], Preset("60m", ("B01", "B09", "B10")))


def _downloads(folder: str) -> tuple[Download, ...]:
    # Files of all modalities have the same names; their folder, if present, distinguishes them.
    return (Download(f"{folder}/images/part_*.parquet"), Download("part_*.parquet"))


SPEC = DatasetSpec(
    name="major-tom-core",
    title="Major-TOM Core",
    summary="Sentinel-1 RTC, Sentinel-2 L2A and L1C products and a DEM, 10.68 km on a global grid.",
    url="https://github.com/ESA-PhiLab/Major-TOM",
    topic="Sentinel-1 with Sentinel-2",
    keywords=("SAR", "multispectral", "pre-training"),
    citation=(
        "A. Francis, M. Czerkawski: Major TOM: Expandable Datasets for Earth Observation. "
        "IGARSS 2024."
    ),
    pairs_by=("cell",),
    modalities=(
        Modality(
            name="s1",
            title="Sentinel-1 RTC products",
            option="--s1-dir",
            files=_S1_FILES,
            columns=_COLUMNS,
            key=Template.parse("{cell}_{product}"),
            bands=(Band("vh"), Band("vv")),
            folder="S1RTC",
            companions=("thumbnail.png",),
            downloads=_downloads("Core-S1RTC"),
            example="0U/0U_199R/S1A_IW_GRDH_1SDV_20220703T044409_20220703T044434_043932_rtc/vh.tif",
        ),
        Modality(
            name="s2",
            title="Sentinel-2 L2A products",
            option="--s2-dir",
            files=_S2_FILES,
            columns=_COLUMNS,
            key=Template.parse("{cell}_{product}"),
            bands=_L2A_BANDS,
            dtype="uint16",
            folder="S2L2A",
            companions=("cloud_mask.tif", "thumbnail.png"),
            downloads=_downloads("Core-S2L2A"),
            presets=_PRESETS,
            example=(
                "0U/0U_199R/S2A_MSIL2A_20220706T085611_N0400_R007_T33NZA_20220706T153419/B02.tif"
            ),
        ),
        Modality(
            name="s2-l1c",
            title="Sentinel-2 L1C products",
            option="--s2-l1c-dir",
            files=_L1C_FILES,
            columns=_COLUMNS,
            key=Template.parse("{cell}_{product}"),
            bands=_L1C_BANDS,
            folder="S2L1C",
            downloads=_downloads("Core-S2L1C"),
            presets=_L1C_PRESETS,
            example=(
                "0U/0U_199R/S2A_MSIL1C_20220706T085611_N0400_R007_T33NZA_20220706T105011/B02.tif"
            ),
            n_published=2_245_886,
        ),
        Modality(
            name="dem",
            title="Copernicus DEM",
            option="--dem-dir",
            files=Template.parse("{row}/{cell}/DEM.tif"),
            columns=_DEM_COLUMNS,
            key=Template.parse("{cell}_dem"),
            bands=(Band("DEM", shape=(356, 356)),),
            folder="DEM",
            role="auxiliary",
            downloads=_downloads("Core-DEM"),
            example="0U/0U_199R/DEM.tif",
            n_published=1_837_843,
        ),
        Modality(
            name="cloud-mask",
            title="cloud masks of Sentinel-2 products",
            option="--cloud-mask-dir",
            files=_MASK_FILES,
            columns=replace(_COLUMNS, files="cloud_mask"),
            key=Template.parse("{cell}_{product}_cloud_mask"),
            bands=(Band("cloud_mask", shape=_10M),),
            dtype="uint8",
            folder="S2L2A",
            role="mask",
            on_request=True,
            downloads=_downloads("Core-S2L*"),
            example=(
                "0U/0U_199R/S2A_MSIL2A_20220706T085611_N0400_R007_T33NZA_20220706T153419/"
                "cloud_mask.tif"
            ),
        ),
    ),
    notes=(
        "Some S1 products are 1424 x 1424 instead of 1068 x 1068; they are stored as they are.",
        "Cloud masks are converted only with --cloud-mask-dir, from the same place as the images.",
        "Thumbnails are skipped.",
        "No real file of L1C or of the DEM was at hand: no dtype is enforced for them.",
    ),
    is_original=True,
)
