"""SEN12MS: Sentinel-1, Sentinel-2 and MODIS land-cover patches of the same places.

Layout and band order: Schmitt et al., "SEN12MS: A Curated Dataset of Georeferenced Multi-Spectral
Sentinel-1/2 Imagery for Deep Learning and Data Fusion", ISPRS Annals IV-2/W7, 2019
(arXiv:1906.07789), the authors' repository and torchgeo's reader. Not tested with real files.
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

_SHAPE = (256, 256)
_S2_NAMES = (
    "B1", "B2", "B3", "B4", "B5", "B6", "B7", "B8", "B8A", "B9", "B10", "B11", "B12",
)  # fmt: skip
_S1_NAMES = ("VV", "VH")
_LC_NAMES = ("IGBP", "LCCS_LC", "LCCS_LU", "LCCS_SH")

# The files hold all bands at 10 m; presets are named after the bands' native resolution.
_PRESETS = (
    Preset("rgb", ("B4", "B3", "B2")),
    Preset("10m", ("B2", "B3", "B4", "B8")),
    Preset("20m", ("B5", "B6", "B7", "B8A", "B11", "B12")),
    Preset("60m", ("B1", "B9", "B10")),
)
_MD5 = {
    "ROIs1158_spring_lc": "6e2e8fa8b8cba77ddab49fd20ff5c37b",
    "ROIs1158_spring_s1": "fba019bb27a08c1db96b31f718c34d79",
    "ROIs1158_spring_s2": "d58af2c15a16f376eb3308dc9b685af2",
    "ROIs1868_summer_lc": "2c5bd80244440b6f9d54957c6b1f23d4",
    "ROIs1868_summer_s1": "01044b7f58d33570c6b57fec28a3d449",
    "ROIs1868_summer_s2": "4dbaf72ecb704a4794036fe691427ff3",
    "ROIs1970_fall_lc": "9b126a68b0e3af260071b3139cb57cee",
    "ROIs1970_fall_s1": "19132e0aab9d4d6862fd42e8e6760847",
    "ROIs1970_fall_s2": "b8f117818878da86b5f5e06400eb1866",
    "ROIs2017_winter_lc": "0fa0420ef7bcfe4387c7e6fe226dc728",
    "ROIs2017_winter_s1": "bb8cbfc16b95a4f054a3d5380e0130ed",
    "ROIs2017_winter_s2": "3807545661288dcca312c9c538537b63",
}


def _modality(
    name: str, title: str, names: tuple[str, ...], presets: tuple[Preset, ...] = ()
) -> Modality:
    sums = {stem: md5 for stem, md5 in _MD5.items() if stem.endswith(f"_{name}")}
    return Modality(
        name=name,
        title=title,
        option=f"--{name}-dir",
        files=Template.parse(
            f"**/{{season}}/{name}_{{scene:d}}/{{season}}_{name}_{{scene:d}}_p{{number:d}}.tif",
            # Seasons of the contest of 2020 begin with ROIs0000.
            season="ROIs[12]*",
        ),
        key=Template.parse(f"{{season}}_{name}_{{scene:d}}_p{{number:d}}"),
        bands=tuple(
            Band(band, index=i, shape=_SHAPE, aliases=("B08A",) if band == "B8A" else ())
            for i, band in enumerate(names, 1)
        ),
        presets=presets,
        folder="SEN12MS",
        downloads=(
            Download(f"ROIs*_{name}.tar.gz"),
            *(Download(f"{stem}.tar.gz", md5=md5) for stem, md5 in sums.items()),
        ),
        example=f"ROIs1158_spring/{name}_1/ROIs1158_spring_{name}_1_p1.tif",
    )


SPEC = DatasetSpec(
    name="sen12ms",
    title="SEN12MS",
    summary="Triplets of Sentinel-1, Sentinel-2 and land-cover patches of 256 x 256 pixels.",
    url="https://mediatum.ub.tum.de/1474000",
    topic="Sentinel-1 with Sentinel-2",
    keywords=("SAR", "multispectral", "segmentation"),
    citation=(
        "M. Schmitt, L. H. Hughes, C. Qiu, X. X. Zhu: SEN12MS: A Curated Dataset of Georeferenced "
        "Multi-Spectral Sentinel-1/2 Imagery for Deep Learning and Data Fusion. ISPRS Annals of "
        "the Photogrammetry, Remote Sensing and Spatial Information Sciences IV-2/W7, 2019."
    ),
    labels=Labels(
        tables=(
            LabelTable(
                "{split}_list.txt", row="{season}_s2_{scene:d}_p{number:d}.tif", split="split"
            ),
        )
    ),
    modalities=(
        _modality("s1", "Sentinel-1 patches", _S1_NAMES),
        _modality("s2", "Sentinel-2 L1C patches", _S2_NAMES, _PRESETS),
        _modality("lc", "MODIS land-cover patches", _LC_NAMES),
    ),
    notes=(
        (
            "Keys of the three modalities differ only in s1, s2 and lc; the same key otherwise is "
            "the same place."
        ),
        (
            "The cloud-removal edition has the same keys for other pixels: never convert both into "
            "one store."
        ),
        "ROIs1868_summer_s1_146_p202 is damaged in the release: its pixels are NaN.",
        "Land cover is MODIS at 500 m, resampled to 10 m; its class 3 (savanna) is unreliable.",
        "No real file was at hand: bands and names are the authors', and no dtype is enforced.",
    ),
)
