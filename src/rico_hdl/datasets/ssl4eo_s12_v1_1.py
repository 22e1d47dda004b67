"""SSL4EO-S12 v1.1: the products of v1.0 on one grid, as Zarr stores of 64 locations each.

Bands and layout: the publisher's repository prints stores of S1GRD and S2L2A (README of March 2025,
https://github.com/DLR-MF-DAS/SSL4EO-S12-v1.1). L1C has B10 besides, between B09 and B11: the means
that are published beside it leave no other place. Names are those of the stores.
"""

from rico_hdl.spec import Band, DatasetSpec, Download, Modality, Template

_FILES = Template.parse("{location:d}/{time:d}/{band}.npy")
_NAME = "ssl4eos12_*_seasonal_data_*.zarr.zip"
_N_PUBLISHED = 246_144 * 4  # locations x times
_SHAPE = (264, 264)


def _downloads(folder: str) -> tuple[Download, ...]:
    # All modalities' files have the same names: the folder tells them apart, where it is there.
    return (Download(f"{folder}/{_NAME}"), Download(_NAME))


def _bands(*names: str) -> tuple[Band, ...]:
    return tuple(Band(name, shape=_SHAPE) for name in names)


_TO_B09 = ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09")

SPEC = DatasetSpec(
    name="ssl4eo-s12-v1.1",
    title="SSL4EO-S12 v1.1",
    summary="Sentinel-1 and Sentinel-2 products of 2.64 km on one grid, four times per location.",
    url="https://github.com/DLR-MF-DAS/SSL4EO-S12-v1.1",
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
            encoding="npy",
            key=Template.parse("s1_{location}_{time}"),
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
            encoding="npy",
            key=Template.parse("s2c_{location}_{time}"),
            bands=_bands(*_TO_B09, "B10", "B11", "B12"),
            # Said to be int16; no print of a real store was at hand.
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
            encoding="npy",
            key=Template.parse("s2a_{location}_{time}"),
            bands=_bands(*_TO_B09, "B11", "B12"),
            dtype="int16",
            folder="S2L2A",
            downloads=_downloads("S2L2A"),
            example="0080717/0/B8A.npy",
            n_published=_N_PUBLISHED,
        ),
    ),
    notes=(
        (
            "It is read from its Zarr stores (.zarr.zip); paths that end in .npy, here and in "
            "messages, are those of bands in a store."
        ),
        "Keys end as the stores' own sample_id: location and zero-based time.",
        (
            "The same time of two modalities is the same season, except where Sentinel-1's times "
            "are not in order of date: issue 4 of the publisher's repository."
        ),
        (
            "Values are as stored: Sentinel-1 in dB; Sentinel-2 with an offset of 1000 added, "
            "which the publisher's WebDataset form (not read) lacks."
        ),
        "Cloud masks, dates, coordinates and the S2RGB stores are not converted.",
    ),
)
