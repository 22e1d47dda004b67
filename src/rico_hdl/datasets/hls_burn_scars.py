"""HLS Burn Scars: harmonized Landsat and Sentinel-2 chips with masks of burned areas.

Layout and band order: the publisher's card and terratorch's reader. Not tested with real files.
"""

from rico_hdl.spec import Band, DatasetSpec, Download, Modality, Preset, Template

_SHAPE = (512, 512)
_STEM = "subsetted_512x512_HLS.{sensor}.{tile}.{date:7d}.v1.4"
_KEY = "HLS.{sensor}.{tile}.{date:7d}"
_EXAMPLE = "training/subsetted_512x512_HLS.S30.T10SGD.2018257.v1.4"
_NAMES = ("B02", "B03", "B04", "B8A", "B11", "B12")
_DOWNLOADS = (Download("hls_burn_scars.tar.gz"),)

SPEC = DatasetSpec(
    name="hls-burn-scars",
    title="HLS Burn Scars",
    summary="Harmonized Landsat and Sentinel-2 chips of 512 x 512 pixels with burned areas.",
    url="https://huggingface.co/datasets/ibm-nasa-geospatial/hls_burn_scars",
    topic="Floods, fires and water",
    keywords=("multispectral", "segmentation", "fire"),
    licence="CC-BY-4.0",
    citation=(
        "C. Phillips, S. Roy, K. Ankur, R. Ramachandran: HLS Foundation Burnscars Dataset. 2023."
    ),
    modalities=(
        Modality(
            name="hls",
            title="HLS chips",
            option="--hls-dir",
            files=Template.parse(f"**/{_STEM}_merged.tif"),
            key=Template.parse(_KEY),
            bands=tuple(
                Band(name, index=i, shape=_SHAPE, aliases=("B08A",) if name == "B8A" else ())
                for i, name in enumerate(_NAMES, 1)
            ),
            presets=(Preset("rgb", ("B04", "B03", "B02")),),
            folder="hls_burn_scars",
            downloads=_DOWNLOADS,
            example=f"{_EXAMPLE}_merged.tif",
        ),
        Modality(
            name="mask",
            role="mask",
            title="masks of burned areas",
            option="--mask-dir",
            files=Template.parse(f"**/{_STEM}.mask.tif"),
            key=Template.parse(f"{_KEY}_mask"),
            bands=(Band("Data", shape=_SHAPE),),
            folder="hls_burn_scars",
            downloads=_DOWNLOADS,
            example=f"{_EXAMPLE}.mask.tif",
        ),
    ),
    notes=(
        "The key of a mask is that of its chip and _mask. Dates are year and day of the year.",
        "Masks are 1 (burned), 0 or -1 (no data).",
        (
            "Training and validation chips are in folders of these names, which the keys lack; "
            "there is no test set."
        ),
        "No real file was at hand: bands and names are the publisher's; no dtype is enforced.",
    ),
)
