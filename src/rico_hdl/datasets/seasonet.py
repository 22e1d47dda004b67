"""SeasoNet: Sentinel-2 patches of all of Germany in four seasons, with land cover masks.

Layout, bands of each file, archives and checksums: torchgeo's reader; Koßmann, Brack, Wilhelm,
"SeasoNet: A Seasonal Scene Classification, Segmentation and Retrieval Dataset for Satellite Imagery
over Germany", IGARSS 2022 (arXiv:2207.09507). No real file was at hand.
"""

from rico_hdl.spec import (
    Band,
    DatasetSpec,
    Download,
    Labels,
    LabelTable,
    Modality,
    Preset,
    Template,
)

_STEM = "{season}/{grid}/{patch}/{patch}"
# Names end in a number, so keys of patches differ from those of masks.
_PATCH = "[0-9][0-9][A-Z][A-Z][A-Z]_*[0-9]"
_EXAMPLE = (
    "spring/grid1/32UME_20180418T104021_53_928425_7_503876/32UME_20180418T104021_53_928425_7_503876"
)
_DOWNLOADS = (
    Download("spring.zip", md5="de4cdba7b6196aff624073991b187561"),
    Download("summer.zip", md5="6a54d4e134d27ae4eb03f180ee100550"),
    Download("fall.zip", md5="5f94920fe41a63c6bfbab7295f7d6b95"),
    Download("winter.zip", md5="dc5e3e09e52ab5c72421b1e3186c9a48"),
    Download("snow.zip", md5="e1b300994143f99ebb03f51d6ab1cbe6"),
)
_10M, _20M, _60M = (120, 120), (60, 60), (20, 20)
_N_PUBLISHED = 1_759_830

SPEC = DatasetSpec(
    name="seasonet",
    title="SeasoNet",
    summary="Sentinel-2 patches of 1.2 km of Germany in four seasons, with land cover masks.",
    url="https://zenodo.org/records/5850306",
    topic="Sentinel-1 or Sentinel-2",
    keywords=("multispectral", "segmentation", "land cover", "seasons", "Germany"),
    citation=(
        "D. Koßmann, V. Brack, T. Wilhelm: SeasoNet: A Seasonal Scene Classification, Segmentation "
        "and Retrieval Dataset for Satellite Imagery over Germany. IGARSS 2022."
    ),
    labels=Labels(
        classes=tuple(map(str, range(1, 34))),
        kind="multi",
        tables=(
            LabelTable(
                "meta.csv",
                row="{season}/{grid}/{patch}",
                column="path",
                label=("classes",),
                separator=",",
            ),
        ),
    ),
    modalities=(
        Modality(
            name="s2",
            title="Sentinel-2 patches",
            option="--s2-dir",
            files=Template.parse(f"{_STEM}_{{band}}.tif", patch=_PATCH),
            key=Template.parse("{season}_{grid}_{patch}"),
            bands=(
                Band("B01", "60m", 1, _60M),
                Band("B02", "10m_RGB", 3, _10M),
                Band("B03", "10m_RGB", 2, _10M),
                Band("B04", "10m_RGB", 1, _10M),
                Band("B05", "20m", 1, _20M),
                Band("B06", "20m", 2, _20M),
                Band("B07", "20m", 3, _20M),
                Band("B08", "10m_IR", 1, _10M),
                Band("B8A", "20m", 4, _20M, ("B08A",)),
                Band("B09", "60m", 2, _60M),
                Band("B11", "20m", 5, _20M),
                Band("B12", "20m", 6, _20M),
            ),
            presets=(
                Preset("rgb", ("B04", "B03", "B02")),
                Preset("10m", ("B02", "B03", "B04", "B08")),
                Preset("20m", ("B05", "B06", "B07", "B8A", "B11", "B12")),
                Preset("60m", ("B01", "B09")),
            ),
            folder="SeasoNet",
            downloads=_DOWNLOADS,
            example=f"{_EXAMPLE}_10m_RGB.tif",
            n_published=_N_PUBLISHED,
        ),
        Modality(
            name="labels",
            title="land cover masks",
            option="--labels-dir",
            files=Template.parse(f"{_STEM}_labels.tif", patch=_PATCH),
            key=Template.parse("{season}_{grid}_{patch}_labels"),
            bands=(Band("labels", shape=_10M),),
            role="mask",
            folder="SeasoNet",
            downloads=_DOWNLOADS,
            example=f"{_EXAMPLE}_labels.tif",
            n_published=_N_PUBLISHED,
        ),
    ),
    notes=(
        (
            "A patch has four files: 10m_RGB with B04, B03 and B02, 10m_IR with B08, 20m with six "
            "bands, and 60m with B01 and B09."
        ),
        (
            "The same name of a patch may occur in another season or grid, so both are part of the "
            "key. The key of its mask has _labels in addition."
        ),
        "Classes of the masks are 1 to 33. splits.zip holds positions in meta.csv, not names.",
        (
            "No real file was at hand: the order of the 20 m bands is presumed, and no dtype is "
            "enforced."
        ),
    ),
)
