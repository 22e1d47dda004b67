"""Million-AID: aerial RGB images of a hierarchy of scene classes as JPEG files.

Layout, archives and checksums: torchgeo's reader; Long et al., "On Creating Benchmark Dataset for
Aerial Image Interpretation: Reviews, Guidances, and Million-AID", JSTARS 2021 (arXiv:2006.12485).
Band order: JPEG's own. No real file was at hand.
"""

from rico_hdl.spec import Band, DatasetSpec, Download, Labels, Modality, Preset, Template

SPEC = DatasetSpec(
    name="million-aid",
    title="Million-AID",
    summary="A million aerial RGB images in 51 scene classes, which have two or three levels.",
    url="https://captain-whu.github.io/DiRS/",
    topic="Aerial images",
    keywords=("classification", "scenes", "VHR", "pre-training"),
    citation=(
        "Y. Long, G.-S. Xia, S. Li, W. Yang, M. Y. Yang, X. X. Zhu, L. Zhang, D. Li: On Creating "
        "Benchmark Dataset for Aerial Image Interpretation: Reviews, Guidances, and Million-AID. "
        "IEEE JSTARS 2021."
    ),
    labels=Labels("class", split="split"),
    modalities=(
        Modality(
            name="rgb",
            title="aerial RGB images",
            option="--dataset-dir",
            files=Template.parse(
                "{split}/{class:*}/{name}.jpg", split="t[er][as][it]*", name="P*[0-9]"
            ),
            key=Template.parse("{name}"),
            bands=(Band("Red", index=1), Band("Green", index=2), Band("Blue", index=3)),
            presets=(Preset("rgb", ("Red", "Green", "Blue")),),
            folder="Million-AID",
            downloads=(
                Download("train.zip", md5="1b40503cafa9b0601653ca36cd788852"),
                Download("test.zip", md5="51a63ee3eeb1351889eacff349a983d8"),
            ),
            example="train/agriculture_land/grassland/meadow/P0115918.jpg",
            n_published=1_000_848,
        ),
    ),
    notes=(
        (
            "The class of an image is the path of its folders, such as "
            "agriculture_land/grassland/meadow. Keys are the names of the files, which lack it."
        ),
        "Images vary in size from about 110 x 110 pixels up to tens of thousands.",
        "Images for training are labelled; what the folders for testing are called is unknown.",
        "No real file was at hand: names follow torchgeo's reader, and the dtype is not enforced.",
    ),
)
