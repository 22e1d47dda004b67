"""From a patch to its record: what each worker thread does.

In: patches of a plan. Out: a `Record` or a `Failure` for each, in the same order. It reads and
decodes every file once, and never writes.
"""

from __future__ import annotations

from collections.abc import Sequence

from rico_hdl.digest import record_digest
from rico_hdl.errors import RecordError, TiffError
from rico_hdl.patch import Failure, Patch, Record, printable
from rico_hdl.record import encode
from rico_hdl.spec import Modality
from rico_hdl.tiff import Decoder, Raster


class PatchConverter:
    """Converts patches; may be shared by threads."""

    def __init__(self) -> None:
        self._decoders: dict[str, list[Decoder]] = {}

    def convert(self, patches: Sequence[Patch]) -> list[Record | Failure]:
        """Read, decode and encode some patches.

        Raises:
            SourceError: The source as a whole is gone.
        """
        return [self._convert_one(patch) for patch in patches]

    def _convert_one(self, patch: Patch) -> Record | Failure:
        modality = patch.modality
        # One decoder for each file of a patch: the same band's files look alike.
        decoders = self._decoders.get(modality.name)
        if decoders is None:  # setdefault: several threads may come here at once
            made = [Decoder() for _ in patch.paths]
            decoders = self._decoders.setdefault(modality.name, made)
        rasters: list[Raster] = []
        path, band = patch.paths[0], None
        try:
            for i, (path, decoder) in enumerate(zip(patch.paths, decoders, strict=True)):
                if modality.one_file_per_band:
                    band = modality.bands[i].name
                found = decoder.decode(patch.source.read(path))
                _check(found, modality)
                rasters += found
            band = None
            data = encode(modality.band_names, rasters)
        except OSError as error:
            patch.source.check()
            reason = "missing" if isinstance(error, FileNotFoundError) else error.strerror
            return _failure(patch, path, band, reason or str(error))
        except (TiffError, RecordError) as error:
            return _failure(patch, path, band, error.message)
        key = patch.key.encode()
        return Record(key, modality.name, data, record_digest(key, data))


def _check(rasters: Sequence[Raster], modality: Modality) -> None:
    """Compare a file's bands with what the spec says.

    Raises:
        TiffError: There are more or fewer bands, or they have another dtype.
    """
    n_expected = 1 if modality.one_file_per_band else len(modality.bands)
    if len(rasters) != n_expected:
        raise TiffError(f"the file has {len(rasters)} bands, expected {n_expected}")
    if modality.dtype is not None and rasters[0].dtype != modality.dtype:
        raise TiffError(f"the pixels are {rasters[0].dtype}, expected {modality.dtype}")


def _failure(patch: Patch, path: str, band: str | None, reason: str) -> Failure:
    where = printable(f"{patch.source.location}/{path}")
    return Failure(patch.key, patch.modality.name, where, band, reason)
