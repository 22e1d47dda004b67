"""Hydro: Sentinel-2 patches over water and coasts.

Band order: the files' own, which is that of Sentinel-2 L2A in the publisher's description
(Corley and Robinson, "Hydro: A Foundation Model for Water in Satellite Imagery", 2024).
"""

from rico_hdl.spec import Band, DatasetSpec, Download, Modality, Template

_NAMES = ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B11", "B12")

SPEC = DatasetSpec(
    name="hydro",
    title="Hydro",
    summary="Sentinel-2 patches of 256 x 256 pixels and 12 bands around the world's waters.",
    url="https://github.com/isaaccorley/hydro-foundation-model",
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
            bands=tuple(Band(name, index=i, shape=(256, 256)) for i, name in enumerate(_NAMES, 1)),
            dtype="uint16",
            folder="hydro",
            downloads=(Download("hydro.z*"),),
            example="patch_0.tif",
            n_published=100_000,
        ),
    ),
)
