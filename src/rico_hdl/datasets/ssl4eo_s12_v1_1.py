"""SSL4EO-S12 v1.1: the products of v1.0 on one grid, as Zarr stores of 64 locations each.

Bands and layout: the publisher's repository shows stores of S1GRD and S2L2A (README of March 2025,
https://github.com/DLR-MF-DAS/SSL4EO-S12-v1.1). L1C also has B10, between B09 and B11, the only
place that agrees with the published means. Names are those in the stores.
"""

from rico_hdl.spec import Arrays, Axis, Band, DatasetSpec, Download, Modality, Template

_FILES = Template.parse("{location:d}/{time:d}/{band}.npy")
_ARRAYS = Arrays(
    path="bands",
    axes=(
        Axis("sample", field="location", labels="sample"),
        Axis("time", field="time"),
        Axis("band", field="band", labels="band"),
        Axis("y"),
        Axis("x"),
    ),
)
_MASKS = Arrays(
    path="cloud_mask",
    axes=(
        Axis("sample", field="location", labels="sample"),
        Axis("time", field="time"),
        Axis("y"),
        Axis("x"),
    ),
)
_NAME = "ssl4eos12_*_seasonal_data_*.zarr.zip"
_N_PUBLISHED = 246_144 * 4  # locations x times
_SHAPE = (264, 264)


def _downloads(folder: str) -> tuple[Download, ...]:
    # Files of all modalities have the same names; their folder, if present, distinguishes them.
    return (Download(f"{folder}/{_NAME}"), Download(_NAME))


def _bands(*names: str) -> tuple[Band, ...]:
    return tuple(Band(name, shape=_SHAPE) for name in names)


_TO_B09 = ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09")

SPEC = DatasetSpec(
    name="ssl4eo-s12-v1.1",
    title="SSL4EO-S12 v1.1",
    summary="Sentinel-1 and Sentinel-2 products of 2.64 km on one grid, four times per location.",
    url="https://github.com/DLR-MF-DAS/SSL4EO-S12-v1.1",
    topic="Sentinel-1 with Sentinel-2",
    keywords=("SAR", "multispectral", "pre-training", "Zarr"),
    citation=(
        "B. Blumenstiel, N. Ait Ali Braham, C. M. Albrecht, S. Maurogiovanni, P. Fraccaro: "
        "SSL4EO-S12 v1.1: A Multimodal, Multiseasonal Dataset for Pretraining, Updated. "
        "arXiv:2503.00168, 2025."
    ),
    modalities=(
        Modality(
            name="s1",
            title="Sentinel-1 GRD products",
            option="--s1-dir",
            files=_FILES,
            arrays=_ARRAYS,
            key=Template.parse("s1_{location}_{time}"),
            time="time",
            bands=_bands("vv", "vh"),
            dtype="float16",
            folder="S1GRD",
            downloads=_downloads("S1GRD"),
            example="0080717/0/vv.npy",
            n_published=_N_PUBLISHED,
        ),
        Modality(
            name="s2c",
            title="Sentinel-2 L1C products",
            option="--s2-l1c-dir",
            files=_FILES,
            arrays=_ARRAYS,
            key=Template.parse("s2c_{location}_{time}"),
            time="time",
            bands=_bands(*_TO_B09, "B10", "B11", "B12"),
            # Presumably int16; the publisher shows no store of L1C.
            folder="S2L1C",
            downloads=_downloads("S2L1C"),
            example="0080717/0/B10.npy",
            n_published=_N_PUBLISHED,
        ),
        Modality(
            name="s2a",
            title="Sentinel-2 L2A products",
            option="--s2-l2a-dir",
            files=_FILES,
            arrays=_ARRAYS,
            key=Template.parse("s2a_{location}_{time}"),
            time="time",
            bands=_bands(*_TO_B09, "B11", "B12"),
            dtype="int16",
            folder="S2L2A",
            downloads=_downloads("S2L2A"),
            example="0080717/0/B8A.npy",
            n_published=_N_PUBLISHED,
        ),
        Modality(
            name="cloud-mask",
            title="cloud masks of Sentinel-2 products",
            option="--cloud-mask-dir",
            files=Template.parse("{location:d}/{time:d}/cloud_mask.npy"),
            arrays=_MASKS,
            key=Template.parse("cloud_mask_{location}_{time}"),
            bands=_bands("cloud_mask"),
            dtype="uint8",
            folder="S2L2A",
            role="mask",
            on_request=True,
            downloads=_downloads("S2L2A"),
            example="0080717/0/cloud_mask.npy",
            n_published=_N_PUBLISHED,
        ),
    ),
    notes=(
        (
            "The dataset is read from its Zarr stores (.zarr.zip). Paths that end in .npy, here "
            "and in messages, are those of bands in a store."
        ),
        "The end of a key is the store's own sample_id: location and zero-based time.",
        (
            "The same time of two modalities is the same season, except where Sentinel-1's times "
            "are not in chronological order: see issue 4 of the publisher's repository."
        ),
        (
            "Values are stored unchanged: Sentinel-1 in dB; Sentinel-2 with an offset of 1000 "
            "added. The publisher's WebDataset form lacks this offset; it is not supported."
        ),
        "Cloud masks are converted only with --cloud-mask-dir, from the stores of L2A products.",
        "Dates, coordinates and the S2RGB stores are not converted.",
    ),
)
