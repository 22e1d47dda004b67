"""fMoW-Sentinel: Sentinel-2 composites of the places of Functional Map of the World.

Layout and band order: Cong et al., "SatMAE: Pre-training Transformers for Temporal and
Multi-Spectral Satellite Imagery", NeurIPS 2022 (arXiv:2207.08051), and the authors' repository,
whose published means show that B9 and B10 are the tenth and eleventh band. Not tested with real
files.
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

_NAMES = (
    "B1", "B2", "B3", "B4", "B5", "B6", "B7", "B8", "B8A", "B9", "B10", "B11", "B12",
)  # fmt: skip

# The files hold all bands at 10 m; presets are named after the bands' native resolution.
_PRESETS = (
    Preset("rgb", ("B4", "B3", "B2")),
    Preset("10m", ("B2", "B3", "B4", "B8")),
    Preset("20m", ("B5", "B6", "B7", "B8A", "B11", "B12")),
    Preset("60m", ("B1", "B9", "B10")),
)

SPEC = DatasetSpec(
    name="fmow-sentinel",
    title="fMoW-Sentinel",
    summary="Sentinel-2 composites of various sizes with 13 bands in 62 classes of land use.",
    url="https://purl.stanford.edu/vg497cb6002",
    topic="Sentinel-1 or Sentinel-2",
    keywords=("multispectral", "classification"),
    citation=(
        "Y. Cong, S. Khanna, C. Meng, P. Liu, E. Rozi, Y. He, M. Burke, D. B. Lobell, S. Ermon: "
        "SatMAE: Pre-training Transformers for Temporal and Multi-Spectral Satellite Imagery. "
        "NeurIPS 2022."
    ),
    labels=Labels(
        tables=(
            LabelTable(
                "{split}.csv",
                (KeyForm("s2", "{split}_{category}_{location_id}_{image_id}"),),
                label=("category",),
                split="split",
            ),
        )
    ),
    modalities=(
        Modality(
            name="s2",
            title="Sentinel-2 composites",
            option="--dataset-dir",
            files=Template.parse(
                "**/{split}/{category}/{category}_{location:d}/"
                "{category}_{location:d}_{image:d}.tif"
            ),
            # Identifiers of locations may start anew in each split.
            key=Template.parse("{split}_{category}_{location:d}_{image:d}"),
            bands=tuple(
                Band(name, index=i, aliases=("B08A",) if name == "B8A" else ())
                for i, name in enumerate(_NAMES, 1)
            ),
            presets=_PRESETS,
            folder="fmow-sentinel",
            downloads=(Download("fmow-sentinel.tar.gz"),),
            example="train/airport/airport_0/airport_0_0.tif",
            n_published=882_779,
        ),
    ),
    notes=(
        "Sizes vary: each image is the box of its place, mostly below 100 x 100 pixels.",
        (
            "A row of train.csv, val.csv or test_gt.csv belongs to the key made of the split and "
            "its category, location_id and image_id; some rows have no image."
        ),
        "No real file was at hand: the order of bands is the authors', and no dtype is enforced.",
    ),
)
