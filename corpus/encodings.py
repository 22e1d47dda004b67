"""The encoding of each dataset's files; those of other specs have a default.

The values come from files of the publishers' releases; entries without such files say so.
"""

from __future__ import annotations

from dataclasses import replace

from rico_hdl.testing.encodings import ENCODINGS, Encoding

_SSL4EO = Encoding(planar="separate")
_FLOAT, _BYTE = Encoding(dtype="float32"), Encoding(dtype="uint8", noise_bits=8)
_INT = Encoding(dtype="int16")
_LANDSAT = replace(_BYTE, compression="lzw", predictor=2)
_COG = Encoding(compression="adobe_deflate", planar="separate", tile=(512, 512), noise_bits=9)
_ZSTD = Encoding(compression="zstd", predictor=2, tile=(512, 512))
_ZSTD_BYTE = replace(_ZSTD, dtype="uint8", noise_bits=7)
_ZSTD_FLOAT = replace(_ZSTD, predictor=1, dtype="float32")
_MAJOR_TOM = Encoding(compression="lzw", tile=(1024, 1024))

ENCODINGS |= {
    ("bigearthnet", "s1"): Encoding(),
    ("bigearthnet", "s2"): Encoding(nodata="0"),
    ("bigearthnet", "reference-maps"): Encoding(
        compression="adobe_deflate", predictor=2, nodata="0", noise_bits=1
    ),
    # Not read from real files of S1, which is presumably the same as in v2.0.
    ("bigearthnet-v1", "s1"): Encoding(dtype="float32"),
    ("bigearthnet-v1", "s2"): Encoding(),
    ("eurosat-multi-spectral", "s2"): Encoding(),
    ("hydro", "s2"): Encoding(compression="lzw", predictor=2, tile=(512, 512), noise_bits=5),
    ("hyspecnet-11k", "enmap"): Encoding(
        compression="adobe_deflate",
        planar="separate",
        rows_per_strip=3,
        nodata="-32768",
        noise_bits=5,
    ),
    # Not read from real files of the S1 products, which are described as RTC backscatter.
    ("major-tom-core", "s1"): replace(_MAJOR_TOM, dtype="float32"),
    ("major-tom-core", "s2"): replace(_MAJOR_TOM, noise_bits=9),
    # The publisher shows the beginning of a DEM: 32 bits, LZW.
    ("major-tom-core", "dem"): Encoding(compression="lzw", dtype="float32"),
    ("major-tom-core", "cloud-mask"): replace(_MAJOR_TOM, planar="separate", noise_bits=1),
    # Not read from real files: EnMAP's dtype, GDAL's default encoding.
    ("spectral-earth-enmap", "enmap"): Encoding(dtype="int16"),
    ("ssl4eo-s12", "s1"): _SSL4EO,
    ("ssl4eo-s12", "s2c"): _SSL4EO,
    ("ssl4eo-s12", "s2a"): _SSL4EO,
    # Zarr stores, which use only dtype and noise. L1C's dtype is assumed to be that of L2A. The
    # expected codec compresses the noise as well as patches of v1.0 (0.73).
    ("ssl4eo-s12-v1.1", "s2c"): Encoding(dtype="int16", noise_bits=9),
    ("ssl4eo-s12-v1.1", "s2a"): Encoding(noise_bits=9),
    ("ssl4eo-s12-v1.1", "cloud-mask"): Encoding(noise_bits=2),
    ("uc-merced", "rgb"): Encoding(
        photometric="rgb", rows_per_strip=256, geo_tags=False, noise_bits=8
    ),
    # Those that real files show.
    ("s2-100k", "s2"): Encoding(compression="lzw", predictor=2, tile=(512, 512), noise_bits=5),
    ("copernicus-pretrain", "s2"): Encoding(rows_per_strip=1, nodata="0"),
    ("sen1floods11", "s1-hand"): replace(_COG, nodata="nan"),
    ("sen1floods11", "s2-hand"): replace(_COG, nodata="0"),
    ("sen1floods11", "label-hand"): _COG,
    # Predictor 2 with floats, as in the real files of GEO-Bench-2, is what tifffile can't write.
    ("geo-bench-2-benv2", "s1"): replace(_ZSTD_FLOAT, tile=(64, 64)),
    ("geo-bench-2-benv2", "s2"): replace(_ZSTD, tile=(128, 128)),
    ("geo-bench-2-treesatai", "aerial"): replace(_ZSTD_BYTE, tile=(304, 304)),
    **{("geo-bench-2-treesatai", name): replace(_ZSTD, tile=(304, 304)) for name in ("s1", "s2")},
    # Not read from real files: dtypes as described, GDAL's default or a similar encoding.
    **{
        (f"geo-bench-2-{name}", modality): encoding
        for name, encodings in {
            "biomassters": {"s1": _ZSTD_FLOAT, "s2": _ZSTD, "agbm": _ZSTD_FLOAT},
            "burn-scars": {"hls": _ZSTD_FLOAT, "mask": replace(_ZSTD, dtype="int16")},
            "caffe": {"sar": _ZSTD_BYTE, "zones": _ZSTD_BYTE},
            "cloudsen12": {"s2": _ZSTD, "clouds": _ZSTD_BYTE},
            "dynamic-earthnet": {
                "planet": replace(_ZSTD, dtype="int16"),
                "s1": _ZSTD_FLOAT,
                "s2": replace(_ZSTD, dtype="int16"),
                "label": _ZSTD_BYTE,
            },
            "flair2": {"aerial": _ZSTD_BYTE, "mask": _ZSTD_BYTE},
            "fotw": {
                "window-a": _ZSTD,
                "window-b": _ZSTD,
                "instances": _ZSTD_BYTE,
                "mask": _ZSTD_BYTE,
            },
            "kuro-siwo": {
                **dict.fromkeys(("pre-event-1", "pre-event-2", "post-event", "dem"), _ZSTD_FLOAT),
                **dict.fromkeys(("mask", "invalid-data"), _ZSTD_BYTE),
            },
            "spacenet2": {"worldview": _ZSTD, "pan": _ZSTD, "mask": _ZSTD_BYTE, "buildings": _ZSTD},
        }.items()
        for modality, encoding in encodings.items()
    },
    **{("cloudsen12-plus", name): _ZSTD for name in ("l1c", "l2a")},
    ("cloudsen12-plus", "mask"): _ZSTD_BYTE,
    ("bigearthnet-v1", "dem"): _INT,
    ("bigearthnet-v1", "esaworldcover"): _BYTE,
    ("biomassters", "s1"): replace(_FLOAT, geo_tags=False),
    ("biomassters", "s2"): Encoding(geo_tags=False),
    ("biomassters", "agbm"): replace(_FLOAT, geo_tags=False),
    **{
        ("copernicus-bench", name): encoding
        for encoding, names in (
            (_FLOAT, ("cloud-s3-image", "eurosat-s1", "bigearthnet-s1", "lc100-image")),
            (_FLOAT, ("biomass-image", "flood-ms1", "flood-sl1", "flood-sl2")),
            (_FLOAT, ("no2-annual", "no2-seasonal", "no2-target")),
            (_FLOAT, ("o3-annual", "o3-seasonal", "o3-target")),
            (Encoding(dtype="float64"), ("dfc2020-s1",)),
            (_BYTE, ("cloud-s2-mask", "cloud-s3-multi", "cloud-s3-binary", "dfc2020-dfc")),
            (_BYTE, ("flood-mlu", "flood-mna", "lc100-target")),
        )
        for name in names
    },
    **{
        ("copernicus-pretrain", name): _FLOAT
        for name in ("s1", "s3", "s5p-co", "s5p-no2", "s5p-o3", "s5p-so2", "dem")
    },
    ("dfc2020", "s1"): Encoding(dtype="float64"),
    ("dfc2020", "dfc"): _BYTE,
    ("eurosat-sar", "s1"): _FLOAT,
    **{("ftw", name): _BYTE for name in ("2class", "3class")},
    **{("mados", name): _FLOAT for name in ("s2", "conf", "rep")},
    ("mados", "cl"): _BYTE,
    ("seasonet", "labels"): _BYTE,
    ("seco", "s2"): replace(_BYTE, compression="jpeg"),
    ("flair", "aerial"): _BYTE,
    ("flair", "mask"): _BYTE,
    ("hls-burn-scars", "hls"): _FLOAT,
    ("hls-burn-scars", "mask"): _INT,
    **{("kuro-siwo", name): _FLOAT for name in ("ms1", "sl1", "sl2", "dem", "slope")},
    **{("kuro-siwo", name): _BYTE for name in ("mlu", "mna")},
    # Uncompressed, since LZW would take the tests a minute.
    ("major-tom-core", "s2-l1c"): Encoding(),
    **{("marida", name): _FLOAT for name in ("s2", "cl", "conf")},
    ("sen12ms", "s1"): _FLOAT,
    ("sen12ms-cr", "s1"): _FLOAT,
    ("sen12ms-cr-ts", "s1"): _FLOAT,
    **{
        ("sen1floods11", name): replace(_FLOAT, planar="separate")
        for name in ("s1-weak", "s1-perm")
    },
    **{
        ("sen1floods11", name): _INT
        for name in ("jrc-water-hand", "s1-otsu-hand", "s1-otsu-weak", "s2-index-weak", "jrc-perm")
    },
    **{
        (name, modality): _LANDSAT
        for name in ("ssl4eo-l", "ssl4eo-l-benchmark")
        for modality in ("tm-toa", "etm-toa", "etm-sr", "oli-tirs-toa", "oli-sr")
    },
    **{
        ("ssl4eo-l-benchmark", f"{sensor}-{product}"): replace(_LANDSAT, photometric="palette")
        for sensor in ("tm", "etm", "oli")
        for product in ("cdl", "nlcd")
    },
    ("treesatai", "aerial"): _BYTE,
    **{("treesatai", f"s1-{size}"): replace(_FLOAT, nodata="-9999") for size in ("60m", "200m")},
}
