"""FLAIR #1: aerial patches with elevation and masks of land cover, also those of FLAIR #2.

Layout: the publisher's lists of files; band order: Garioud et al., "FLAIR: a Country-Scale Land
Cover Semantic Segmentation Dataset From Multi-Source Optical Imagery", NeurIPS 2023
(arXiv:2310.13336), and copies in another encoding. Not tested with real files.
"""

from rico_hdl.spec import Band, DatasetSpec, Download, Modality, Preset, Template

_SHAPE = (512, 512)
_DOMAIN, _PLACE = "D[0-9]*", "D012_2019/Z10_UU"
_DOWNLOADS = (Download("D[0-9]*_[0-9]*.zip"),)

SPEC = DatasetSpec(
    name="flair",
    title="FLAIR",
    summary="Aerial patches of 512 x 512 pixels with elevation and land cover, all over France.",
    url="https://huggingface.co/datasets/IGNF/FLAIR",
    topic="Aerial images",
    keywords=("VHR", "segmentation", "infrared"),
    licence="Licence Ouverte 2.0",
    citation=(
        "A. Garioud, N. Gonthier, L. Landrieu, A. De Wit, M. Valette, M. Poupée, S. Giordano, "
        "B. Wattrelos: FLAIR: a Country-Scale Land Cover Semantic Segmentation Dataset From "
        "Multi-Source Optical Imagery. NeurIPS 2023 Datasets and Benchmarks."
    ),
    modalities=(
        Modality(
            name="aerial",
            title="aerial patches",
            option="--aerial-dir",
            files=Template.parse("**/{domain}/{zone}/img/IMG_{number:6d}.tif", domain=_DOMAIN),
            key=Template.parse("IMG_{number:6d}"),
            bands=tuple(
                Band(name, index=i, shape=_SHAPE)
                for i, name in enumerate(("Red", "Green", "Blue", "NIR", "Elevation"), 1)
            ),
            presets=(Preset("rgb", ("Red", "Green", "Blue")),),
            folder="FLAIR",
            downloads=_DOWNLOADS,
            example=f"flair_1_aerial_test/{_PLACE}/img/IMG_062613.tif",
            n_published=77_762,
        ),
        Modality(
            name="mask",
            role="mask",
            title="masks of land cover",
            option="--mask-dir",
            files=Template.parse("**/{domain}/{zone}/msk/MSK_{number:6d}.tif", domain=_DOMAIN),
            key=Template.parse("MSK_{number:6d}"),
            bands=(Band("Data", shape=_SHAPE),),
            folder="FLAIR",
            downloads=_DOWNLOADS,
            example=f"flair_1_labels_test/{_PLACE}/msk/MSK_062613.tif",
            n_published=77_762,
        ),
    ),
    notes=(
        "The mask of IMG_062613 is MSK_062613. Classes are 1 to 19.",
        "Elevation is the height above ground, in bytes.",
        "The Sentinel-2 series of FLAIR #2 (.npy) are not converted.",
        "No real file was at hand: bands and names are the publisher's; no dtype is enforced.",
    ),
)
