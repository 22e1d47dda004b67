"""TerraMesh: co-registered patches of eight modalities, a Zarr store each, in tars.

Layout, dimensions and names: the publisher's card; Blumenstiel et al., "TerraMesh: A Planetary
Mosaic of Multimodal Earth Observation Data", 2025. Not tested with files of this release.
"""

from rico_hdl.spec import (
    Arrays,
    Axis,
    Band,
    DatasetSpec,
    Download,
    Labels,
    Modality,
    Preset,
    Template,
)
from rico_hdl.spec.model import Role

_SHAPE = (264, 264)
_TO_B09 = ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09")
_RGB = Preset("rgb", ("B04", "B03", "B02"))


def _layer(  # noqa: PLR0913, PLR0917 - all of one modality
    folder: str,
    title: str,
    names: tuple[str, ...],
    presets: tuple[Preset, ...] = (),
    labels: str = "",
    role: Role = "image",
) -> Modality:
    name = folder.lower()
    return Modality(
        name=name,
        title=title,
        option=f"--{name}-dir",
        files=Template.parse("{source}_{split}_{sample}.zarr.zip/{time:d}"),
        key=Template.parse(f"{name}_{{source}}_{{split}}_{{sample}}"),
        bands=tuple(Band(band, index=i, shape=_SHAPE) for i, band in enumerate(names, 1)),
        arrays=Arrays(
            "bands",
            (Axis("band", labels=labels), Axis("time", field="time"), Axis("y"), Axis("x")),
        ),
        role=role,
        presets=presets,
        folder=folder,
        # Tars of all modalities have the same names; their folder, if present, tells them apart.
        downloads=tuple(
            Download(f"{above}{source}_*.tar")
            for above in (f"{folder}/", "")
            for source in ("majortom", "ssl4eos12")
        ),
        example="ssl4eos12_val_0080385.zarr.zip/0",
    )


SPEC = DatasetSpec(
    name="terramesh",
    title="TerraMesh",
    summary="Sentinel-1, Sentinel-2, elevation, vegetation and land cover on one grid.",
    url="https://huggingface.co/datasets/ibm-esa-geospatial/TerraMesh",
    topic="Sentinel-1 with Sentinel-2",
    keywords=("SAR", "multispectral", "pre-training", "DEM", "land cover", "Zarr"),
    licence="CC-BY-SA-4.0",
    citation=(
        "B. Blumenstiel, P. Fraccaro, V. Marsocci, J. Jakubik, S. Maurogiovanni, M. Czerkawski, "
        "R. Sedona, G. Cavallaro, T. Brunschwiler, J. Bernabe-Moreno, N. Longépé: TerraMesh: A "
        "Planetary Mosaic of Multimodal Earth Observation Data. arXiv:2504.11172, 2025."
    ),
    labels=Labels(split="split"),
    modalities=(
        _layer("S2L1C", "Sentinel-2 L1C patches", (*_TO_B09, "B10", "B11", "B12"), (_RGB,), "band"),
        _layer("S2L2A", "Sentinel-2 L2A patches", (*_TO_B09, "B11", "B12"), (_RGB,), "band"),
        _layer("S2RGB", "Sentinel-2 images in colour", ("Red", "Green", "Blue")),
        _layer("S1GRD", "Sentinel-1 GRD patches", ("vv", "vh"), (), "band"),
        _layer("S1RTC", "Sentinel-1 RTC patches", ("vv", "vh"), (), "band"),
        _layer("DEM", "elevation", ("DEM",), role="auxiliary"),
        _layer("NDVI", "vegetation index", ("NDVI",), role="auxiliary"),
        _layer("LULC", "land cover", ("LULC",), role="mask"),
    ),
    notes=(
        (
            "Name the folder of one modality with its tars, such as val/S2L1C, for each option: "
            "tars of all modalities have the same names."
        ),
        "A sample has Sentinel-1 as GRD or as RTC, never both.",
        (
            "Bands of Sentinel-1 and of S2L1C and S2L2A are found by their names in the store, "
            "those of the others by their order."
        ),
        (
            "Sentinel-1 GRD samples of SSL4EO-S12 published before March 2026 had wrong times; the "
            "publisher replaced them."
        ),
        "Cloud masks, coordinates and the metadata tables are not converted.",
        "No file was at hand, and no dtype is enforced.",
    ),
)
