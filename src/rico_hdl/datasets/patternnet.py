"""PatternNet: aerial RGB images of 38 classes as JPEG files.

Band order: JPEG's own; Zhou et al., "PatternNet: A Benchmark Dataset for Performance Evaluation of
Remote Sensing Image Retrieval", ISPRS Journal 2018 (arXiv:1706.03424). No real file was at hand;
names and archive follow torchgeo.
"""

from rico_hdl.spec import Band, DatasetSpec, Download, Labels, Modality, Preset, Template

_SHAPE = (256, 256)

SPEC = DatasetSpec(
    name="patternnet",
    title="PatternNet",
    summary="Aerial RGB images of 256 x 256 pixels in 38 classes, for retrieval.",
    url="https://sites.google.com/view/zhouwx/dataset",
    topic="Aerial images",
    keywords=("VHR", "classification"),
    citation=(
        "W. Zhou, S. Newsam, C. Li, Z. Shao: PatternNet: A Benchmark Dataset for Performance "
        "Evaluation of Remote Sensing Image Retrieval. ISPRS Journal of Photogrammetry and Remote "
        "Sensing 2018."
    ),
    labels=Labels("class"),
    modalities=(
        Modality(
            name="rgb",
            title="aerial RGB images",
            option="--dataset-dir",
            files=Template.parse("**/{class}/{class}{number:3d}.jpg"),
            key=Template.parse("{class}{number:3d}"),
            bands=(
                Band("Red", index=1, shape=_SHAPE),
                Band("Green", index=2, shape=_SHAPE),
                Band("Blue", index=3, shape=_SHAPE),
            ),
            presets=(Preset("rgb", ("Red", "Green", "Blue")),),
            folder="PatternNet",
            downloads=(Download("PatternNet.zip", md5="96d54b3224c5350a98d55d5a7e6984ad"),),
            example="images/airplane/airplane001.jpg",
            n_published=30_400,
        ),
    ),
    notes=(
        "No real file was at hand: names follow torchgeo's reader, and the dtype is not enforced.",
        "There is no official split.",
    ),
)
