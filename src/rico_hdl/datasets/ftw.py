"""Fields of The World: Sentinel-2 chips of two seasons with masks of fields, in 25 countries.

Layout, archives and checksums: torchgeo's reader; band order: Kerner et al., "Fields of The World:
A Machine Learning Benchmark Dataset For Global Agricultural Field Boundary Segmentation", AAAI 2025
(arXiv:2409.16252). No real file was at hand.
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

_SHAPE = (256, 256)
_N_PUBLISHED = 70_462
_MD5 = {
    "austria": "35604e3e3e78b4469e443bc756e19d26",
    "belgium": "111a9048e15391c947bc778e576e99b4",
    "brazil": "2ba96f9f01f37ead1435406c3f2b7c63",
    "cambodia": "581e9b8dae9713e4d03459bcec3c0bd0",
    "corsica": "0b38846063a98a31747fdeaf1ba03980",
    "croatia": "dc5d33e19ae9e587c97f8f4c9852c87e",
    "denmark": "ec817210b06351668cacdbd1a8fb9471",
    "estonia": "b9c89e559e3c7d53a724e7f32ccf88ea",
    "finland": "23f853d6cbaea5a3596d1d38cc27fd65",
    "france": "f05314f148642ff72d8bea903c01802d",
    "germany": "d57a7ed203b9cf89c709aab29d687cee",
    "india": "361a688507e2e5cc7ca7138be01a5b80",
    "kenya": "80ca0335b25440379f99b7011dfbdfa2",
    "latvia": "6eeaaa57cdf18f25497f84e854a86d42",
    "lithuania": "0a2f4ab3309633e2de121d936e0763ba",
    "luxembourg": "5a8357eae364cca836b87827b3c6a3d3",
    "netherlands": "3afc61d184aab5c4fd6beaecf2b6c0a9",
    "portugal": "10485b747e1d8c082d33c73d032a7e05",
    "rwanda": "087ce56bbf06b32571ef27ff67bac43b",
    "slovakia": "f66a0294491086d4c49dc4a804446e50",
    "slovenia": "6fa3ae3920bcc2c890a0d74435d9d29b",
    "south_africa": "b7f1412d69922e8551cf91081401ec8d",
    "spain": "908bbf29597077c2c6954c439fe8265f",
    "sweden": "4b07726c421981bb2019e8900023393e",
    "vietnam": "32e1cacebcb2da656d40ab8522eb6737",
}
_DOWNLOADS = tuple(Download(f"{country}.zip", md5=md5) for country, md5 in _MD5.items())


def _window(letter: str, season: str) -> Modality:
    return Modality(
        name=f"s2-{letter}",
        title=f"Sentinel-2 chips of window {letter.upper()} ({season})",
        option=f"--s2-{letter}-dir",
        files=Template.parse(f"{{country}}/s2_images/window_{letter}/{{chip}}.tif"),
        key=Template.parse(f"{{country}}_{{chip}}_{letter}"),
        bands=tuple(
            Band(name, index=i, shape=_SHAPE)
            for i, name in enumerate(("B04", "B03", "B02", "B08"), 1)
        ),
        presets=(Preset("rgb", ("B04", "B03", "B02")),),
        folder="FTW",
        archive_names_folder=True,
        downloads=_DOWNLOADS,
        example=f"austria/s2_images/window_{letter}/g_0.tif",
        n_published=_N_PUBLISHED,
    )


def _mask(name: str, folder: str, title: str, classes: tuple[str, ...] = ()) -> Modality:
    return Modality(
        name=name,
        title=title,
        option=f"--{name}-dir",
        files=Template.parse(f"{{country}}/label_masks/{folder}/{{chip}}.tif"),
        key=Template.parse(f"{{country}}_{{chip}}_{name}"),
        bands=(Band("mask", shape=_SHAPE),),
        role="mask",
        classes=classes,
        folder="FTW",
        archive_names_folder=True,
        downloads=_DOWNLOADS,
        example=f"austria/label_masks/{folder}/g_0.tif",
        n_published=_N_PUBLISHED,
    )


_ENDS = {"s2-a": "a", "s2-b": "b", "2class": "2class", "3class": "3class", "instance": "instance"}


SPEC = DatasetSpec(
    name="ftw",
    title="FTW (Fields of The World)",
    summary="Sentinel-2 chips of 2.56 km in two seasons with masks of fields, in 25 countries.",
    url="https://fieldsofthe.world",
    topic="Sentinel-1 or Sentinel-2",
    keywords=("multispectral", "segmentation", "agriculture", "field boundaries"),
    citation=(
        "H. Kerner, S. Chaudhari, A. Ghosh, C. Robinson, A. Ahmad, E. Choi, N. Jacobs, C. Holmes, "
        "M. Mohr, R. Dodhia, J. M. Lavista Ferres, J. Marcus: Fields of The World: A Machine "
        "Learning Benchmark Dataset For Global Agricultural Field Boundary Segmentation. AAAI 2025."
    ),
    labels=Labels(
        tables=(
            LabelTable(
                "{country}/chips_{country}.parquet",
                tuple(
                    KeyForm(name, f"{{country}}_{{aoi_id}}_{end}") for name, end in _ENDS.items()
                ),
                split="split",
            ),
        ),
    ),
    modalities=(
        _window("a", "planting"),
        _window("b", "harvest"),
        _mask("2class", "semantic_2class", "masks of fields", ("background", "field")),
        _mask(
            "3class",
            "semantic_3class",
            "masks of fields and boundaries",
            ("background", "field", "field boundary"),
        ),
        _mask("instance", "instance", "masks of single fields"),
    ),
    notes=(
        (
            "There is an archive for each country, called after it, and the archives lack the "
            "folder of the country. The key takes it from the archive's name."
        ),
        "Some chips lack a window or a mask.",
        "Labels of Brazil, India, Kenya and Rwanda are of presence only: 3 stands for no label.",
        "The licence depends on the country. Splits are in chips_COUNTRY.parquet.",
        "No real file was at hand: names follow torchgeo's reader, and no dtype is enforced.",
    ),
)
