"""LEVIR-CD: pairs of aerial RGB images of two dates, with masks of changed buildings, as PNG files.

Band order: PNG's own; Chen and Shi, "A Spatial-Temporal Attention-Based Method and a New Dataset
for Remote Sensing Image Change Detection", Remote Sensing 2020. No real file was at hand; names and
archives follow torchgeo.
"""

from rico_hdl.spec import Band, DatasetSpec, Download, Labels, Modality, Preset, Template

_SHAPE = (1024, 1024)
_RGB = (
    Band("Red", index=1, shape=_SHAPE),
    Band("Green", index=2, shape=_SHAPE),
    Band("Blue", index=3, shape=_SHAPE),
)


def _modality(name: str, title: str, part: str, bands: tuple[Band, ...]) -> Modality:
    """A modality whose files are in one of the publisher's folders A, B and label."""
    return Modality(
        name=name,
        title=title,
        option=f"--{name}-dir",
        files=Template.parse(f"**/{part}/{{split}}_{{number:d}}.png"),
        key=Template.parse(f"{{split}}_{{number}}_{name}"),
        bands=bands,
        role="image" if bands == _RGB else "mask",
        presets=(Preset("rgb", ("Red", "Green", "Blue")),) if bands == _RGB else (),
        folder="LEVIR-CD",
        downloads=(
            Download("train.zip", md5="a638e71f480628652dea78d8544307e4"),
            Download("val.zip", md5="f7b857978524f9aa8c3bf7f94e3047a4"),
            Download("test.zip", md5="07d5dd89e46f5c1359e2eca746989ed9"),
        ),
        example=f"{part}/train_1.png",
        n_published=637,
    )


SPEC = DatasetSpec(
    name="levir-cd",
    title="LEVIR-CD",
    summary="Pairs of aerial RGB images of 1024 x 1024 pixels with masks of changed buildings.",
    url="https://chenhao.in/LEVIR/",
    topic="Aerial images",
    keywords=("VHR", "change detection", "segmentation"),
    citation=(
        "H. Chen, Z. Shi: A Spatial-Temporal Attention-Based Method and a New Dataset for Remote "
        "Sensing Image Change Detection. Remote Sensing 2020."
    ),
    labels=Labels(split="split"),
    modalities=(
        _modality("before", "images before the change", "A", _RGB),
        _modality("after", "images after the change", "B", _RGB),
        _modality("change", "masks of changed buildings", "label", (Band("mask", shape=_SHAPE),)),
    ),
    notes=(
        "No real file was at hand: names follow torchgeo's reader, and the dtype is not enforced.",
        "Masks are 0 or 255. The three images of a place have keys that differ in their end.",
        "LEVIR-CD+ has the same names in each of its splits and is not supported.",
    ),
)
