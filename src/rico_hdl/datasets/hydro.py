"""Hydro: Sentinel-2 patches over water and coasts.

Band order: as in the files, which follow Sentinel-2 L2A according to the publisher's description
(Corley and Robinson, "Hydro: A Foundation Model for Water in Satellite Imagery", 2024).
"""

from rico_hdl.spec import Band, DatasetSpec, Download, Modality, Preset, Template

# The files hold all bands at 10 m; presets are named after the bands' native resolution.
_PRESETS = (
    Preset("rgb", ("B04", "B03", "B02")),
    Preset("10m", ("B02", "B03", "B04", "B08")),
    Preset("20m", ("B05", "B06", "B07", "B8A", "B11", "B12")),
    Preset("60m", ("B01", "B09")),
)
_NAMES = ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B11", "B12")

SPEC = DatasetSpec(
    name="hydro",
    title="Hydro",
    summary="Sentinel-2 patches of 256 x 256 pixels and 12 bands around the world's waters.",
    url="https://github.com/isaaccorley/hydro-foundation-model",
    topic="Sentinel-1 or Sentinel-2",
    keywords=("multispectral", "pre-training"),
    citation=(
        "I. Corley, C. Robinson: Hydro: A Foundation Model for Water in Satellite Imagery. 2024."
    ),
    modalities=(
        Modality(
            name="s2",
            title="Sentinel-2 patches",
            option="--dataset-dir",
            files=Template.parse("**/patch_{number:d}.tif"),
            key=Template.parse("patch_{number}"),
            bands=tuple(
                Band(name, index=i, shape=(256, 256), aliases=("B08A",) if name == "B8A" else ())
                for i, name in enumerate(_NAMES, 1)
            ),
            presets=_PRESETS,
            dtype="uint16",
            folder="hydro",
            downloads=(Download("hydro.z*"),),
            example="patch_0.tif",
            n_published=100_000,
        ),
    ),
    is_original=True,
)
