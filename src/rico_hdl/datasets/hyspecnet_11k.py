"""HySpecNet-11k: hyperspectral patches of EnMAP.

Band order: as in the spectral image, all 224 bands of EnMAP L2A; Fuchs and Demir, "HySpecNet-11k: A
Large-Scale Hyperspectral Dataset for Benchmarking Learning-Based Hyperspectral Image Compression
Methods", IGARSS 2023 (arXiv:2306.00385).
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

_PATCH = (
    "ENMAP01-____L2A-DT0000004950_20221103T162438Z_001_V010110_20221118T145147Z-Y01460273_X03110438"
)

# Bands in which water vapour absorbs nearly all light; users commonly drop them.
_WATER_VAPOUR = {*range(127, 142), *range(161, 168)}

SPEC = DatasetSpec(
    name="hyspecnet-11k",
    title="HySpecNet-11k",
    summary="Hyperspectral EnMAP patches of 128 x 128 pixels and 224 bands.",
    url="https://hyspecnet.rsim.berlin",
    topic="Hyperspectral",
    keywords=("pre-training", "compression"),
    citation=(
        "M. H. P. Fuchs, B. Demir: HySpecNet-11k: A Large-Scale Hyperspectral Dataset for "
        "Benchmarking Learning-Based Hyperspectral Image Compression Methods. IGARSS 2023."
    ),
    labels=Labels(
        tables=(
            LabelTable(
                "{split}.csv", header=("file",), row="{patch}/{name}-DATA.npy", split="split"
            ),
        )
    ),
    modalities=(
        Modality(
            name="enmap",
            title="EnMAP L2A spectral images",
            option="--dataset-dir",
            # EnMAP's own products are called so too, without the place of a patch in the product.
            files=Template.parse("**/{patch}/{patch}-SPECTRAL_IMAGE.TIF", patch="ENMAP*-Y*_X*"),
            key=Template.parse("{patch}"),
            bands=tuple(Band(f"B{i}", index=i, shape=(128, 128)) for i in range(1, 225)),
            dtype="int16",
            presets=(
                Preset("usable", tuple(f"B{i}" for i in range(1, 225) if i not in _WATER_VAPOUR)),
            ),
            folder="hyspecnet-11k",
            companions=("*-QL_*.TIF", "*-THUMBNAIL.jpg", "*-DATA.npy"),
            downloads=(Download("hyspecnet-11k-[0-9][0-9].tar.gz"),),
            example=f"patches/{_PATCH[:49]}/{_PATCH}/{_PATCH}-SPECTRAL_IMAGE.TIF",
            n_published=11_483,
        ),
    ),
    notes=(
        (
            "Users commonly drop the water-vapour bands B127 to B141 and B161 to B167; all bands "
            "are stored."
        ),
        "Quality layers (QL_*), thumbnails and the publisher's .npy files are skipped.",
    ),
    is_original=True,
)
