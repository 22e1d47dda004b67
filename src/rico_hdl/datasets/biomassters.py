"""BioMassters: monthly Sentinel-1 and Sentinel-2 chips with above-ground biomass.

Layout and band order: the publisher's card, torchgeo's reader; Nascetti et al., "BioMassters: A
Benchmark Dataset for Forest Biomass Estimation using Multi-modal Satellite Time-series", NeurIPS
2023. Not tested with files of this release.
"""

from rico_hdl.spec import Band, DatasetSpec, Download, Modality, Preset, Template

_SHAPE = (256, 256)
_CHIP = "[0-9a-f]*"
_S1_NAMES = ("VV_asc", "VH_asc", "VV_desc", "VH_desc")
_S2_NAMES = ("B2", "B3", "B4", "B5", "B6", "B7", "B8", "B8A", "B11", "B12", "CLP")


def _features(
    sensor: str, title: str, names: tuple[str, ...], presets: tuple[Preset, ...] = ()
) -> Modality:
    return Modality(
        name=sensor.lower(),
        title=title,
        option=f"--{sensor.lower()}-dir",
        files=Template.parse(f"**/{{chip}}_{sensor}_{{month:2d}}.tif", chip=_CHIP),
        key=Template.parse(f"{{chip}}_{sensor}_{{month:2d}}"),
        time="month",
        bands=tuple(
            Band(name, index=i, shape=_SHAPE, aliases=("B08A",) if name == "B8A" else ())
            for i, name in enumerate(names, 1)
        ),
        presets=presets,
        folder="BioMassters",
        downloads=(Download("*_features.zip"),),
        example=f"train_features/0003d2eb_{sensor}_00.tif",
    )


SPEC = DatasetSpec(
    name="biomassters",
    title="BioMassters",
    summary="Monthly Sentinel-1 and Sentinel-2 chips of 256 x 256 pixels with forest biomass.",
    url="https://huggingface.co/datasets/nascetti-a/BioMassters",
    topic="Sentinel-1 with Sentinel-2",
    keywords=("SAR", "multispectral", "regression", "trees", "time series"),
    licence="CC-BY-4.0",
    citation=(
        "A. Nascetti, R. Yadav, K. Brodt, Q. Qu, H. Fan, Y. Shendryk, I. Shah, C. Chung: "
        "BioMassters: A Benchmark Dataset for Forest Biomass Estimation using Multi-modal "
        "Satellite Time-series. NeurIPS 2023 Datasets and Benchmarks."
    ),
    modalities=(
        _features("S1", "monthly Sentinel-1 chips", _S1_NAMES),
        _features(
            "S2", "monthly Sentinel-2 chips", _S2_NAMES, (Preset("rgb", ("B4", "B3", "B2")),)
        ),
        Modality(
            name="agbm",
            title="above-ground biomass",
            option="--agbm-dir",
            files=Template.parse("**/{chip}_agbm.tif", chip=_CHIP),
            key=Template.parse("{chip}_agbm"),
            bands=(Band("AGBM", shape=_SHAPE),),
            folder="BioMassters",
            downloads=(Download("*_agbm.zip"),),
            example="train_agbm/0003d2eb_agbm.tif",
        ),
    ),
    notes=(
        "Months count from September (00) to August (11), each with a key of its own.",
        "Months of S2 may be missing. A missing orbit of S1 is -9999 in its two bands.",
        "CLP is the probability of clouds in percent; 255 means that it is unknown.",
        "No file of this release was at hand, and no dtype is enforced.",
    ),
)
