"""AID: aerial RGB images of 30 classes as JPEG files.

Band order: JPEG's own; Xia et al., "AID: A Benchmark Data Set for Performance Evaluation of Aerial
Scene Classification", TGRS 2017 (arXiv:1608.05167). No real file was at hand; names follow several
public readers, which agree.
"""

from rico_hdl.spec import Band, DatasetSpec, Labels, Modality, Preset, Template

_SHAPE = (600, 600)

SPEC = DatasetSpec(
    name="aid",
    title="AID (Aerial Image Dataset)",
    summary="Aerial RGB images of 600 x 600 pixels in 30 scene classes.",
    url="https://captain-whu.github.io/AID/",
    topic="Aerial images",
    keywords=("classification", "scenes", "VHR"),
    citation=(
        "G.-S. Xia, J. Hu, F. Hu, B. Shi, X. Bai, Y. Zhong, L. Zhang, X. Lu: AID: A Benchmark "
        "Data Set for Performance Evaluation of Aerial Scene Classification. IEEE TGRS 2017."
    ),
    labels=Labels("class"),
    modalities=(
        Modality(
            name="rgb",
            title="aerial RGB images",
            option="--dataset-dir",
            # A folder and the files in it differ in case: BareLand/bareland_1.jpg.
            files=Template.parse(
                "**/{class}/{name}_{number:d}.jpg", **{"class": "[A-Z]*", "name": "[a-z]*"}
            ),
            key=Template.parse("{name}_{number}"),
            bands=(
                Band("Red", index=1, shape=_SHAPE),
                Band("Green", index=2, shape=_SHAPE),
                Band("Blue", index=3, shape=_SHAPE),
            ),
            presets=(Preset("rgb", ("Red", "Green", "Blue")),),
            folder="AID",
            example="BareLand/bareland_1.jpg",
            n_published=10_000,
        ),
    ),
    notes=(
        "No real file was at hand: names follow public readers, and the dtype is not enforced.",
        "Keys are the names of the files, whose case differs from that of the folders.",
        "Archives of many names are in circulation; unpack them, or name them with --dataset-dir.",
    ),
)
