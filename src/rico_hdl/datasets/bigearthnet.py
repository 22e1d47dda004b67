"""BigEarthNet v2.0 (reBEN): Sentinel-1, Sentinel-2 and reference-map patches.

Band order, dtypes and shapes: Clasen et al., "reBEN: Refined BigEarthNet Dataset for Remote Sensing
Image Analysis", IGARSS 2025 (arXiv:2407.03653), and the files themselves. Patches of v1.0 have the
same bands; those of Sentinel-2 lack the processing baseline (N9999) and the orbit in their names,
those of Sentinel-1 the folders of scenes.
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

_10M, _20M, _60M = (120, 120), (60, 60), (20, 20)
_S2_PATCH = "S2?_MSIL2A_*_N9999_R*[0-9]"
_S1_NAME = "S1?_IW_GRDH_*"
_SCENE = "S2A_MSIL2A_20170613T101031_N9999_R022_T33UUP"

_PRESETS = (
    Preset("rgb", ("B04", "B03", "B02")),
    Preset("10m", ("B02", "B03", "B04", "B08")),
    Preset("20m", ("B05", "B06", "B07", "B8A", "B11", "B12")),
    Preset("60m", ("B01", "B09")),
)

_S1 = Modality(
    name="s1",
    title="Sentinel-1 patches",
    option="--bigearthnet-s1-dir",
    files=Template.parse("{scene}/{patch}/{patch}_{band}.tif", scene=_S1_NAME, patch=_S1_NAME),
    key=Template.parse("{patch}"),
    bands=(Band("VH", shape=_10M), Band("VV", shape=_10M)),
    dtype="float32",
    folder="BigEarthNet-S1",
    downloads=(
        Download("BigEarthNet-S1.tar.zst", md5="a55eaa2cdf6a917e296bd6601ec1e348"),
        Download("BigEarthNet-S1.tar.gz*"),
    ),
    example=(
        "S1A_IW_GRDH_1SDV_20170613T165043/S1A_IW_GRDH_1SDV_20170613T165043_33UUP_70_48/"
        "S1A_IW_GRDH_1SDV_20170613T165043_33UUP_70_48_VH.tif"
    ),
    n_published=549_488,
)

_S2 = Modality(
    name="s2",
    title="Sentinel-2 L2A patches",
    option="--bigearthnet-s2-dir",
    files=Template.parse("{scene}/{patch}/{patch}_{band}.tif", patch=_S2_PATCH),
    key=Template.parse("{patch}"),
    bands=(
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
    ),
    dtype="uint16",
    folder="BigEarthNet-S2",
    downloads=(
        Download("BigEarthNet-S2.tar.zst", md5="2245ed2d1a93f6ce637d839bc856396e"),
        Download("BigEarthNet-S2.tar.gz*"),
    ),
    presets=_PRESETS,
    example=f"{_SCENE}/{_SCENE}_75_43/{_SCENE}_75_43_B01.tif",
    n_published=549_488,
)

_REFERENCE_MAPS = Modality(
    name="reference-maps",
    role="mask",
    title="pixel-level reference maps (CORINE land cover codes)",
    option="--bigearthnet-reference-maps-dir",
    aliases=("--bigearthnet-reference-maps",),
    files=Template.parse("{scene}/{patch}/{patch}_reference_map.tif", patch=_S2_PATCH),
    key=Template.parse("{patch}_reference_map"),
    bands=(Band("Data", shape=_10M),),
    dtype="uint16",
    folder="Reference_Maps",
    downloads=(
        Download("Reference_Maps.tar.zst", md5="95d85a222fa983faddcac51a19f28917"),
        Download("Reference_Maps.tar.gz*"),
    ),
    example=f"{_SCENE}/{_SCENE}_26_57/{_SCENE}_26_57_reference_map.tif",
    n_published=549_488,
)

CLASSES = (
    "Agro-forestry areas",
    "Arable land",
    "Beaches, dunes, sands",
    "Broad-leaved forest",
    "Coastal wetlands",
    "Complex cultivation patterns",
    "Coniferous forest",
    "Industrial or commercial units",
    "Inland waters",
    "Inland wetlands",
    "Land principally occupied by agriculture, with significant areas of natural vegetation",
    "Marine waters",
    "Mixed forest",
    "Moors, heathland and sclerophyllous vegetation",
    "Natural grassland and sparsely vegetated areas",
    "Pastures",
    "Permanent crops",
    "Transitional woodland, shrub",
    "Urban fabric",
)
"""The 19 classes, in alphabetical order, as `rico_hdl.labels.CLASSES` has them."""

SPEC = DatasetSpec(
    name="bigearthnet",
    title="BigEarthNet v2.0",
    summary="Pairs of Sentinel-1 and Sentinel-2 patches of 1.2 km with land-cover reference maps.",
    url="https://bigearth.net",
    topic="Sentinel-1 with Sentinel-2",
    keywords=("SAR", "multispectral", "multi-label", "classification", "segmentation"),
    citation=(
        "K. Clasen, L. Hackel, T. Burgert, G. Sumbul, B. Demir, V. Markl: reBEN: Refined "
        "BigEarthNet Dataset for Remote Sensing Image Analysis. IGARSS 2025."
    ),
    labels=Labels(
        classes=CLASSES,
        kind="multi",
        tables=(
            LabelTable(
                "metadata.parquet",
                (
                    KeyForm("s2", "{patch_id}"),
                    KeyForm("s1", "{s1_name}"),
                    KeyForm("reference-maps", "{patch_id}_reference_map"),
                ),
                label=("labels",),
                split="split",
            ),
        ),
    ),
    modalities=(_S1, _S2, _REFERENCE_MAPS),
    notes=(
        "S1 and S2 patches pair through the column s1_name of metadata.parquet, not by their keys.",
    ),
    is_original=True,
)
