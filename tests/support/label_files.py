"""A small dataset of chips with masks, and its labels in every form of table.

In: a folder. Out: images, a spec as TOML, and files that all say the same about them.
"""

from __future__ import annotations

import io
import json
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import tifffile

from rico_hdl.spec import DatasetSpec
from rico_hdl.spec.toml_form import spec_of

N = 9
CLASSES = ("cropland", "forest", "water")
SPLITS = ("train", "validation", "test")
MODALITIES = """
name = "chips"

[[modality]]
name = "s2"
files = "{country}/{id}_s2.tif"
key = "{country}_{id}_s2"
bands = ["B02", "B03"]

[[modality]]
name = "mask"
role = "mask"
files = "{country}/{id}_mask.tif"
key = "{country}_{id}_mask"
bands = ["mask"]
"""


def name_of(i: int) -> tuple[str, str]:
    """Country and number of a chip."""
    return ("austria", "north")[i % 2], f"{i:03}"


def key_of(i: int, modality: str = "s2") -> str:
    """The key of a chip's patch."""
    return "_".join((*name_of(i), modality))


def class_of(i: int) -> str:
    """The class of a chip."""
    return CLASSES[i % 3]


def classes_of(i: int) -> list[str]:
    """The classes of a chip if it may have several, or none."""
    return [name for j, name in enumerate(CLASSES) if i >> j & 1]


def number_of(i: int) -> float:
    """The number of a chip."""
    return i / 4 - 1


def split_of(i: int) -> str:
    """The split of a chip."""
    return SPLITS[i // 3 % 3]


def pixels_of(i: int, n_bands: int) -> np.ndarray[Any, Any]:
    """The pixels of a chip, which say where they are."""
    return (np.arange(n_bands * 12, dtype=np.uint16) + 100 * i).reshape(n_bands, 3, 4)


def write_images(folder: Path, n: int = N) -> Path:
    """Write the images, and return their folder."""
    for i in range(n):
        country, number = name_of(i)
        for name, n_bands in (("s2", 2), ("mask", 1)):
            path = folder / country / f"{number}_{name}.tif"
            path.parent.mkdir(parents=True, exist_ok=True)
            pixels = pixels_of(i, n_bands)
            options = {"planarconfig": "separate"} if n_bands > 1 else {}
            image = pixels if n_bands > 1 else pixels[0]
            tifffile.imwrite(path, image, photometric="minisblack", **options)
    return folder


def spec_with(labels: dict[str, Any], **more: Any) -> DatasetSpec:
    """The spec of the chips with these labels."""
    import tomllib

    return spec_of({**tomllib.loads(MODALITIES), "labels": labels, **more})


def csv_text(separator: str = ",", *, header: bool = True) -> str:
    """Country, number, class and split of each chip."""
    rows = [["country", "id", "Land Cover", "split"]] if header else []
    rows += [[*name_of(i), class_of(i), split_of(i)] for i in range(N)]
    return "".join(separator.join(row) + "\n" for row in rows)


def rows() -> list[dict[str, str]]:
    """The same as dictionaries."""
    return [
        {
            **dict(zip(("country", "id"), name_of(i), strict=True)),
            "Land Cover": class_of(i),
            "split": split_of(i),
        }
        for i in range(N)
    ]


def parquet_bytes() -> bytes:
    """The same as parquet."""
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows()), buffer)
    return buffer.getvalue()


FORMS: dict[str, tuple[dict[str, Any], dict[str, bytes]]] = {
    "csv": ({"file": "labels.csv"}, {"labels.csv": csv_text().encode("utf-8-sig")}),
    "csv-crlf": ({"file": "labels.csv"}, {"labels.csv": csv_text().replace("\n", "\r\n").encode()}),
    "semicolons": (
        {"file": "labels.csv", "delimiter": ";"},
        {"labels.csv": csv_text(";").encode()},
    ),
    "tsv": ({"file": "labels.tsv"}, {"labels.tsv": csv_text("\t").encode()}),
    "no-header": (
        {"file": "labels.csv", "header": ["country", "id", "Land Cover", "split"]},
        {"labels.csv": csv_text(header=False).encode()},
    ),
    "json-list": ({"file": "labels.json"}, {"labels.json": json.dumps(rows()).encode()}),
    "json-objects": (
        {"file": "labels.json", "row": "{country}/{id}"},
        {
            "labels.json": json.dumps(
                {f"{row.pop('country')}/{row.pop('id')}": row for row in rows()}, indent=1
            ).encode()
        },
    ),
    "geojson": (
        {"file": "meta/labels.geojson"},
        {
            "meta/labels.geojson": json.dumps(
                {
                    "type": "FeatureCollection",
                    "name": "chips",
                    "features": [
                        {"type": "Feature", "geometry": None, "properties": row} for row in rows()
                    ],
                }
            ).encode()
        },
    ),
    "parquet": ({"file": "labels.parquet"}, {"labels.parquet": parquet_bytes()}),
    "record-files": (
        {"file": "{country}/{id}_meta.json", "record": True},
        {
            f"{row['country']}/{row['id']}_meta.json": json.dumps(
                {name: row[name] for name in ("Land Cover", "split")}
            ).encode()
            for row in rows()
        },
    ),
    "file-per-split": (
        {
            "file": "splits/{split}_list.txt",
            "row": "{country}/{id}_s2.tif {land_cover}",
            "keys": {"s2": "{country}_{id}_s2", "mask": "{country}_{id}_mask"},
        },
        {
            f"splits/{ {'validation': 'val'}.get(split, split) }_list.txt": "".join(
                f"{'/'.join(name_of(i))}_s2.tif {class_of(i)}\n\n"
                for i in range(N)
                if split_of(i) == split
            ).encode()
            for split in SPLITS
        },
    ),
}
"""Forms of tables: the table in the spec, and the files; all say the same."""


def table_of(form: str) -> dict[str, Any]:
    """The table of a form, with the columns of label and split."""
    return {"label": "Land Cover", "split": "split", **FORMS[form][0]}


def write_tables(folder: Path, form: str) -> None:
    """Write the files of a form."""
    for name, data in FORMS[form][1].items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def packed(folder: Path, path: Path) -> Path:
    """An archive of a folder, of the kind that its name says, with the folder at its top."""
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w") as archive:
            for file in files:
                archive.write(file, file.relative_to(folder.parent).as_posix())
        return path
    with tarfile.open(path, "w:gz") as archive:
        for file in files:
            archive.add(file, file.relative_to(folder.parent).as_posix())
    return path
