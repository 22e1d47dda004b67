"""TreeSatAI-Time-Series: a year of Sentinel-1 and Sentinel-2 for the patches of TreeSatAI.

Names of arrays and order of bands: the publisher's card; Astruc et al., "OmniSat: Self-Supervised
Modality Fusion for Earth Observation", ECCV 2024. Not tested with files of this release.
"""

from rico_hdl.spec import Arrays, Axis, Band, DatasetSpec, Modality, Preset, Template

_SHAPE = (6, 6)
_AXES = (Axis("time", field="time"), Axis("band"), Axis("y"), Axis("x"))
_S2_NAMES = ("B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B11", "B12")


def _series(
    name: str, array: str, title: str, names: tuple[str, ...], presets: tuple[Preset, ...] = ()
) -> Modality:
    end = name.replace("-", "_")
    return Modality(
        name=name,
        title=title,
        option=f"--{name}-dir",
        files=Template.parse("**/{patch}_{year:4d}.h5/{time:3d}"),
        key=Template.parse(f"{{patch}}_{{year:4d}}_{{time:3d}}_{end}"),
        time="time",
        bands=tuple(Band(band, index=i, shape=_SHAPE) for i, band in enumerate(names, 1)),
        arrays=Arrays(array, _AXES),
        role="auxiliary" if name == "s2-masks" else "image",
        presets=presets,
        folder="sentinel-ts",
        example="Fagus_sylvatica_6_154201_BI_NLF_2018.h5/000",
    )


SPEC = DatasetSpec(
    name="treesatai-ts",
    title="TreeSatAI-Time-Series",
    summary="Sentinel-1 and Sentinel-2 time series of 6 x 6 pixels around forest plots in Germany.",
    url="https://huggingface.co/datasets/IGNF/TreeSatAI-Time-Series",
    topic="Sentinel-1 with Sentinel-2",
    keywords=("SAR", "multispectral", "classification", "trees", "time series", "HDF5"),
    licence="CC-BY-4.0",
    citation=(
        "G. Astruc, N. Gonthier, C. Mallet, L. Landrieu: OmniSat: Self-Supervised Modality Fusion "
        "for Earth Observation. ECCV 2024."
    ),
    pairs_by=("patch", "year"),
    modalities=(
        _series("s1-asc", "sen-1-asc-data", "Sentinel-1 of ascending orbits", ("VV", "VH")),
        _series("s1-des", "sen-1-des-data", "Sentinel-1 of descending orbits", ("VV", "VH")),
        _series(
            "s2",
            "sen-2-data",
            "Sentinel-2 patches",
            _S2_NAMES,
            (Preset("rgb", ("B04", "B03", "B02")),),
        ),
        _series("s2-masks", "sen-2-masks", "probabilities of snow and clouds", ("snow", "cloud")),
    ),
    notes=(
        "Each time step is a record; its zero-based position comes before the end of the key.",
        "Without year and time, a key begins with the name of a patch in the data set it extends.",
        "Names of products, which hold the dates, are in the files (sen-2-products and others).",
        "The aerial images are those of the data set that it extends.",
        "No file was at hand, and no dtype is enforced.",
    ),
)
