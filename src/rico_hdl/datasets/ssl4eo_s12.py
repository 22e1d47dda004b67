"""SSL4EO-S12 v1.0: Sentinel-1 GRD, Sentinel-2 L1C and L2A products of the same locations.

Bands: Wang et al., "SSL4EO-S12: A Large-Scale Multimodal, Multitemporal Dataset for Self-Supervised
Learning in Earth Observation", GRSM 2023 (arXiv:2211.07044); each band has a file named after it.
"""

from rico_hdl.spec import Band, DatasetSpec, Download, Modality, Preset, Template

_FILES = Template.parse("{location:7d}/{product}/{band}.tif")
_S2_PRODUCT = "0000200/20200604T054639_20200604T054831_T43RCP"
_N_PUBLISHED = 246_144 * 4  # locations x seasons

# No shapes: they vary by a row or a column, around 264, 132 and 44.
_L2A_BANDS = tuple(
    # Other datasets write B1 as B01, and B8A as B08A.
    Band(name, aliases=() if name in {"B11", "B12"} else (f"B0{name[1:]}",))
    for name in ("B1", "B2", "B3", "B4", "B5", "B6", "B7", "B8", "B8A", "B9", "B11", "B12")
)
_L1C_BANDS = (*_L2A_BANDS[:-2], Band("B10"), *_L2A_BANDS[-2:])
_RGB = Preset("rgb", ("B4", "B3", "B2"))
_10M = Preset("10m", ("B2", "B3", "B4", "B8"))
_20M = Preset("20m", ("B5", "B6", "B7", "B8A", "B11", "B12"))
_L2A_PRESETS = (_RGB, _10M, _20M, Preset("60m", ("B1", "B9")))
_L1C_PRESETS = (_RGB, _10M, _20M, Preset("60m", ("B1", "B9", "B10")))

SPEC = DatasetSpec(
    name="ssl4eo-s12",
    title="SSL4EO-S12 v1.0",
    summary="Sentinel-1 and Sentinel-2 products of 2.64 km, four seasons at each location.",
    url="https://github.com/zhu-xlab/SSL4EO-S12",
    topic="Sentinel-1 with Sentinel-2",
    keywords=("SAR", "multispectral", "pre-training"),
    citation=(
        "Y. Wang, N. A. A. Braham, Z. Xiong, C. Liu, C. M. Albrecht, X. X. Zhu: SSL4EO-S12: A "
        "Large-Scale Multimodal, Multitemporal Dataset for Self-Supervised Learning in Earth "
        "Observation. IEEE GRSM 2023."
    ),
    pairs_by=("location",),
    modalities=(
        Modality(
            name="s1",
            title="Sentinel-1 GRD products",
            option="--s1-dir",
            files=_FILES,
            key=Template.parse("s1_{location}_{product}"),
            bands=(Band("VH"), Band("VV")),
            dtype="float32",
            folder="s1",
            companions=("metadata.json",),
            downloads=(Download("s1_grd.tar.gz*"),),
            example=(
                "0000200/S1A_IW_GRDH_1SDV_20200607T010800_20200607T010825_032904_03CFBA_D457/VH.tif"
            ),
            n_published=_N_PUBLISHED,
        ),
        Modality(
            name="s2c",
            title="Sentinel-2 L1C products",
            option="--s2-l1c-dir",
            files=_FILES,
            key=Template.parse("s2c_{location}_{product}"),
            time="product",
            bands=_L1C_BANDS,
            presets=_L1C_PRESETS,
            dtype="uint16",
            folder="s2c",
            companions=("metadata.json",),
            downloads=(Download("s2_l1c.tar.gz*"),),
            example=f"{_S2_PRODUCT}/B10.tif",
            n_published=_N_PUBLISHED,
        ),
        Modality(
            name="s2a",
            title="Sentinel-2 L2A products",
            option="--s2-l2a-dir",
            files=_FILES,
            key=Template.parse("s2a_{location}_{product}"),
            time="product",
            bands=_L2A_BANDS,
            presets=_L2A_PRESETS,
            dtype="uint16",
            folder="s2a",
            companions=("metadata.json",),
            downloads=(Download("s2_l2a.tar.gz*"),),
            example=f"{_S2_PRODUCT}/B8A.tif",
            n_published=_N_PUBLISHED,
        ),
    ),
    notes=(
        "Patches vary in size by a row or a column; they are stored as they are.",
        (
            "The prefix of a key (s1, s2c, s2a) is the name of the modality, whatever the folder "
            "is called."
        ),
    ),
    is_original=True,
)
