"""CaFFe of GEO-Bench-2: patches of SAR images of glaciers, with masks of zones.

Layout: GEO-Bench-2's code (The-AI-Alliance/GEO-Bench-2, `geobench_v2/generate_benchmark/
new_caffe.py` and `caffe.py`). Not tested with real files.
"""

from rico_hdl.spec import (
    Band,
    DatasetSpec,
    Download,
    KeyForm,
    Labels,
    LabelTable,
    Modality,
    Template,
)

_SHAPE = (512, 512)
_DOWNLOADS = (Download("geobench_caffe.tortilla"),)


SPEC = DatasetSpec(
    name="geo-bench-2-caffe",
    title="GEO-Bench-2 CaFFe",
    summary="SAR patches of 512 x 512 pixels of glaciers with masks of zones.",
    url="https://huggingface.co/datasets/aialliance/caffe",
    topic="GEO-Bench-2",
    keywords=("SAR", "segmentation", "ice"),
    citation=(
        "N. Simumba, N. Lehmann, P. Fraccaro, and others: GEO-Bench-2: From Performance to "
        "Capability, Rethinking Evaluation in Geospatial AI. 2025 (arXiv:2511.15658). Images: N. "
        "Gourmelon, T. Seehaus, M. Braun, A. Maier, V. Christlein: Calving Fronts and Where to "
        "Find Them. Earth System Science Data, 2022."
    ),
    labels=Labels(
        tables=(
            LabelTable(
                "",
                (
                    KeyForm("sar", "{id}_image"),
                    KeyForm("zones", "{id}_mask"),
                ),
                split="data_split",
            ),
        ),
    ),
    modalities=(
        Modality(
            name="sar",
            title="SAR patches",
            option="--sar-dir",
            files=Template.parse("sample_{number:d}/image.tif"),
            key=Template.parse("sample_{number:d}_image"),
            bands=(Band("gray", shape=_SHAPE),),
            folder="geobench_caffe",
            downloads=_DOWNLOADS,
            example="sample_0/image.tif",
        ),
        Modality(
            name="zones",
            role="mask",
            title="masks of zones",
            option="--zones-dir",
            files=Template.parse("sample_{number:d}/mask.tif"),
            key=Template.parse("sample_{number:d}_mask"),
            bands=(Band("Data", shape=_SHAPE),),
            classes=("N/A", "rock", "glacier", "ocean/ice melange"),
            folder="geobench_caffe",
            downloads=_DOWNLOADS,
            example="sample_0/mask.tif",
        ),
    ),
    notes=(
        "Patches were cut by GEO-Bench-2 and are not those of CaFFe's own release.",
        "Splits are in the footer of the archive, by the ids that keys begin with.",
        (
            "No real file was at hand: names and bands are those of GEO-Bench-2's code; no dtype "
            "is enforced."
        ),
    ),
)
