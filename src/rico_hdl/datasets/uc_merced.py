"""UC Merced Land Use: aerial RGB patches of 21 classes.

Band order: the files are RGB (photometric interpretation 2); Yang and Newsam, "Bag-of-visual-words
and spatial extensions for land-use classification", ACM GIS 2010.
"""

from rico_hdl.spec import Band, DatasetSpec, Download, Labels, Modality, Preset, Template

CLASSES = (
    "agricultural", "airplane", "baseballdiamond", "beach", "buildings", "chaparral",
    "denseresidential", "forest", "freeway", "golfcourse", "harbor", "intersection",
    "mediumresidential", "mobilehomepark", "overpass", "parkinglot", "river", "runway",
    "sparseresidential", "storagetanks", "tenniscourt",
)  # fmt: skip
"""Yang and Newsam, table 1; the names of the folders, in alphabetical order."""

SPEC = DatasetSpec(
    name="uc-merced",
    title="UC Merced Land Use",
    summary="Aerial RGB patches of 256 x 256 pixels in 21 land-use classes.",
    url="http://weegee.vision.ucmerced.edu/datasets/landuse.html",
    topic="Aerial images",
    keywords=("VHR", "classification"),
    citation=(
        "Y. Yang, S. Newsam: Bag-of-visual-words and spatial extensions for land-use "
        "classification. ACM SIGSPATIAL GIS 2010."
    ),
    labels=Labels("class", CLASSES),
    modalities=(
        Modality(
            name="rgb",
            title="aerial RGB patches",
            option="--dataset-dir",
            files=Template.parse("**/{class}/{class}{number:d}.tif"),
            key=Template.parse("{class}{number}"),
            bands=(
                Band("Red", index=1, shape=(256, 256)),
                Band("Green", index=2, shape=(256, 256)),
                Band("Blue", index=3, shape=(256, 256)),
            ),
            dtype="uint8",
            presets=(Preset("rgb", ("Red", "Green", "Blue")),),
            folder="UCMerced_LandUse",
            downloads=(Download("UCMerced_LandUse.zip", md5="5b7ec56793786b6dc8a908e8854ac0e4"),),
            example="Images/airplane/airplane00.tif",
            n_published=2_100,
        ),
    ),
    notes=("44 of the 2,100 patches are not 256 x 256; they are stored as they are.",),
    is_original=True,
)
