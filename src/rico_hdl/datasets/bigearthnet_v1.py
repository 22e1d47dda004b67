"""BigEarthNet v1.0 (BigEarthNet-MM): Sentinel-1 and Sentinel-2 patches.

Band order, shapes and archives: Sumbul et al., "BigEarthNet-MM: A Large-Scale, Multimodal,
Multilabel Benchmark Archive for Remote Sensing Image Classification and Retrieval", IEEE GRSM 2021
(arXiv:2105.07921), torchgeo's reader, and, for Sentinel-2, the files themselves.
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
# In v2.0, N9999 follows the time. The names of other layers end in a word.
_S2_PATCHES = "S2?_MSIL2A_????????T??????_[0-9]*[0-9]"
_S2_PATCH = "S2A_MSIL2A_20170617T113321_36_85"

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
    files=Template.parse("{patch}/{patch}_{band}.tif", patch="S1?_IW_GRDH_*"),
    key=Template.parse("{patch}"),
    bands=(Band("VH", shape=_10M), Band("VV", shape=_10M)),
    # Presumably float32, as in v2.0; no real file was at hand.
    folder="BigEarthNet-S1-v1.0",
    companions=("*_labels_metadata.json",),
    downloads=(Download("BigEarthNet-S1-v1.0.tar.gz", md5="94ced73440dea8c7b9645ee738c5a172"),),
    example=(
        "S1A_IW_GRDH_1SDV_20170613T165043_33UUP_61_39/"
        "S1A_IW_GRDH_1SDV_20170613T165043_33UUP_61_39_VH.tif"
    ),
    n_published=590_326,
)

_S2 = Modality(
    name="s2",
    title="Sentinel-2 L2A patches",
    option="--bigearthnet-s2-dir",
    files=Template.parse("{patch}/{patch}_{band}.tif", patch=_S2_PATCHES),
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
    folder="BigEarthNet-v1.0",
    companions=("*_labels_metadata.json",),
    downloads=(Download("BigEarthNet-S2-v1.0.tar.gz", md5="5a64e9ce38deb036a435a7b59494924c"),),
    presets=_PRESETS,
    example=f"{_S2_PATCH}/{_S2_PATCH}_B01.tif",
    n_published=590_326,
)


def _ben_ge(name: str, title: str, band: str) -> Modality:
    return Modality(
        name=name,
        title=title,
        option=f"--ben-ge-{name}-dir",
        files=Template.parse(f"**/{{patch}}_{name}.tif", patch=_S2_PATCHES),
        key=Template.parse(f"{{patch}}_{name}"),
        bands=(Band(band, shape=_10M),),
        folder=f"ben-ge-{name}",
        example=f"{_S2_PATCH}_{name}.tif",
        n_published=590_326,
    )


CLASSES = (
    "Continuous urban fabric",
    "Discontinuous urban fabric",
    "Industrial or commercial units",
    "Road and rail networks and associated land",
    "Port areas",
    "Airports",
    "Mineral extraction sites",
    "Dump sites",
    "Construction sites",
    "Green urban areas",
    "Sport and leisure facilities",
    "Non-irrigated arable land",
    "Permanently irrigated land",
    "Rice fields",
    "Vineyards",
    "Fruit trees and berry plantations",
    "Olive groves",
    "Pastures",
    "Annual crops associated with permanent crops",
    "Complex cultivation patterns",
    "Land principally occupied by agriculture, with significant areas of natural vegetation",
    "Agro-forestry areas",
    "Broad-leaved forest",
    "Coniferous forest",
    "Mixed forest",
    "Natural grassland",
    "Moors and heathland",
    "Sclerophyllous vegetation",
    "Transitional woodland/shrub",
    "Beaches, dunes, sands",
    "Bare rock",
    "Sparsely vegetated areas",
    "Burnt areas",
    "Inland marshes",
    "Peatbogs",
    "Salt marshes",
    "Salines",
    "Intertidal flats",
    "Water courses",
    "Water bodies",
    "Coastal lagoons",
    "Estuaries",
    "Sea and ocean",
)
"""The 43 classes of CORINE Land Cover that occur, in the order of their codes (Sumbul et al.,
"BigEarthNet", IGARSS 2019, arXiv:1902.06148)."""

SPEC = DatasetSpec(
    name="bigearthnet-v1",
    title="BigEarthNet v1.0",
    summary="Pairs of Sentinel-1 and Sentinel-2 patches of 1.2 km, as first released.",
    url="https://zenodo.org/records/12687186",
    topic="Sentinel-1 with Sentinel-2",
    keywords=("SAR", "multispectral", "multi-label", "classification", "elevation", "land cover"),
    licence="CDLA-Permissive-1.0",
    citation=(
        "G. Sumbul, A. de Wall, T. Kreuziger, F. Marcelino, H. Costa, P. Benevides, M. Caetano, "
        "B. Demir, V. Markl: BigEarthNet-MM: A Large-Scale, Multimodal, Multilabel Benchmark "
        "Archive for Remote Sensing Image Classification and Retrieval. IEEE Geoscience and Remote "
        "Sensing Magazine, 2021."
    ),
    labels=Labels(
        classes=CLASSES,
        kind="multi",
        tables=(
            # The labels of an S1 patch name its S2 patch; those of an S2 patch don't have the name.
            LabelTable(
                "{patch}/{patch}_labels_metadata.json",
                (KeyForm("s2", "{corresponding_s2_patch}"), KeyForm("", "{patch}")),
                label=("labels",),
                is_record=True,
            ),
            LabelTable(
                "{split}.csv",
                (KeyForm("s2", "{s2}"), KeyForm("s1", "{s1}")),
                split="split",
                header=("s2", "s1"),
            ),
        ),
    ),
    modalities=(
        _S1,
        _S2,
        _ben_ge("dem", "elevation (ben-ge)", "DEM"),
        _ben_ge("esaworldcover", "ESA WorldCover (ben-ge)", "Data"),
    ),
    notes=(
        (
            "Labels, splits and names differ from those of the second release. Don't mix them: S1 "
            "patches of both releases have the same keys."
        ),
        (
            "S1 and S2 patches pair through corresponding_s2_patch in the labels of an S1 patch, "
            "not by their keys."
        ),
        (
            "Elevation and WorldCover are of ben-ge (Mommert et al., IGARSS 2023), which extends "
            "these patches. Its files were not at hand, and no dtype is enforced for them."
        ),
    ),
)
