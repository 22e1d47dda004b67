"""Sen1Floods11 v1.1: Sentinel-1 and Sentinel-2 chips of floods, with masks of water.

Band order: descriptions in the files; Bonafilia et al., "Sen1Floods11: A Georeferenced Dataset to
Train and Test Deep Learning Flood Algorithms for Sentinel-1", CVPR Workshops 2020. Real files of
S1Hand, S2Hand and LabelHand were at hand; the other layers follow the publisher's repository.
"""

from rico_hdl.spec import Band, DatasetSpec, Labels, LabelTable, Modality, Preset, Template

_SHAPE = (512, 512)
_S2_NAMES = (
    "B1", "B2", "B3", "B4", "B5", "B6", "B7", "B8", "B8A", "B9", "B10", "B11", "B12",
)  # fmt: skip
_N_HAND, _N_WEAK, _N_PERMANENT = 446, 4_385, 815

# The files hold all bands at 10 m; presets are named after the bands' native resolution.
_PRESETS = (
    Preset("rgb", ("B4", "B3", "B2")),
    Preset("10m", ("B2", "B3", "B4", "B8")),
    Preset("20m", ("B5", "B6", "B7", "B8A", "B11", "B12")),
    Preset("60m", ("B1", "B9", "B10")),
)


def _layer(  # noqa: PLR0913, PLR0917 - all of one modality
    name: str,
    layer: str,
    title: str,
    names: tuple[str, ...],
    n_published: int,
    dtype: str | None = None,
) -> Modality:
    # Copies made on macOS hold files called ._Spain_7370579_S1Hand.tif, which are no patches.
    files = Template.parse(f"**/{{event}}_{{chip:d}}_{layer}.tif", event="[!.]*")
    return Modality(
        name=name,
        title=title,
        option=f"--{name}-dir",
        files=files,
        key=Template.parse(f"{{event}}_{{chip:d}}_{layer}"),
        bands=tuple(
            Band(band, index=i, shape=_SHAPE, aliases=("B08A",) if band == "B8A" else ())
            for i, band in enumerate(names, 1)
        ),
        role="mask" if names == _MASK else "image",
        presets=_PRESETS if names == _S2_NAMES else (),
        dtype=dtype,
        folder=layer,
        example=f"Spain_7370579_{layer}.tif",
        n_published=n_published,
    )


_S1, _MASK = ("VV", "VH"), ("Data",)

SPEC = DatasetSpec(
    name="sen1floods11",
    title="Sen1Floods11",
    summary="Sentinel-1 and Sentinel-2 chips of 512 x 512 pixels with masks of floods and water.",
    url="https://github.com/cloudtostreet/Sen1Floods11",
    topic="Floods, fires and water",
    keywords=("SAR", "multispectral", "segmentation"),
    citation=(
        "D. Bonafilia, B. Tellman, T. Anderson, E. Issenberg: Sen1Floods11: A Georeferenced "
        "Dataset to Train and Test Deep Learning Flood Algorithms for Sentinel-1. CVPR Workshops "
        "2020."
    ),
    labels=Labels(
        tables=(
            LabelTable(
                "splits/flood_handlabeled/flood_{split}_data.csv",
                header=("image", "mask"),
                row="{event}_{chip:d}_S1Hand.tif",
                split="split",
                splits=("bolivia",),
            ),
        )
    ),
    modalities=(
        _layer("s1-hand", "S1Hand", "hand-labelled chips, Sentinel-1", _S1, _N_HAND, "float32"),
        _layer("s2-hand", "S2Hand", "hand-labelled chips, Sentinel-2", _S2_NAMES, _N_HAND, "int16"),
        _layer("label-hand", "LabelHand", "hand-labelled water", _MASK, _N_HAND, "int16"),
        _layer("jrc-water-hand", "JRCWaterHand", "permanent water of these", _MASK, _N_HAND),
        _layer("s1-otsu-hand", "S1OtsuLabelHand", "their water by S1", _MASK, _N_HAND),
        _layer("s1-weak", "S1Weak", "weakly labelled chips, Sentinel-1", _S1, _N_WEAK),
        _layer("s1-otsu-weak", "S1OtsuLabelWeak", "their water by S1", _MASK, _N_WEAK),
        _layer("s2-index-weak", "S2IndexLabelWeak", "their water by S2", _MASK, _N_WEAK),
        _layer("s1-perm", "S1Perm", "chips of permanent water, Sentinel-1", _S1, _N_PERMANENT),
        _layer("jrc-perm", "JRCPerm", "their permanent water", _MASK, _N_PERMANENT),
    ),
    notes=(
        "There is no archive: the chips are copied from the publisher's bucket, as a tree.",
        "Layers of a chip have keys that differ in the layer at the end.",
        "LabelHand is -1 (no data), 0 (no water) or 1 (water). S1 is in dB and has NaN.",
        "S2Hand is int16, although the publisher's README says UInt16.",
        (
            "No real file was at hand of layers other than S1Hand, S2Hand and LabelHand: no dtype "
            "is enforced for them."
        ),
    ),
)
