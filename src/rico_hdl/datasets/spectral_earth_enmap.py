"""The EnMAP patches of SpectralEarth.

Band count: Braham et al., "SpectralEarth: Training Hyperspectral Foundation Models at Scale", 2024
(arXiv:2408.08447). Not tested with real files: the layout follows the original rico-hdl, and the
dtype is not enforced.
"""

from rico_hdl.spec import Band, DatasetSpec, Labels, LabelTable, Modality, Template

SPEC = DatasetSpec(
    name="spectral-earth-enmap",
    title="SpectralEarth (EnMAP)",
    summary="Hyperspectral EnMAP patches of 128 x 128 pixels and 202 bands.",
    url="https://github.com/AABNassim/spectral_earth",
    topic="Hyperspectral",
    keywords=("pre-training",),
    citation=(
        "N. A. A. Braham, C. M. Albrecht, J. Mairal, J. Chanussot, Y. Wang, X. X. Zhu: "
        "SpectralEarth: Training Hyperspectral Foundation Models at Scale. 2024."
    ),
    labels=Labels(
        tables=(LabelTable("{split}.txt", row="{location:7d}/{number:5d}.tif", split="split"),)
    ),
    modalities=(
        Modality(
            name="enmap",
            title="EnMAP patches",
            option="--dataset-dir",
            files=Template.parse("{location:7d}/{number:5d}.tif"),
            key=Template.parse("{location}_{number}.tif"),
            bands=tuple(Band(f"B{i}", index=i, shape=(128, 128)) for i in range(1, 203)),
            folder="enmap",
            example="0000102/00000.tif",
            n_published=538_974,
        ),
    ),
    notes=("Keys keep the suffix .tif, as in the original rico-hdl.",),
    is_original=True,
)
