"""S2-100K: Sentinel-2 patches at 100,000 places all over the world.

Band order: the description of the mirror that torchgeo keeps, and the files, which have 12 bands;
Klemmer et al., "SatCLIP: Global, General-Purpose Location Embeddings with Satellite Imagery", AAAI
2025 (arXiv:2311.17179).
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
    name="s2-100k",
    title="S2-100K",
    summary="Sentinel-2 patches of 256 x 256 pixels and 12 bands, all over the world.",
    url="https://github.com/microsoft/satclip",
    topic="Sentinel-1 or Sentinel-2",
    keywords=("multispectral", "pre-training"),
    citation=(
        "K. Klemmer, E. Rolf, C. Robinson, L. Mackey, M. Rußwurm: SatCLIP: Global, General-Purpose "
        "Location Embeddings with Satellite Imagery. AAAI 2025."
    ),
    modalities=(
        Modality(
            name="s2",
            title="Sentinel-2 patches",
            option="--dataset-dir",
            files=Template.parse("**/patch_{number:d}.tif"),
            key=Template.parse("patch_{number:d}"),
            bands=tuple(
                Band(name, index=i, shape=(256, 256), aliases=("B08A",) if name == "B8A" else ())
                for i, name in enumerate(_NAMES, 1)
            ),
            presets=_PRESETS,
            dtype="uint16",
            folder="s2-100k",
            downloads=(Download("shard-*.tar"), Download("satclip.tar")),
            example="patch_8845.tif",
            n_published=100_000,
        ),
    ),
    notes=(
        (
            "Another dataset has the same names, bands and sizes: keep the store's manifest, which "
            "alone tells them apart."
        ),
        "Coordinates are in index.csv (fn, lon, lat): fn is the key and .tif.",
        "About 1 % of the files hold no data but zeros; they are stored as they are.",
    ),
)
