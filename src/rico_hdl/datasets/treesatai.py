"""TreeSatAI: aerial, Sentinel-1 and Sentinel-2 patches of tree species.

Layout, names of archives and checksums: torchgeo's reader; band order: Ahlswede et al., "TreeSatAI
Benchmark Archive: A Multi-Sensor, Multi-Label Dataset for Tree Species Classification in Remote
Sensing", ESSD 2023. Not tested with real files.
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

_PATCH = "[A-Z][a-z]*_[0-9]*_[0-9]*_[A-Z]*_[A-Z]*"
_EXAMPLE = "Fagus_sylvatica_9_29995_WEFL_NLF"
_S2_NAMES = ("B02", "B03", "B04", "B08", "B05", "B06", "B07", "B8A", "B11", "B12", "B01", "B09")
_S1_NAMES = ("VV", "VH", "VV/VH")
_N_PUBLISHED = 50_381

# The files hold all bands at 10 m; presets are named after the bands' native resolution.
_PRESETS = (
    Preset("rgb", ("B04", "B03", "B02")),
    Preset("10m", ("B02", "B03", "B04", "B08")),
    Preset("20m", ("B05", "B06", "B07", "B8A", "B11", "B12")),
    Preset("60m", ("B01", "B09")),
)


def _satellite(sensor: str, metres: int, names: tuple[str, ...], md5: str) -> Modality:
    sides, size = metres // 10, f"{metres}m"
    return Modality(
        name=f"{sensor}-{size}",
        title=f"Sentinel-{sensor[1]} patches of {metres} m",
        option=f"--{sensor}-{size}-dir",
        files=Template.parse(f"**/{sensor}/{size}/{{patch}}.tif", patch=_PATCH),
        key=Template.parse(f"{{patch}}_{sensor}_{size}"),
        bands=tuple(
            Band(name, index=i, shape=(sides, sides), aliases=("B08A",) if name == "B8A" else ())
            for i, name in enumerate(names, 1)
        ),
        presets=_PRESETS if sensor == "s2" else (),
        folder="TreeSatAI",
        downloads=(Download(f"{sensor}.zip", md5=md5),),
        example=f"{sensor}/{size}/{_EXAMPLE}.tif",
        n_published=_N_PUBLISHED,
    )


_S1_MD5, _S2_MD5 = "bed4fc8cb65da46a24ec1bc6cea2763c", "453ba69056aa33a3c6b97afb7b6afadb"

SPEC = DatasetSpec(
    name="treesatai",
    title="TreeSatAI",
    summary="Aerial, Sentinel-1 and Sentinel-2 patches of 60 m and 200 m around forest plots.",
    url="https://zenodo.org/records/6780578",
    topic="Sentinel-1 with Sentinel-2",
    keywords=("SAR", "multispectral", "multi-label", "classification", "trees", "VHR"),
    licence="CC-BY-4.0",
    citation=(
        "S. Ahlswede, C. Schulz, C. Gava, P. Helber, B. Bischke, M. Förster, F. Arias, J. Hees, "
        "B. Demir, B. Kleinschmit: TreeSatAI Benchmark Archive: A Multi-Sensor, Multi-Label "
        "Dataset for Tree Species Classification in Remote Sensing. Earth System Science Data, "
        "2023."
    ),
    labels=Labels(
        kind="multi",
        tables=(
            LabelTable(
                "labels/TreeSatBA_v9_60m_multi_labels.json", row="{patch}.tif", label=("value",)
            ),
            LabelTable("{split}_filenames.lst", row="{patch}.tif", split="split"),
        ),
    ),
    modalities=(
        Modality(
            name="aerial",
            title="aerial patches of 60 m",
            option="--aerial-dir",
            # Archives are flat. Sentinel's files have the same names, in folders called 60m, 200m.
            files=Template.parse("{patch}.tif", patch=_PATCH),
            key=Template.parse("{patch}_aerial"),
            bands=(
                Band("NIR", index=1, shape=(304, 304)),
                Band("Green", index=2, shape=(304, 304)),
                Band("Blue", index=3, shape=(304, 304)),
                Band("Red", index=4, shape=(304, 304)),
            ),
            presets=(Preset("rgb", ("Red", "Green", "Blue")),),
            folder="aerial",
            downloads=(Download("aerial_60m_*.zip"),),
            example=f"{_EXAMPLE}.tif",
            n_published=_N_PUBLISHED,
        ),
        _satellite("s1", 60, _S1_NAMES, _S1_MD5),
        _satellite("s1", 200, _S1_NAMES, _S1_MD5),
        _satellite("s2", 60, _S2_NAMES, _S2_MD5),
        _satellite("s2", 200, _S2_NAMES, _S2_MD5),
    ),
    notes=(
        "Bands are in the order of the files: aerial begins with NIR, Sentinel-2 with its 10 m.",
        "S1 has the nodata value -9999, and the ratio VV/VH as its third band.",
        (
            "Labels and lists of training and test files name files: without .tif they are the "
            "beginning of the keys."
        ),
        (
            "An earlier release has files of the same names: compare the archives' sums. A copy in "
            "another benchmark has damaged S1 values."
        ),
        "No real file was at hand: bands and names are torchgeo's, and no dtype is enforced.",
    ),
)
