"""CaBuAr: Sentinel-2 patches before and after fires in California, with masks of burned areas.

ChaBuD's training file is the same, under another name. Layout and bands: the publisher's
repository, torchgeo's reader; Cambrin et al., "CaBuAr: California Burned Areas Dataset for
Delineation", GRSM 2023. Not tested with files of this release.
"""

from rico_hdl.spec import Arrays, Axis, Band, DatasetSpec, Download, Modality, Preset, Template
from rico_hdl.spec.model import Role

_SHAPE = (512, 512)
_NAMES = (
    "B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B11", "B12",
)  # fmt: skip
_MD5 = "15d78fb825f9a81dad600db828d22c08"  # the same for both names


def _part(
    name: str,
    array: str,
    title: str,
    names: tuple[str, ...] = _NAMES,
    role: Role = "image",
) -> Modality:
    return Modality(
        name=name,
        title=title,
        option=f"--{name}-dir",
        files=Template.parse("{file}.hdf5/{patch}"),
        key=Template.parse(f"{{patch}}_{name}"),
        bands=tuple(Band(band, index=i, shape=_SHAPE) for i, band in enumerate(names, 1)),
        arrays=Arrays(f"{{patch}}/{array}", (Axis("y"), Axis("x"), Axis("band"))),
        role=role,
        classes=("unburned", "burned") if role == "mask" else (),
        presets=(Preset("rgb", ("B04", "B03", "B02")),) if names == _NAMES else (),
        folder="CaBuAr",
        downloads=(Download("512x512.hdf5", _MD5), Download("train_eval.hdf5", _MD5)),
        example="512x512.hdf5/1b1d1bbb-1f1d-4f1e-9a1c-0a1b2c3d4e5f_0",
    )


SPEC = DatasetSpec(
    name="cabuar",
    title="CaBuAr",
    summary="Sentinel-2 patches of 512 x 512 pixels before and after fires, with burned areas.",
    url="https://huggingface.co/datasets/DarthReca/california_burned_areas",
    topic="Floods, fires and water",
    keywords=("multispectral", "segmentation", "change detection", "fires", "ChaBuD", "HDF5"),
    citation=(
        "D. R. Cambrin, L. Colomba, P. Garza: CaBuAr: California Burned Areas Dataset for "
        "Delineation. IEEE Geoscience and Remote Sensing Magazine, 2023."
    ),
    modalities=(
        _part("pre", "pre_fire", "patches before the fire"),
        _part("post", "post_fire", "patches after the fire"),
        _part("mask", "mask", "masks of burned areas", ("mask",), "mask"),
    ),
    notes=(
        "ChaBuD's train_eval.hdf5 is the same file as 512x512.hdf5; give one of them.",
        "Some patches have no image from before the fire; their group in the file lacks it.",
        "B10 is absent, and B8A follows B08.",
        "The fold of a patch, an attribute of its group, is not read.",
        "No file was at hand, and no dtype is enforced. The files are said to hold uint16.",
    ),
)
