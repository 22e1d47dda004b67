"""The encoding of sample files: that of a table, or a default.

In: a spec and a modality. Out: an `Encoding`, which `rico_hdl.testing.tiff` turns into bytes. For
Zarr stores, JPEG and PNG it states the dtype and the noise; see `rico_hdl.testing.zarrs.Storage`
and `rico_hdl.testing.images` for the rest.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal

from rico_hdl.testing.images import kind_of

if TYPE_CHECKING:
    from rico_hdl.spec import DatasetSpec, Modality

GDAL_STRIP_BYTES: Final = 8192
"""The size of GDAL's strips in bytes, which have at least one row (libtiff's default)."""


@dataclass(frozen=True, slots=True)
class Encoding:
    """The TIFF encoding of a modality's files."""

    compression: Literal["lzw", "adobe_deflate", "jpeg", "zstd"] | None = None
    """The compression of strips or tiles; None for none."""
    predictor: int = 1
    """TIFF tag 317: 1 for none, 2 for horizontal differences."""
    planar: Literal["contig", "separate"] = "contig"
    """TIFF tag 284: bands interleaved by pixel, or one after another."""
    rows_per_strip: int | None = None
    """Rows in a strip; None for GDAL's rule."""
    tile: tuple[int, int] | None = None
    """(rows, columns) of a tile, which may be larger than the raster; None for strips."""
    photometric: Literal["minisblack", "rgb", "palette"] = "minisblack"
    """TIFF tag 262."""
    geo_tags: bool = True
    """Whether the file is georeferenced."""
    nodata: str | None = None
    """GDAL's nodata value (tag 42113) as text; None for none."""
    dtype: str = "uint16"
    """The numpy name of the samples; a dtype in the spec takes precedence."""
    noise_bits: int = 11
    """Random bits of a sample of `rico_hdl.testing.noise`, for which compressed files are about as
    large as real ones."""


ENCODINGS: dict[tuple[str, str], Encoding] = {}
"""The encodings of datasets' files, by dataset and modality; others have a default."""
_IMAGE: Final = Encoding(dtype="uint8", noise_bits=7)
"""Of JPEG and PNG files, unless their spec states a dtype."""


def encoding_of(spec: DatasetSpec, modality: Modality) -> Encoding:
    """The encoding of a modality's files, with the dtype that its spec states."""
    usual = Encoding() if kind_of(modality) == "tiff" else _IMAGE
    encoding = ENCODINGS.get((spec.name, modality.name), usual)
    return replace(encoding, dtype=modality.dtype or encoding.dtype)
