"""MADOS: Sentinel-2 patches of the sea with marine debris, oil spills and other classes.

Layout: the authors' repository; Kikaki et al., "Detecting Marine pollutants and Sea Surface
features with Deep learning in Sentinel-2 imagery", ISPRS Journal 2024. Files are called after the
centre wavelength of their band, which differs between Sentinel-2A and -2B. No real file was at
hand.
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

_SCENE = "Scene_*"
_DOWNLOADS = (Download("MADOS.zip"),)
_SHAPES = {"10": (240, 240), "20": (120, 120), "60": (40, 40)}
_N_PUBLISHED = 2_803


def _band(name: str, folder: str, wavelength: int, on_2b: int) -> Band:
    """A band, with its resolution in metres, and its wavelengths in nanometres on both satellites.

    Sentinel-2 Spectral Response Functions, as readers of the dataset list them.
    """
    return Band(
        name,
        token=str(wavelength),
        other_tokens=() if wavelength == on_2b else (str(on_2b),),
        folder=folder,
        shape=_SHAPES[folder],
        aliases=("B08A",) if name == "B8A" else (),
    )


def _mask(name: str, title: str) -> Modality:
    return Modality(
        name=name,
        title=title,
        option=f"--{name}-dir",
        files=Template.parse(f"{{scene}}/10/{{scene}}_L2R_{name}_{{number:d}}.tif", scene=_SCENE),
        key=Template.parse(f"{{scene}}_{{number:d}}_{name}"),
        bands=(Band(name, shape=_SHAPES["10"]),),
        role="mask" if name == "cl" else "auxiliary",
        folder="MADOS",
        downloads=_DOWNLOADS,
        example=f"Scene_0/10/Scene_0_L2R_{name}_1.tif",
        n_published=_N_PUBLISHED,
    )


SPEC = DatasetSpec(
    name="mados",
    title="MADOS",
    summary="Sentinel-2 patches of 2.4 km with masks of marine debris, oil and sea surface.",
    url="https://zenodo.org/records/10664073",
    topic="Floods, fires and water",
    keywords=("multispectral", "segmentation", "plastic", "oil", "water"),
    citation=(
        "K. Kikaki, I. Kakogeorgiou, I. Hoteit, K. Karantzalos: Detecting Marine pollutants and "
        "Sea Surface features with Deep learning in Sentinel-2 imagery. ISPRS Journal of "
        "Photogrammetry and Remote Sensing, 2024."
    ),
    labels=Labels(
        tables=(
            LabelTable(
                "splits/{split}_X.txt",
                (
                    KeyForm("s2", "{name}"),
                    *(KeyForm(mask, f"{{name}}_{mask}") for mask in ("cl", "conf", "rep")),
                ),
                split="split",
            ),
        ),
    ),
    modalities=(
        Modality(
            name="s2",
            title="Sentinel-2 patches",
            option="--s2-dir",
            files=Template.parse(
                "{scene}/{band_folder}/{scene}_L2R_rhorc_{band}_{number:d}.tif", scene=_SCENE
            ),
            key=Template.parse("{scene}_{number:d}"),
            bands=(
                _band("B1", "60", 443, 442),
                _band("B2", "10", 492, 492),
                _band("B3", "10", 560, 559),
                _band("B4", "10", 665, 665),
                _band("B5", "20", 704, 704),
                _band("B6", "20", 740, 739),
                _band("B7", "20", 783, 780),
                _band("B8", "10", 833, 833),
                _band("B8A", "20", 865, 864),
                _band("B11", "20", 1614, 1610),
                _band("B12", "20", 2202, 2186),
            ),
            presets=(
                Preset("rgb", ("B4", "B3", "B2")),
                Preset("10m", ("B2", "B3", "B4", "B8")),
                Preset("20m", ("B5", "B6", "B7", "B8A", "B11", "B12")),
                Preset("60m", ("B1",)),
            ),
            folder="MADOS",
            downloads=_DOWNLOADS,
            example="Scene_0/10/Scene_0_L2R_rhorc_492_1.tif",
            n_published=_N_PUBLISHED,
        ),
        _mask("cl", "masks of classes"),
        _mask("conf", "confidence of the masks"),
        _mask("rep", "reports behind the masks"),
    ),
    notes=(
        (
            "Bands are in folders called after their resolution, in files called after their "
            "wavelength, which depends on the satellite."
        ),
        (
            "Keys are the rows of splits/*_X.txt. The keys of masks are those of their patch with "
            "_cl, _conf or _rep."
        ),
        "Values are reflectance and may be NaN.",
        "No real file was at hand: names are the authors', and no dtype is enforced.",
    ),
)
