"""NWPU-RESISC45: aerial RGB scenes of 45 classes as JPEG files.

Band order: JPEG's own; Cheng, Han, Lu, "Remote Sensing Image Scene Classification: Benchmark and
State of the Art", Proceedings of the IEEE 2017 (arXiv:1703.00121). No real file was at hand; names
and archive follow torchgeo.
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

SPEC = DatasetSpec(
    name="resisc45",
    title="NWPU-RESISC45",
    summary="Aerial RGB scenes of 256 x 256 pixels in 45 classes.",
    url="https://doi.org/10.1109/JPROC.2017.2675998",
    topic="Aerial images",
    keywords=("VHR", "classification"),
    citation=(
        "G. Cheng, J. Han, X. Lu: Remote Sensing Image Scene Classification: Benchmark and State "
        "of the Art. Proceedings of the IEEE 2017."
    ),
    labels=Labels(
        "class",
        tables=(
            LabelTable(
                "resisc45-{split}.txt",
                row="{class}_{number:3d}.jpg",
                split="split",
            ),
        ),
    ),
    modalities=(
        Modality(
            name="rgb",
            title="aerial RGB scenes",
            option="--dataset-dir",
            files=Template.parse("**/{class}/{class}_{number:3d}.jpg", **{"class": "[a-z]*"}),
            key=Template.parse("{class}_{number:3d}"),
            bands=(
                Band("Red", index=1, shape=_SHAPE),
                Band("Green", index=2, shape=_SHAPE),
                Band("Blue", index=3, shape=_SHAPE),
            ),
            presets=(Preset("rgb", ("Red", "Green", "Blue")),),
            folder="NWPU-RESISC45",
            downloads=(Download("NWPU-RESISC45.zip", md5="75206b2e16446591afa88e2628744886"),),
            example="airplane/airplane_001.jpg",
            n_published=31_500,
        ),
    ),
    notes=(
        "No real file was at hand: names follow torchgeo's reader, and the dtype is not enforced.",
        "The original .rar is not supported: unpack it, or use a copy that is a zip.",
    ),
)
