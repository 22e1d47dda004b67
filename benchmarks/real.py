"""Create a dataset from a few real files, by copying them under new patch names.

In: a folder with real patches of several datasets. Out: source folders, each with a line ``OPTION
FOLDER`` on standard output; none if the folder holds no patch of this dataset.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Final

from corpus import patches
from rico_hdl.datasets import get

if TYPE_CHECKING:
    from rico_hdl.spec import Modality

_FOLDERS: Final = {
    ("bigearthnet", "s1"): "BigEarthNet/BigEarthNet-S1",
    ("bigearthnet", "s2"): "BigEarthNet/BigEarthNet-S2",
    ("bigearthnet", "reference-maps"): "BigEarthNet/Reference_Maps",
    ("eurosat-multi-spectral", "s2"): "EuroSAT_MS",
    ("hydro", "s2"): "Hydro",
    ("hyspecnet-11k", "enmap"): "HySpecNet-11k",
    ("major-tom-core", "s2"): "Major-TOM-Core/S2L2A",
    ("ssl4eo-s12", "s1"): "SSL4EO-S12/s1",
    ("ssl4eo-s12", "s2c"): "SSL4EO-S12/s2c",
    ("ssl4eo-s12", "s2a"): "SSL4EO-S12/s2a",
    ("uc-merced", "rgb"): "UCMerced_LandUse",
}
"""The folders with samples of a modality; other modalities have none."""


def main() -> None:
    """Read the command line and copy."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset")
    parser.add_argument("samples", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--n-patches", type=int, required=True)
    arguments = parser.parse_args()
    spec = get(arguments.dataset)
    for modality in spec.modalities:
        place = _FOLDERS.get((spec.name, modality.name))
        originals = read(modality, arguments.samples / place) if place else []
        if not originals:
            continue
        source = arguments.out / modality.folder
        for patch in patches(spec, modality, arguments.n_patches):
            (source / patch.folder).mkdir(parents=True, exist_ok=True)
            contents = originals[patch.number % len(originals)]
            for path, data in zip(patch.files, contents, strict=True):
                (source / path).write_bytes(data)
        print(f"{modality.option} {source}")


def read(modality: Modality, folder: Path) -> list[list[bytes]]:
    """The files of each real patch below a folder, in band order."""
    tokens = [band.token for band in modality.bands] if modality.one_file_per_band else [""]
    found: dict[str, dict[str, bytes]] = {}
    for path in sorted(folder.rglob("*.[tT][iI][fF]")):
        fields = modality.files.match(path.relative_to(folder).as_posix())
        token = (fields or {}).get("band", "")
        if fields is not None and token in tokens:
            found.setdefault(modality.key.format(fields), {})[token] = path.read_bytes()
    return [[files[token] for token in tokens] for files in found.values()]


if __name__ == "__main__":
    main()
