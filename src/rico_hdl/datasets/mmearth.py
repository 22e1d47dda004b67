"""MMEarth: multi-modal patches of 1.2 million places, in one HDF5 file.

Names of arrays and bands: the publisher's repository (https://github.com/vishalned/MMEarth-data),
torchgeo's reader; Nedungadi et al., "MMEarth: Exploring Multi-Modal Pretext Tasks For Geospatial
Representation Learning", ECCV 2024. Not tested with files of this release.
"""

from rico_hdl.spec import Arrays, Axis, Band, DatasetSpec, Download, Modality, Preset, Template
from rico_hdl.spec.model import Role

_AXES = (
    Axis("sample", field="tile", labels="metadata/tile_id"),
    Axis("band"),
    Axis("y"),
    Axis("x"),
)
# B8A comes before B8.
_S2_NAMES = (
    "B1", "B2", "B3", "B4", "B5", "B6", "B7", "B8A", "B8", "B9", "B10", "B11", "B12",
)  # fmt: skip
_S1_NAMES = (
    "VV_asc", "VH_asc", "HH_asc", "HV_asc", "VV_desc", "VH_desc", "HH_desc", "HV_desc",
)  # fmt: skip


def _layer(
    name: str,
    title: str,
    names: tuple[str, ...],
    role: Role = "auxiliary",
    presets: tuple[Preset, ...] = (),
) -> Modality:
    short = name.replace("_", "-")
    return Modality(
        name=short,
        title=title,
        option=f"--{short}-dir",
        files=Template.parse("data_{release}.h5/{tile}"),
        key=Template.parse(f"{{tile}}_{name}"),
        bands=tuple(
            Band(band, index=i, aliases=("B08A",) if band == "B8A" else ())
            for i, band in enumerate(names, 1)
        ),
        arrays=Arrays(name, _AXES),
        role=role,
        presets=presets,
        folder="MMEarth",
        downloads=(Download("data_*.h5"),),
        example="data_1M_v001.h5/10000",
    )


SPEC = DatasetSpec(
    name="mmearth",
    title="MMEarth",
    summary="Sentinel-1 and Sentinel-2 patches with elevation, tree height and land cover.",
    url="https://vishalned.github.io/mmearth",
    topic="Sentinel-1 with Sentinel-2",
    keywords=("SAR", "multispectral", "pre-training", "DEM", "land cover", "HDF5"),
    licence="CC-BY-4.0",
    citation=(
        "V. Nedungadi, A. Kariryaa, S. Oehmcke, S. Belongie, C. Igel, N. Lang: MMEarth: Exploring "
        "Multi-Modal Pretext Tasks For Geospatial Representation Learning. ECCV 2024."
    ),
    modalities=(
        _layer(
            "sentinel2",
            "Sentinel-2 patches",
            _S2_NAMES,
            "image",
            (Preset("rgb", ("B4", "B3", "B2")),),
        ),
        _layer("sentinel1", "Sentinel-1 patches of both orbits", _S1_NAMES, "image"),
        _layer("aster", "ASTER's elevation and slope", ("elevation", "slope")),
        _layer("canopy_height_eth", "heights of trees", ("height", "deviation")),
        _layer("dynamic_world", "land cover of Dynamic World", ("class",), "mask"),
        _layer("esa_worldcover", "land cover of WorldCover", ("class",), "mask"),
        _layer("sentinel2_scl", "scene classification of Sentinel-2", ("class",)),
        _layer("sentinel2_cloudmask", "cloud masks of Sentinel-2", ("cloud",)),
        _layer("sentinel2_cloudprod", "cloud probability of Sentinel-2", ("probability",)),
    ),
    notes=(
        "A key begins with the tile_id in the file's table metadata.",
        (
            "Convert one release (1M, 1M_64, 100k) into a store: they share tiles, and the keys "
            "don't tell them apart."
        ),
        "Sentinel-2 has B8A before B8. Sentinel-1 has -inf where an orbit or band is absent.",
        "canopy_height_eth is int8 in which 255, for no data, has become -1.",
        (
            "Vectors of a tile (era5, lat, lon, month, biome, eco_region) are not stored. The "
            "publisher's splits are row numbers, in the order of the file's table."
        ),
        "No file was at hand, and no dtype is enforced.",
    ),
)
