"""LoveDA: aerial RGB images of urban and rural scenes, with masks of land cover, as PNG files.

Band order: PNG's own; Wang et al., "LoveDA: A Remote Sensing Land-Cover Dataset for Domain Adaptive
Semantic Segmentation", NeurIPS Datasets and Benchmarks 2021 (arXiv:2110.08733). No real file was at
hand; names and archives follow torchgeo.
"""

from rico_hdl.spec import Band, DatasetSpec, Download, Labels, Modality, Preset, Template

_SHAPE = (1024, 1024)
_TRAIN_VAL = (
    Download("Train.zip", md5="de2b196043ed9b4af1690b3f9a7d558f"),
    Download("Val.zip", md5="84cae2577468ff0b5386758bb386d31d"),
)

_CLASSES = (
    "no data", "background", "building", "road", "water", "barren", "forest", "agriculture",
)  # fmt: skip

SPEC = DatasetSpec(
    name="loveda",
    title="LoveDA",
    summary="Aerial RGB images of 1024 x 1024 pixels with masks of land cover.",
    url="https://zenodo.org/records/5706578",
    topic="Aerial images",
    keywords=("VHR", "segmentation", "urban", "rural", "domain adaptation"),
    citation=(
        "J. Wang, Z. Zheng, A. Ma, X. Lu, Y. Zhong: LoveDA: A Remote Sensing Land-Cover Dataset "
        "for Domain Adaptive Semantic Segmentation. NeurIPS Datasets and Benchmarks 2021."
    ),
    labels=Labels(split="split"),
    modalities=(
        Modality(
            name="rgb",
            title="aerial RGB images",
            option="--rgb-dir",
            files=Template.parse("**/{split}/{scene}/images_png/{number:d}.png"),
            key=Template.parse("{split}_{scene}_{number:d}"),
            bands=(
                Band("Red", index=1, shape=_SHAPE),
                Band("Green", index=2, shape=_SHAPE),
                Band("Blue", index=3, shape=_SHAPE),
            ),
            presets=(Preset("rgb", ("Red", "Green", "Blue")),),
            folder="LoveDA",
            downloads=(
                *_TRAIN_VAL,
                Download("Test.zip", md5="a489be0090465e01fb067795d24e6b47"),
            ),
            example="Train/Rural/images_png/0.png",
        ),
        Modality(
            name="mask",
            role="mask",
            classes=_CLASSES,
            ignore=0,
            title="masks of land cover",
            option="--mask-dir",
            files=Template.parse("**/{split}/{scene}/masks_png/{number:d}.png"),
            key=Template.parse("{split}_{scene}_{number:d}_mask"),
            bands=(Band("mask", shape=_SHAPE),),
            folder="LoveDA",
            downloads=_TRAIN_VAL,
            example="Train/Rural/masks_png/0.png",
        ),
    ),
    notes=(
        "No real file was at hand: names follow torchgeo's reader, and the dtype is not enforced.",
        "The test split has no masks. Masks are 0 (no data) to 7.",
    ),
)
