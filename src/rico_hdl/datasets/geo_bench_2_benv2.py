"""BigEarthNet v2 of GEO-Bench-2: Sentinel-1 and Sentinel-2 patches, resampled to 10 m.

Layout: files of the release's form, and GEO-Bench-2's code (The-AI-Alliance/GEO-Bench-2,
`geobench_v2/datasets/benv2.py`), which also gives the order of Sentinel-2's bands. That of
Sentinel-1's is the order in which `generate_benchmark/benv2.py` names the files of the bands; in
nine real samples, the first band has a mean of -24 dB and the second one of -14 dB.
"""

from rico_hdl.datasets.bigearthnet import CLASSES
from rico_hdl.spec import (
    Band,
    DatasetSpec,
    Download,
    KeyForm,
    Labels,
    LabelTable,
    Modality,
    Preset,
    Template,
)

_SHAPE = (120, 120)
_DOWNLOADS = (Download("geobench_benv2.tortilla"),)
_S2_NAMES = ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B11", "B12")

SPEC = DatasetSpec(
    name="geo-bench-2-benv2",
    title="GEO-Bench-2 BENv2",
    summary=("Sentinel-1 and Sentinel-2 patches of 120 x 120 pixels with labels of land cover."),
    url="https://huggingface.co/datasets/aialliance/benv2",
    topic="GEO-Bench-2",
    keywords=("SAR", "multispectral", "multi-label", "classification"),
    citation=(
        "N. Simumba, N. Lehmann, P. Fraccaro, and others: GEO-Bench-2: From Performance to "
        "Capability, Rethinking Evaluation in Geospatial AI. 2025 (arXiv:2511.15658). Images: K. "
        "N. Clasen, L. Hackel, T. Burgert, G. Sumbul, B. Demir, V. Markl: reBEN: Refined "
        "BigEarthNet Dataset for Remote Sensing Image Analysis. IGARSS 2025."
    ),
    labels=Labels(
        classes=CLASSES,
        kind="multi",
        tables=(
            LabelTable(
                "",
                (
                    KeyForm("s1", "{id}_s1"),
                    KeyForm("s2", "{id}_s2"),
                ),
                label=("labels",),
                split="data_split",
            ),
        ),
    ),
    modalities=(
        Modality(
            name="s1",
            title="Sentinel-1 patches",
            option="--s1-dir",
            files=Template.parse("sample_{number:d}/s1.tif"),
            key=Template.parse("sample_{number:d}_s1"),
            bands=tuple(
                Band(name, index=i, shape=_SHAPE) for i, name in enumerate(("VH", "VV"), 1)
            ),
            dtype="float32",
            folder="geobench_benv2",
            downloads=_DOWNLOADS,
            example="sample_12798/s1.tif",
        ),
        Modality(
            name="s2",
            title="Sentinel-2 patches",
            option="--s2-dir",
            files=Template.parse("sample_{number:d}/s2.tif"),
            key=Template.parse("sample_{number:d}_s2"),
            bands=tuple(Band(name, index=i, shape=_SHAPE) for i, name in enumerate(_S2_NAMES, 1)),
            dtype="uint16",
            presets=(Preset("rgb", ("B04", "B03", "B02")),),
            folder="geobench_benv2",
            downloads=_DOWNLOADS,
            example="sample_12798/s2.tif",
        ),
    ),
    notes=(
        (
            "Sentinel-1's bands are VH and VV, in this order. GEO-Bench-2's code calls them VV and "
            "VH."
        ),
        (
            "All bands are resampled to 10 m. `patch_id` in the footer is the name of the "
            "Sentinel-2 patch in the original dataset."
        ),
        "Splits and labels are in the footer of the archive, by the ids that keys begin with.",
    ),
)
