"""Sample datasets as their publishers offer them for download.

In: the folders that `corpus.generate` wrote, or real ones. Out: small archives with the names,
paths, formats and order of members of the published ones.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import sys
import tarfile
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from shutil import copyfile
from typing import TYPE_CHECKING, Final

from corpus.tortillas import of_folder, tortilla_of, write_parts
from corpus.volumes import volumes

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

if TYPE_CHECKING:
    from rico_hdl.spec import DatasetSpec

_BENCH: Final = {
    "cloud_s2.zip": ("cloud-s2-image", "cloud-s2-mask"),
    "cloud_s3.zip": ("cloud-s3-image", "cloud-s3-multi", "cloud-s3-binary"),
    "eurosat_s1.zip": ("eurosat-s1",),
    "eurosat_s2.zip": ("eurosat-s2",),
    "bigearthnetv2.zip": ("bigearthnet-s1", "bigearthnet-s2"),
    "dfc2020.zip": ("dfc2020-s1", "dfc2020-s2", "dfc2020-dfc"),
    "flood_s1.zip": ("flood-ms1", "flood-sl1", "flood-sl2", "flood-mlu", "flood-mna"),
    "lc100_s3.zip": ("lc100-image", "lc100-target"),
    "biomass_s3.zip": ("biomass-image", "biomass-target"),
    "airquality_s5p.zip": (
        "no2-annual", "no2-seasonal", "no2-target", "o3-annual", "o3-seasonal", "o3-target",
    ),
}  # fmt: skip
"""Modalities of Copernicus-Bench by their archive."""
_PRETRAIN: Final = {
    "s1": "s1_grd_utm",
    "s2": "s2_toa_mix",
    "s3": "s3_olci_wgs",
    "s5p-co": "s5p_co_wgs",
    "s5p-no2": "s5p_no2_wgs",
    "s5p-o3": "s5p_o3_wgs",
    "s5p-so2": "s5p_so2_wgs",
    "dem": "dem_grid_wgs",
}
"""The beginning of the names of Copernicus-Pretrain's archives, by modality."""
_LANDSAT: Final = ("tm-toa", "etm-toa", "etm-sr", "oli-tirs-toa", "oli-sr")
_LANDSAT_MASKS: Final = ("tm-cdl", "tm-nlcd", "etm-cdl", "etm-nlcd", "oli-cdl", "oli-nlcd")
_GEO_BENCH: Final = {
    "benv2": ("tortilla", ("s1", "s2")),
    "biomassters": ("tortilla, a part of seven", ("s1", "s2", "agbm")),
    "burn_scars": ("tortilla", ("hls", "mask")),
    "caffe": ("tortilla", ("sar", "zones")),
    "cloudsen12": ("tortilla", ("s2", "clouds")),
    "dynamic_earthnet": ("tortilla, in parts", ("planet", "s1", "s2", "label")),
    "flair2": ("tortilla", ("aerial", "mask")),
    "fotw": ("tortilla", ("window-a", "window-b", "instances", "mask")),
    "kuro_siwo": (
        "tortilla", ("pre-event-1", "pre-event-2", "post-event", "dem", "mask", "invalid-data")
    ),
    "spacenet2": ("tortilla, in parts", ("worldview", "pan", "mask", "buildings")),
    "treesatai": ("tortilla", ("aerial", "s1", "s2")),
}  # fmt: skip
"""The form of GEO-Bench-2's archives, and the modalities in them, by the publisher's name."""
_OSCD: Final = "Onera Satellite Change Detection dataset - Images"

PUBLISHED: Final[Mapping[str, Mapping[str, str]]] = {
    "bigearthnet": {"s1": "tar.zst", "s2": "tar.zst", "reference-maps": "tar.zst"},
    "bigearthnet-v1": {"s1": "tar.gz", "s2": "tar.gz"},
    "eurosat-multi-spectral": {"s2": "zip"},
    "eurosat-rgb": {"rgb": "zip"},
    "hydro": {"s2": "volumes"},
    "biomassters": dict.fromkeys(("s1", "s2", "agbm"), "zip"),
    "copernicus-bench": dict.fromkeys(chain.from_iterable(_BENCH.values()), "zip"),
    "copernicus-pretrain": dict.fromkeys(_PRETRAIN, "tar.zst"),
    "cloudsen12-plus": dict.fromkeys(("l1c", "l2a", "mask"), "taco, in parts"),
    **{
        f"geo-bench-2-{name.replace('_', '-')}": dict.fromkeys(modalities, form)
        for name, (form, modalities) in _GEO_BENCH.items()
    },
    "eurosat-sar": {"s1": "zip"},
    "flair": {"aerial": "zip", "mask": "zip"},
    "ftw": dict.fromkeys(
        ("s2-a", "s2-b", "2class", "3class", "instance"), "zip, for each folder, without it"
    ),
    "fmow-sentinel": {"s2": "tar.gz"},
    "hls-burn-scars": {"hls": "tar.gz", "mask": "tar.gz"},
    "mados": dict.fromkeys(("s2", "cl", "conf", "rep"), "zip"),
    "million-aid": {"rgb": "zip, for each folder"},
    "marida": dict.fromkeys(("s2", "cl", "conf"), "zip"),
    "oscd": {"before": "zip", "after": "zip"},
    "s2-100k": {"s2": "tar"},
    "satlaspretrain": dict.fromkeys(("sentinel2", "sentinel1", "landsat", "naip"), "tar"),
    "seasonet": dict.fromkeys(("s2", "labels"), "zip, for each folder"),
    "seco": {"s2": "zip"},
    "sen12ms": dict.fromkeys(("s1", "s2", "lc"), "tar.gz, for each folder"),
    "sen12ms-cr": dict.fromkeys(("s1", "s2", "s2-cloudy"), "tar.gz, for each folder"),
    "sen12ms-cr-ts": {"s1": "tar.gz", "s2": "tar.gz"},
    "ssl4eo-l": dict.fromkeys(_LANDSAT, "tar.gz, split"),
    "ssl4eo-l-benchmark": dict.fromkeys((*_LANDSAT, *_LANDSAT_MASKS), "tar.gz"),
    "treesatai": dict.fromkeys(("aerial", "s1-60m", "s1-200m", "s2-60m", "s2-200m"), "zip"),
    "hyspecnet-11k": {"enmap": "tar.gz, several"},
    "major-tom-core": dict.fromkeys(("s1", "s2", "s2-l1c", "dem", "cloud-mask"), "parquet"),
    "levir-cd": {"before": "zip", "after": "zip", "change": "zip"},
    "loveda": {"rgb": "zip", "mask": "zip"},
    "patternnet": {"rgb": "zip"},
    "resisc45": {"rgb": "zip"},
    "ssl4eo-s12": {"s1": "tar.gz, split", "s2c": "tar.gz, split", "s2a": "tar.gz, split"},
    "ssl4eo-s12-v1.1": dict.fromkeys(("s1", "s2c", "s2a", "cloud-mask"), "zarr"),
    "uc-merced": {"rgb": "zip"},
}
"""The form of each modality's archives, by dataset and modality; those of others are unknown."""

_NAMES: Final = {
    ("bigearthnet", "s1"): ("BigEarthNet-S1.tar.zst", "BigEarthNet-S1"),
    ("bigearthnet", "s2"): ("BigEarthNet-S2.tar.zst", "BigEarthNet-S2"),
    ("bigearthnet", "reference-maps"): ("Reference_Maps.tar.zst", "Reference_Maps"),
    ("bigearthnet-v1", "s1"): ("BigEarthNet-S1-v1.0.tar.gz", "BigEarthNet-S1-v1.0"),
    ("bigearthnet-v1", "s2"): ("BigEarthNet-S2-v1.0.tar.gz", "BigEarthNet-v1.0"),
    ("eurosat-multi-spectral", "s2"): ("EuroSAT_MS.zip", "EuroSAT_MS"),
    ("eurosat-rgb", "rgb"): ("EuroSAT_RGB.zip", "EuroSAT_RGB"),
    ("hydro", "s2"): ("hydro.zip", "hydro"),
    ("hyspecnet-11k", "enmap"): ("hyspecnet-11k-{:02}.tar.gz", "hyspecnet-11k"),
    # One archive holds all modalities of a split; here, it holds all splits.
    **dict.fromkeys(
        (("levir-cd", name) for name in ("before", "after", "change")), ("train.zip", "")
    ),
    **dict.fromkeys((("loveda", name) for name in ("rgb", "mask")), ("Train.zip", "")),
    ("major-tom-core", "s1"): ("Core-S1RTC/images/part_{:05}.parquet", ""),
    ("major-tom-core", "s2"): ("Core-S2L2A/images/part_{:05}.parquet", ""),
    ("major-tom-core", "s2-l1c"): ("Core-S2L1C/images/part_{:05}.parquet", ""),
    ("major-tom-core", "dem"): ("Core-DEM/images/part_{:05}.parquet", ""),
    ("major-tom-core", "cloud-mask"): ("Core-S2L2A/images/part_{:05}.parquet", ""),
    ("patternnet", "rgb"): ("PatternNet.zip", "PatternNet"),
    ("resisc45", "rgb"): ("NWPU-RESISC45.zip", "NWPU-RESISC45"),
    ("ssl4eo-s12", "s1"): ("s1_grd.tar.gz.part", "s1"),
    ("ssl4eo-s12", "s2c"): ("s2_l1c.tar.gz.part", "s2c"),
    ("ssl4eo-s12", "s2a"): ("s2_l2a.tar.gz.part", "s2a"),
    ("ssl4eo-s12-v1.1", "s1"): ("train/S1GRD", ""),
    ("ssl4eo-s12-v1.1", "s2c"): ("train/S2L1C", ""),
    ("ssl4eo-s12-v1.1", "s2a"): ("train/S2L2A", ""),
    ("ssl4eo-s12-v1.1", "cloud-mask"): ("train/S2L2A", ""),
    ("uc-merced", "rgb"): ("UCMerced_LandUse.zip", "UCMerced_LandUse"),
    ("biomassters", "s1"): ("train_features.zip", ""),
    ("biomassters", "s2"): ("train_features.zip", ""),
    ("biomassters", "agbm"): ("train_agbm.zip", ""),
    **{("copernicus-bench", name): (path, "") for path, names in _BENCH.items() for name in names},
    **{
        ("copernicus-pretrain", name): (f"{stem}_chunk001.tar.zst", "")
        for name, stem in _PRETRAIN.items()
    },
    **{("ftw", name): ("", "") for name in ("s2-a", "s2-b", "2class", "3class", "instance")},
    **{("mados", name): ("MADOS.zip", "MADOS") for name in ("s2", "cl", "conf", "rep")},
    ("million-aid", "rgb"): ("", ""),
    **{
        ("satlaspretrain", name): (f"satlas-dataset-v1-{archive}.tar", "")
        for name, archive in {
            "sentinel2": "sentinel2-a",
            "sentinel1": "sentinel1-new",
            "landsat": "landsat",
            "naip": "naip-2011",
        }.items()
    },
    **{("seasonet", name): ("", "") for name in ("s2", "labels")},
    ("seco", "s2"): ("seco_100k.zip", "seasonal_contrast_100k"),
    ("cloudsen12-plus", "l1c"): ("cloudsen12-l1c.0000.part.taco", ""),
    ("cloudsen12-plus", "l2a"): ("cloudsen12-l2a.0000.part.taco", ""),
    ("cloudsen12-plus", "mask"): ("cloudsen12-l1c.0000.part.taco", ""),
    **{
        (f"geo-bench-2-{name.replace('_', '-')}", modality): (
            f"geobench_{name}.{'tortilla' if form == 'tortilla' else '0000.part.tortilla'}",
            "",
        )
        for name, (form, modalities) in _GEO_BENCH.items()
        for modality in modalities
    },
    ("eurosat-sar", "s1"): ("EuroSAT-SAR.zip", "EuroSAT-SAR"),
    ("flair", "aerial"): ("D012_2019.zip", ""),
    ("flair", "mask"): ("D012_2019.zip", ""),
    ("fmow-sentinel", "s2"): ("fmow-sentinel.tar.gz", "fmow-sentinel"),
    ("hls-burn-scars", "hls"): ("hls_burn_scars.tar.gz", ""),
    ("hls-burn-scars", "mask"): ("hls_burn_scars.tar.gz", ""),
    **{("marida", name): ("MARIDA.zip", "") for name in ("s2", "cl", "conf")},
    **{("oscd", name): (f"{_OSCD}.zip", _OSCD) for name in ("before", "after")},
    ("s2-100k", "s2"): ("shard-00000.tar", ""),
    **{("sen12ms", name): (f"{{}}_{name}.tar.gz", "") for name in ("s1", "s2", "lc")},
    **{("sen12ms-cr", name): ("{}.tar.gz", "") for name in ("s1", "s2", "s2-cloudy")},
    ("sen12ms-cr-ts", "s1"): ("s1_africa.tar.gz", ""),
    ("sen12ms-cr-ts", "s2"): ("s2_africa.tar.gz", ""),
    **{
        ("ssl4eo-l", name): (f"ssl4eo_l_{split}.tar.gz", f"ssl4eo_l_{split}")
        for name, split in ((name, name.replace("-", "_")) for name in _LANDSAT)
    },
    **{
        ("ssl4eo-l-benchmark", name): (f"ssl4eo_l_{split}.tar.gz", f"ssl4eo_l_{split}")
        for name, split in (
            *((name, f"{name.replace('-', '_')}_benchmark") for name in _LANDSAT),
            *((name, name.replace("-", "_")) for name in _LANDSAT_MASKS),
        )
    },
    ("treesatai", "aerial"): ("aerial_60m_fagus.zip", ""),
    **{("treesatai", f"s1-{size}"): ("s1.zip", "") for size in ("60m", "200m")},
    **{("treesatai", f"s2-{size}"): ("s2.zip", "") for size in ("60m", "200m")},
}
"""The name of the archive or of the folder of archives, and the archive's top folder."""

_N_PARTS: Final = 3


def _zstd(data: bytes) -> bytes:
    return zstd.compress(data, options={zstd.CompressionParameter.checksum_flag: 1})


COMPRESSIONS: Final[dict[str, Callable[[bytes], bytes]]] = {
    "tar": bytes,
    "tar.gz": lambda data: gzip.compress(data, 6, mtime=0),
    "tar.zst": _zstd,
    "tar.xz": lambda data: lzma.compress(data, preset=1),
    "tar.bz2": lambda data: bz2.compress(data, 1),
}
"""Functions that compress a tar, by suffix."""


@dataclass(frozen=True)
class TarStyle:
    """The style in which a tar is written."""

    format: int = tarfile.GNU_FORMAT
    """One of tarfile's formats."""
    with_folders: bool = True
    """Whether folders are members."""
    leading_dot: bool = False
    """Whether paths begin with ``./``, as ``tar -C folder -c .`` writes them."""


def files_below(folder: Path) -> list[Path]:
    """All files in a folder, at any depth, as sorted paths relative to it."""
    return sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())


def tar_of(
    folder: Path,
    top: str = "",
    style: TarStyle = TarStyle(),
    paths: Sequence[Path] | None = None,
) -> bytes:
    """A tar of a folder's files.

    Args:
        folder: The folder.
        top: The prefix of each path in the archive.
        style: The style to write it in.
        paths: The files to take, relative to the folder, in that order; by default all, sorted.
    """
    buffer = io.BytesIO()
    seen: set[Path] = set()
    with tarfile.open(fileobj=buffer, mode="w", format=style.format) as tar:
        for path in files_below(folder) if paths is None else paths:
            inside = Path(top) / path
            for parent in reversed(inside.parents[:-1]):
                if style.with_folders and parent not in seen:
                    seen.add(parent)
                    tar.addfile(_info(f"{parent}/", tarfile.DIRTYPE, 0, style))
            data = (folder / path).read_bytes()
            info = _info(inside.as_posix(), tarfile.REGTYPE, len(data), style)
            tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def _info(name: str, kind: bytes, n_bytes: int, style: TarStyle) -> tarfile.TarInfo:
    info = tarfile.TarInfo(f"./{name}" if style.leading_dot else name)
    info.type, info.size, info.mtime = kind, n_bytes, 1_700_000_000
    info.mode = 0o755 if kind == tarfile.DIRTYPE else 0o644
    info.uname = info.gname = "publisher"
    return info


def zip_of(
    folder: Path,
    top: str = "",
    method: int = zipfile.ZIP_DEFLATED,
    paths: Sequence[Path] | None = None,
) -> bytes:
    """A zip of a folder's files, by default all, folders as members included."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        seen: set[Path] = set()
        for path in files_below(folder) if paths is None else paths:
            inside = Path(top) / path
            for parent in reversed(inside.parents[:-1]):
                if parent not in seen:
                    seen.add(parent)
                    archive.writestr(f"{parent}/", b"")
            archive.write(folder / path, inside.as_posix())
    return buffer.getvalue()


def split(data: bytes, prefix: Path, n_parts: int = _N_PARTS) -> list[Path]:
    """Write data in parts named as by ``split``: a prefix followed by aa, ab and so on."""
    step = -(-len(data) // n_parts)
    parts = []
    for i in range(n_parts):
        part = prefix.with_name(f"{prefix.name}a{chr(ord('a') + i)}")
        part.write_bytes(data[i * step : (i + 1) * step])
        parts.append(part)
    return parts


def publish(spec: DatasetSpec, sources: Mapping[str, Path], downloads: Path) -> dict[str, Path]:
    """Pack the folders of a dataset as its publisher does.

    Args:
        spec: The dataset.
        sources: The folder of each modality, by name, as `corpus.generate` returns them.
        downloads: The folder to write to.

    Returns:
        The source to name for each modality: its archive, the first part of a split archive, the
        last of several volumes, or the folder of several archives. Modalities whose archives are
        unknown are omitted.
    """
    written = {}
    for name, folder in sources.items():
        if name not in PUBLISHED.get(spec.name, {}):
            continue
        file_name, top = _NAMES[spec.name, name]
        path = downloads / file_name
        path.parent.mkdir(parents=True, exist_ok=True)
        paths = _paths_of(spec, sources, name)
        written[name] = _WRITERS[PUBLISHED[spec.name][name]](folder, path, top, paths)
    return written


def _paths_of(spec: DatasetSpec, sources: Mapping[str, Path], name: str) -> list[Path]:
    """The files of a modality's folder, without those that belong into another archive."""
    elsewhere = [
        modality.files.at_any_depth()
        for modality in spec.modalities
        if sources.get(modality.name) == sources[name]
        and _is_elsewhere((spec.name, modality.name), (spec.name, name))
    ]
    return [
        path
        for path in files_below(sources[name])
        if not any(files.match(path.as_posix()) for files in elsewhere)
    ]


def _is_elsewhere(one: tuple[str, str], other: tuple[str, str]) -> bool:
    """Whether two modalities have archives of their own; those for each folder have."""
    return one != other and (_NAMES.get(one) != _NAMES[other] or "{}" in _NAMES[other][0])


def _write_tar(compression: str, folder: Path, path: Path, top: str, paths: Sequence[Path]) -> Path:
    path.write_bytes(COMPRESSIONS[compression](tar_of(folder, top, paths=paths)))
    return path


def _write_split_tar_gz(folder: Path, path: Path, top: str, paths: Sequence[Path]) -> Path:
    return split(COMPRESSIONS["tar.gz"](tar_of(folder, top, paths=paths)), path)[0]


def _write_tar_gz_for_each_folder(
    folder: Path, path: Path, top: str, paths: Sequence[Path]
) -> Path:
    """A tar of each folder of the first level, whose name is part of the archive's."""
    for first in sorted({one.parts[0] for one in paths}):
        inside = [one for one in paths if one.parts[0] == first]
        data = tar_of(folder, top, paths=inside)
        archive = path.with_name(path.name.format(first))
        archive.write_bytes(COMPRESSIONS["tar.gz"](data))
    return path.parent


def _write_several_tar_gz(folder: Path, path: Path, top: str, paths: Sequence[Path]) -> Path:
    """Independent tars of some tiles each, and one with the splits, which holds no patch."""
    tiles = sorted({path.parts[:2] for path in paths})
    for i in range(2):
        mine = [path for path in paths if tiles.index(path.parts[:2]) % 2 == i]
        data = tar_of(folder, top, paths=mine)
        path.with_name(path.name.format(i + 1)).write_bytes(COMPRESSIONS["tar.gz"](data))
    splits = path.with_name("hyspecnet-11k-splits.tar.gz")
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for part in ("train", "val", "test"):
            info = tarfile.TarInfo(f"hyspecnet-11k/splits/easy/{part}.csv")
            tar.addfile(info)
    splits.write_bytes(buffer.getvalue())
    return path.parent


def _write_zip(folder: Path, path: Path, top: str, paths: Sequence[Path]) -> Path:
    path.write_bytes(zip_of(folder, top, paths=paths))
    return path


def _write_zip_for_each_folder(
    folder: Path, path: Path, top: str, paths: Sequence[Path], *, is_inside: bool = True
) -> Path:
    """A zip of each folder of the first level, called like it; it may lack the folder itself."""
    del top
    path.mkdir(parents=True, exist_ok=True)
    for first in sorted({one.parts[0] for one in paths}):
        inside = [one.relative_to(first) for one in paths if one.parts[0] == first]
        data = zip_of(folder / first, first if is_inside else "", paths=inside)
        (path / f"{first}.zip").write_bytes(data)
    return path


def _write_volumes(folder: Path, path: Path, top: str, paths: Sequence[Path]) -> Path:
    return volumes(zip_of(folder, top, paths=paths), path, _N_PARTS)[-1]


def _write_parquet(folder: Path, path: Path, top: str, paths: Sequence[Path]) -> Path:
    """Parts with one row per product, each in its own row group, and one column per file.

    Those of the DEM have no products: the folder of a file is that of the grid cell.
    """
    import pyarrow as pa  # noqa: PLC0415 - only this form needs it
    import pyarrow.parquet as pq  # noqa: PLC0415

    del top
    products = sorted({file.parent for file in paths})
    columns = sorted({file.name for file in paths})
    for i in range(2):
        rows = [
            {
                **_product_columns(product),
                **{Path(c).stem: (folder / product / c).read_bytes() for c in columns},
            }
            for product in products[i::2]
        ]
        if rows:
            part = path.with_name(path.name.format(i + 1))
            pq.write_table(pa.Table.from_pylist(rows), part, row_group_size=1)
    return path.parents[1]


def _product_columns(product: Path) -> dict[str, str]:
    """The columns that say which product a row is, from the product's folder."""
    if len(product.parts) < 3:
        return {"grid_cell": product.name}
    return {
        "product_id": product.name,
        "grid_cell": product.parts[-2],
        "product_datetime": "2022-07-06 08:56:11",
    }


def _write_zarr(folder: Path, path: Path, top: str, paths: Sequence[Path]) -> Path:
    """Stores are published as they are: the last one for validation, all others for training."""
    del top, paths
    stores = sorted(folder.iterdir())
    n_train = max(1, len(stores) - 1)
    for i, store in enumerate(stores):
        split, number = ("train", i + 1) if i < n_train else ("val", i + 1 - n_train)
        name = store.name.replace("_train_", f"_{split}_").replace(f"{i + 1:06}", f"{number:06}")
        place = path.parents[1] / split / path.name / name
        place.parent.mkdir(parents=True, exist_ok=True)
        copyfile(store, place)
    return path.parents[1]


def _write_tortilla(folder: Path, path: Path, top: str, paths: Sequence[Path]) -> Path:
    del top
    path.write_bytes(tortilla_of(of_folder(folder, paths)))
    return path


def _write_first_tortilla(folder: Path, path: Path, top: str, paths: Sequence[Path]) -> Path:
    """The first part of a set, of which the others are not published."""
    del top
    path.write_bytes(tortilla_of(of_folder(folder, paths), n_parts=7))
    return path


def _write_tortillas(
    collection: Mapping[str, str] | None, folder: Path, path: Path, top: str, paths: Sequence[Path]
) -> Path:
    del top
    pieces = of_folder(folder, paths)
    whole = path.with_name(path.name.replace(".0000.part", ""))
    groups = [pieces[i::_N_PARTS] for i in range(_N_PARTS)]
    return write_parts(whole, groups, collection)[0]


_WRITERS: Final[Mapping[str, Callable[[Path, Path, str, Sequence[Path]], Path]]] = {
    "parquet": _write_parquet,
    "taco, in parts": partial(_write_tortillas, {"id": "sample", "dataset_version": "1.0.0"}),
    "tortilla": _write_tortilla,
    "tortilla, a part of seven": _write_first_tortilla,
    "tortilla, in parts": partial(_write_tortillas, None),
    "tar": partial(_write_tar, "tar"),
    "tar.gz, for each folder": _write_tar_gz_for_each_folder,
    "tar.gz, several": _write_several_tar_gz,
    "tar.gz, split": _write_split_tar_gz,
    "tar.gz": partial(_write_tar, "tar.gz"),
    "tar.zst": partial(_write_tar, "tar.zst"),
    "volumes": _write_volumes,
    "zarr": _write_zarr,
    "zip": _write_zip,
    "zip, for each folder": _write_zip_for_each_folder,
    "zip, for each folder, without it": partial(_write_zip_for_each_folder, is_inside=False),
}
