"""EuroSAT-SAR: Sentinel-1 patches at the places of the multi-spectral patches.

Layout and band order: the loader of Wang et al., "Feature Guided Masked Autoencoder for
Self-supervised Learning in Remote Sensing", 2023 (arXiv:2310.18653), and torchgeo's reader. Not
tested with real files.
"""

from rico_hdl.datasets.eurosat_multi_spectral import CLASSES
from rico_hdl.spec import Band, DatasetSpec, Download, Labels, LabelTable, Modality, Template

SPEC = DatasetSpec(
    name="eurosat-sar",
    title="EuroSAT-SAR",
    summary="Sentinel-1 patches of 64 x 64 pixels and 2 bands in 10 land-use classes.",
    url="https://github.com/zhu-xlab/FGMAE",
    topic="Sentinel-1 or Sentinel-2",
    keywords=("SAR", "classification", "land cover"),
    licence="MIT",
    citation=(
        "Y. Wang, H. H. Hernández, C. M. Albrecht, X. X. Zhu: Feature Guided Masked Autoencoder "
        "for Self-supervised Learning in Remote Sensing. 2023."
    ),
    labels=Labels(
        "class",
        CLASSES,
        tables=(
            LabelTable("eurosat-{split}.txt", row="{class}_{number:d}.{extension}", split="split"),
        ),
    ),
    modalities=(
        Modality(
            name="s1",
            title="Sentinel-1 patches",
            option="--dataset-dir",
            files=Template.parse("**/{class}/{class}_{number:d}.tif"),
            key=Template.parse("{class}_{number:d}"),
            bands=(Band("VV", index=1, shape=(64, 64)), Band("VH", index=2, shape=(64, 64))),
            folder="EuroSAT-SAR",
            downloads=(Download("EuroSAT-SAR.zip"),),
            example="AnnualCrop/AnnualCrop_1.tif",
            n_published=27_000,
        ),
    ),
    notes=(
        (
            "Keys equal those of the multi-spectral patches, which pairs the two stores; never "
            "convert both into one."
        ),
        "Values are in dB.",
        "No real file was at hand: bands and names are the authors', and no dtype is enforced.",
    ),
)
