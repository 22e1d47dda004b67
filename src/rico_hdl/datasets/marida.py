"""MARIDA: Sentinel-2 patches of the sea with marine debris.

Layout and band order: the authors' repository; Kikaki et al., "MARIDA: A benchmark for Marine
Debris detection from Sentinel-2 remote sensing data", PLOS ONE 2022. Not tested with real files.
"""

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

_SHAPE = (256, 256)
_STEM, _SCENE = "**/patches/{scene}/{scene}_{crop:d}", "S2_*"
_EXAMPLE = "patches/S2_1-12-19_48MYU/S2_1-12-19_48MYU_0"
_NAMES = ("B1", "B2", "B3", "B4", "B5", "B6", "B7", "B8", "B8A", "B11", "B12")
_DOWNLOADS = (Download("MARIDA.zip"),)

CLASSES = (
    "Marine Debris",
    "Dense Sargassum",
    "Sparse Sargassum",
    "Natural Organic Material",
    "Ship",
    "Clouds",
    "Marine Water",
    "Sediment-Laden Water",
    "Foam",
    "Turbid Water",
    "Shallow Water",
    "Waves",
    "Cloud Shadows",
    "Wakes",
    "Mixed Water",
)
"""The classes in the order of their numbers, from 1 on (the authors' repository)."""
_ENDS = {"s2": "", "cl": "_cl", "conf": "_conf"}


def _mask(name: str, title: str) -> Modality:
    return Modality(
        name=name,
        title=title,
        option=f"--{name}-dir",
        files=Template.parse(f"{_STEM}_{name}.tif", scene=_SCENE),
        key=Template.parse(f"{{scene}}_{{crop:d}}_{name}"),
        bands=(Band(name, shape=_SHAPE),),
        role="mask" if name == "cl" else "auxiliary",
        folder="MARIDA",
        downloads=_DOWNLOADS,
        example=f"{_EXAMPLE}_{name}.tif",
        n_published=1_381,
    )


SPEC = DatasetSpec(
    name="marida",
    title="MARIDA",
    summary="Sentinel-2 patches of 256 x 256 pixels and 11 bands with masks of marine debris.",
    url="https://zenodo.org/records/5151941",
    topic="Floods, fires and water",
    keywords=("multispectral", "segmentation", "plastic", "water"),
    citation=(
        "K. Kikaki, I. Kakogeorgiou, P. Mikeli, D. E. Raitsos, K. Karantzalos: MARIDA: A benchmark "
        "for Marine Debris detection from Sentinel-2 remote sensing data. PLOS ONE, 2022."
    ),
    labels=Labels(
        kind="multi",
        classes=CLASSES,
        tables=(
            LabelTable(
                "labels_mapping.txt",
                row="{scene}_{crop:d}.tif",
                label=("value",),
                is_hot=True,
                is_json=True,
            ),
            LabelTable(
                "splits/{split}_X.txt",
                tuple(KeyForm(name, f"S2_{{name}}{end}") for name, end in _ENDS.items()),
                split="split",
            ),
        ),
    ),
    modalities=(
        Modality(
            name="s2",
            title="Sentinel-2 patches",
            option="--s2-dir",
            files=Template.parse(f"{_STEM}.tif", scene=_SCENE),
            key=Template.parse("{scene}_{crop:d}"),
            bands=tuple(
                Band(name, index=i, shape=_SHAPE, aliases=("B08A",) if name == "B8A" else ())
                for i, name in enumerate(_NAMES, 1)
            ),
            presets=(Preset("rgb", ("B4", "B3", "B2")),),
            folder="MARIDA",
            downloads=_DOWNLOADS,
            example=f"{_EXAMPLE}.tif",
            n_published=1_381,
        ),
        _mask("cl", "masks of classes"),
        _mask("conf", "confidence of the masks"),
    ),
    notes=(
        "The keys of a patch's masks are its own with _cl or _conf. Classes are 1 to 15.",
        "Rows of splits/*_X.txt lack the S2_ with which keys begin.",
        "Values are reflectance and may be NaN.",
        "No real file was at hand: bands and names are the authors', and no dtype is enforced.",
    ),
)
