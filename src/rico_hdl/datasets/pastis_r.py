"""PASTIS-R: Sentinel-1 and Sentinel-2 time series of farmland, with masks of crops.

Layout: the publisher's repository (https://github.com/VSainteuf/pastis-benchmark), torchgeo's
reader; the order of Sentinel-2's bands is that of wavelengths, by the author (issue 19 there).
Garnot, Landrieu, "Panoptic Segmentation of Satellite Image Time Series with Convolutional Temporal
Attention Networks", ICCV 2021. Not tested with files of this release.
"""

from rico_hdl.spec import (
    Arrays,
    Axis,
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

_SHAPE = (128, 128)
_S2_NAMES = ("B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B11", "B12")
_S1_NAMES = ("VV", "VH", "VV-VH")
_SERIES = Arrays("", (Axis("time", field="time"), Axis("band"), Axis("y"), Axis("x")))
_DOWNLOADS = (Download("PASTIS-R.zip", "4887513d6c2d2b07fa935d325bd53e09"),)
_CLASSES = (
    "Background", "Meadow", "Soft winter wheat", "Corn", "Winter barley", "Winter rapeseed",
    "Spring barley", "Sunflower", "Grapevine", "Beet", "Winter triticale", "Winter durum wheat",
    "Fruits, vegetables, flowers", "Potatoes", "Leguminous fodder", "Soybeans", "Orchard",
    "Mixed cereal", "Sorghum", "Void label",
)  # fmt: skip


def _series(
    sensor: str, title: str, names: tuple[str, ...], presets: tuple[Preset, ...] = ()
) -> Modality:
    name = sensor.lower()
    return Modality(
        name=name,
        title=title,
        option=f"--{name}-dir",
        files=Template.parse(f"DATA_{sensor}/{sensor}_{{patch:d}}.npy/{{time:2d}}"),
        key=Template.parse(f"{sensor}_{{patch:d}}_{{time:2d}}"),
        time="time",
        bands=tuple(Band(band, index=i, shape=_SHAPE) for i, band in enumerate(names, 1)),
        arrays=_SERIES,
        presets=presets,
        folder="PASTIS-R",
        downloads=_DOWNLOADS,
        example=f"DATA_{sensor}/{sensor}_10000.npy/00",
    )


SPEC = DatasetSpec(
    name="pastis-r",
    title="PASTIS-R",
    summary="Sentinel-1 and Sentinel-2 time series of 128 x 128 pixels with masks of crops.",
    url="https://zenodo.org/records/5735646",
    topic="Sentinel-1 with Sentinel-2",
    keywords=("SAR", "multispectral", "segmentation", "time series", "agriculture", "numpy"),
    citation=(
        "V. Sainte Fare Garnot, L. Landrieu, N. Chehata: Multi-modal temporal attention models for "
        "crop mapping from satellite time series. ISPRS Journal of Photogrammetry and Remote "
        "Sensing, 2022."
    ),
    labels=Labels(
        tables=(
            LabelTable("metadata.geojson", (KeyForm("mask", "TARGET_{id_patch}"),), split="fold"),
        ),
    ),
    pairs_by=("patch",),
    modalities=(
        _series("S2", "Sentinel-2 patches", _S2_NAMES, (Preset("rgb", ("B04", "B03", "B02")),)),
        _series("S1A", "Sentinel-1 patches of ascending orbits", _S1_NAMES),
        _series("S1D", "Sentinel-1 patches of descending orbits", _S1_NAMES),
        Modality(
            name="mask",
            title="masks of crops",
            option="--mask-dir",
            files=Template.parse("ANNOTATIONS/TARGET_{patch:d}.npy"),
            key=Template.parse("TARGET_{patch:d}"),
            bands=(
                Band("target", index=1, shape=_SHAPE),
                Band("target_2", index=2, shape=_SHAPE),
                Band("target_3", index=3, shape=_SHAPE),
            ),
            arrays=Arrays("", (Axis("band"), Axis("y"), Axis("x"))),
            role="mask",
            classes=_CLASSES,
            ignore=19,
            folder="PASTIS-R",
            downloads=_DOWNLOADS,
            example="ANNOTATIONS/TARGET_10000.npy",
            n_published=2_433,
        ),
    ),
    notes=(
        (
            "Each time step is a record: the end of a key is its zero-based position in the "
            "series. Patches differ in the number of steps."
        ),
        "metadata.geojson has the dates of the steps by position (dates-S2 and others).",
        "The class is the band target; the meaning of the other two is not stated.",
        "Unpack the archive to decode with all threads: a zip of arrays is decoded by one.",
        "Instances, zones and heat maps (ANNOTATIONS, INSTANCE_ANNOTATIONS) are not converted.",
        "No file was at hand, and no dtype is enforced.",
    ),
)
