"""So2Sat LCZ42: Sentinel-1 and Sentinel-2 patches of local climate zones, in HDF5 files.

Names of arrays and bands: Zhu et al., "So2Sat LCZ42: A Benchmark Data Set for the Classification of
Global Local Climate Zones", GRSM 2020, and torchgeo's reader. Not tested with files of this
release.
"""

from rico_hdl.spec import (
    Arrays,
    Axis,
    Band,
    DatasetSpec,
    Download,
    Labels,
    LabelTable,
    Modality,
    Preset,
    Template,
)

_SHAPE = (32, 32)
_S1_NAMES = (
    "VH_real", "VH_imag", "VV_real", "VV_imag", "VH_lee", "VV_lee", "cov_real", "cov_imag",
)  # fmt: skip
_S2_NAMES = ("B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B11", "B12")
_AXES = (Axis("sample", field="sample"), Axis("y"), Axis("x"), Axis("band"))
_N_PUBLISHED = 352_366 + 24_119 + 24_188  # training, validation, testing of version 2


def _sensor(
    name: str, title: str, names: tuple[str, ...], presets: tuple[Preset, ...] = ()
) -> Modality:
    return Modality(
        name=name,
        title=title,
        option=f"--{name}-dir",
        # The pattern leaves out training_geo.h5 of version 4, which holds no pixels.
        files=Template.parse("{split}.h5/{sample:6d}", split="[tv]*[gn]"),
        key=Template.parse(f"{name}_{{split}}_{{sample:6d}}"),
        bands=tuple(Band(band, index=i, shape=_SHAPE) for i, band in enumerate(names, 1)),
        arrays=Arrays(name, _AXES),
        presets=presets,
        folder="So2Sat",
        # Versions differ in the sums of training.h5 and testing.h5.
        downloads=(
            Download("training.h5"),
            Download("validation.h5", "71cfa6795de3e22207229d06d6f8775d"),
            Download("testing.h5"),
        ),
        example="training.h5/000000",
        n_published=_N_PUBLISHED,
    )


# Local climate zones 1 to 10 and A to G, in the order of the numbers in label.
_CLASSES = (
    "Compact high rise", "Compact mid rise", "Compact low rise", "Open high rise", "Open mid rise",
    "Open low rise", "Lightweight low rise", "Large low rise", "Sparsely built", "Heavy industry",
    "Dense trees", "Scattered trees", "Bush, scrub", "Low plants", "Bare rock or paved",
    "Bare soil or sand", "Water",
)  # fmt: skip


SPEC = DatasetSpec(
    name="so2sat",
    title="So2Sat LCZ42",
    summary="Sentinel-1 and Sentinel-2 patches of 32 x 32 pixels in 17 local climate zones.",
    url="https://mediatum.ub.tum.de/1483140",
    topic="Sentinel-1 with Sentinel-2",
    keywords=("SAR", "multispectral", "classification", "cities", "HDF5"),
    licence="CC-BY-4.0",
    citation=(
        "X. X. Zhu, J. Hu, C. Qiu, Y. Shi, J. Kang, L. Mou, H. Bagheri, M. Häberle, Y. Hua, "
        "R. Huang, L. Hughes, H. Li, Y. Sun, G. Zhang, S. Han, M. Schmitt, Y. Wang: So2Sat LCZ42: "
        "A Benchmark Data Set for the Classification of Global Local Climate Zones. IEEE "
        "Geoscience and Remote Sensing Magazine, 2020."
    ),
    labels=Labels(
        classes=_CLASSES,
        kind="single",
        tables=(LabelTable("", label=("label",), is_hot=True, split="split"),),
    ),
    modalities=(
        _sensor("sen1", "Sentinel-1 patches", _S1_NAMES),
        _sensor("sen2", "Sentinel-2 patches", _S2_NAMES, (Preset("rgb", ("B04", "B03", "B02")),)),
    ),
    notes=(
        "The files hold no names: the end of a key is the zero-based row in the file.",
        (
            "Convert each split of versions 3 and 4 (random, block, culture_10) into a store of "
            "its own, from its folder: the keys don't tell them apart."
        ),
        "Sentinel-1 has VH before VV; Sentinel-2 is divided by 10,000 already.",
        "Labels (label, one-hot) and version 4's *_geo.h5 have the same rows as the keys.",
        "No file was at hand, and no dtype is enforced. The files are said to hold float64.",
    ),
)
