"""Converting a patch into its record: the work of each worker thread."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Final, NamedTuple, Protocol

from rico_hdl.converting.tags import PatchTags
from rico_hdl.decoding.formats import BoundedDecoder, decoder_of
from rico_hdl.decoding.geotags import FileTags
from rico_hdl.decoding.raster import Raster
from rico_hdl.errors import ArchiveError, DecodingError, MemoryLimitError, RecordError, UsageError
from rico_hdl.patches.member_files import MemberFiles
from rico_hdl.patches.supply import Supplied
from rico_hdl.record import encode, is_constant
from rico_hdl.sources.above import place_of
from rico_hdl.spec import Modality
from rico_hdl.store.digest import record_digest
from rico_hdl.system.memory import Allowance
from rico_hdl.values import Layout, Origin, Patch, PatchFailure, Record, place_in, printable

MAX_PATCH_BYTES: Final = 144 * 2**20
"""Memory that converting a single patch may take: its files, its bands and its record."""


class FileDecoder(Protocol):
    """Decodes the bytes of a file into bands; may be shared by threads."""

    def decode(self, data: bytes) -> tuple[Raster, ...]:
        """Return the bands of a file, in file order.

        Raises:
            DecodingError, ArchiveError: The file can't be decoded.
        """


class Oversized(NamedTuple):
    """A patch that takes more memory than its group was given. It was not converted."""

    patch: Patch
    """The patch."""


class Converted(NamedTuple):
    """A group after its conversion."""

    results: list[Record | Supplied | Oversized]
    """A result for each item."""
    working_bytes: int
    """The most memory that converting one of its patches took, beyond the record."""


class PatchConverter:
    """Converts patches; may be shared by threads.

    Args:
        make_decoder: Returns a new decoder of all files; by default, each modality's files are
            decoded according to the extension of their template.
    """

    def __init__(self, make_decoder: Callable[[], FileDecoder] | None = None) -> None:
        self._make_decoder = make_decoder
        self._decoders: dict[str, list[BoundedDecoder]] = {}
        self._tags: dict[str, PatchTags] = {}

    def convert(self, items: Sequence[Supplied], max_bytes: int) -> Converted:
        """Read, decode and encode the patches among some items, and pass other items through.

        Args:
            items: The items.
            max_bytes: The memory that this may take, records included, in bytes. Files that were in
                memory before don't count.

        Raises:
            SourceError: The source as a whole is gone.
        """
        results: list[Record | Supplied | Oversized] = []
        working_bytes = 0
        for item in items:
            if not isinstance(item, Patch):
                results.append(item)
                continue
            allowance = Allowance(max_bytes)
            try:
                found = self._convert(item, allowance)
            except MemoryLimitError:
                results.append(Oversized(item))
                continue
            results.append(found)
            if isinstance(found, Record):
                max_bytes -= len(found.data)
                working_bytes = max(working_bytes, allowance.peak - len(found.data))
        return Converted(results, working_bytes)

    def convert_one(self, patch: Patch, max_bytes: int = MAX_PATCH_BYTES) -> Record | PatchFailure:
        """Read, decode and encode a patch.

        Args:
            patch: The patch.
            max_bytes: See `convert`; the failure of a patch that needs more says so.

        Raises:
            SourceError: The source as a whole is gone.
        """
        try:
            return self._convert(patch, Allowance(max_bytes))
        except MemoryLimitError as error:
            reason = (
                f"it needs about {error.n_bytes / 2**20:,.0f} MiB of memory, and a patch may take "
                f"{max_bytes / 2**20:,.0f} MiB; allow more with --memory"
            )
            return _failure(patch, patch.paths[0], None, reason)

    def _decoder_for(self, modality: Modality) -> BoundedDecoder:
        """A new decoder of a modality's files.

        Raises:
            UsageError: A given decoder can't decode them.
        """
        if self._make_decoder is None:
            return decoder_of(modality)
        if modality.arrays is not None and (modality.arrays.are_files or modality.container):
            raise UsageError(
                f"{modality.suffix} files are arrays, which decoders of images can't read",
                "Leave out --decoder, or make_decoder in Python.",
            )
        return _Unbounded(self._make_decoder())

    def _convert(self, patch: Patch, allowance: Allowance) -> Record | PatchFailure:
        """Convert a patch.

        Raises:
            SourceError: The source as a whole is gone.
            MemoryLimitError: It would take more memory than it may.
        """
        modality = patch.modality
        # One decoder per file of a patch, since files of the same band look alike.
        decoders = self._decoders.get(modality.name)
        if decoders is None:  # setdefault, since several threads may get here at once
            made = [self._decoder_for(modality) for _ in patch.paths]
            decoders = self._decoders.setdefault(modality.name, made)
        keepers = self._tags.get(modality.name)
        if keepers is None:
            keepers = self._tags.setdefault(modality.name, PatchTags(modality, len(patch.paths)))
        keeps = keepers.keepers
        said: list[tuple[FileTags, bytes]] = []
        rasters: list[Raster] = []
        path, band = patch.paths[0], None
        try:
            for i, (path, decoder) in enumerate(zip(patch.paths, decoders, strict=True)):
                band = modality.band_files[i].only_band
                content = patch.source.read(path, allowance.n_left)
                found: tuple[Raster, ...]
                if isinstance(content, Raster):
                    found = (content,)
                elif not isinstance(content, bytes):
                    found = content
                else:
                    n_bytes = 0 if patch.source.n_bytes_held else len(content)
                    allowance.held += n_bytes
                    found = decoder.decode(content, allowance)
                    if keeps:
                        said.append(keeps[i](content))
                    allowance.held -= n_bytes
                _check(found, modality, len(modality.band_files[i].bands))
                rasters += found
                allowance.held += sum([len(raster.data) for raster in found])
            band = None
            allowance.need(allowance.held)  # for the record
            data = encode(modality.names_in_files, rasters)
        except OSError as error:
            patch.source.check()
            reason = "missing" if isinstance(error, FileNotFoundError) else error.strerror
            return _failure(patch, path, band, reason or str(error))
        except (DecodingError, RecordError, ArchiveError) as error:
            patch.source.check()
            return _failure(patch, path, band, error.message)
        key = patch.key.encode()
        return Record(
            key=key,
            origin=Origin(modality.name, patch.source.location),
            data=data,
            digest=record_digest(key, data),
            layout=_layout_of(
                modality.names_in_files, tuple([(r.dtype, r.shape) for r in rasters])
            ),
            constant=all(map(_is_constant, rasters)),
            tags=keepers.kept(said),
            time=keepers.time(patch),
        )


class _Unbounded:
    """A user's own decoder, which can't say in advance how much memory it takes."""

    def __init__(self, decoder: FileDecoder) -> None:
        self._decoder = decoder

    def decode(self, data: bytes, allowance: Allowance | None = None) -> tuple[Raster, ...]:
        del allowance
        return self._decoder.decode(data)


@lru_cache(maxsize=1024)
def _layout_of(names: tuple[str, ...], kinds: tuple[tuple[str, tuple[int, int]], ...]) -> Layout:
    return tuple(sorted((name, *kind) for name, kind in zip(names, kinds, strict=True)))


def _is_constant(raster: Raster) -> bool:
    return is_constant(raster.data, raster.shape[0] * raster.shape[1])


def _check(rasters: Sequence[Raster], modality: Modality, n_expected: int) -> None:
    """Check that a file's bands agree with the spec.

    Args:
        rasters: The bands.
        modality: Their modality.
        n_expected: The number of bands that the file should have.

    Raises:
        DecodingError: The number of bands or their dtype differs.
    """
    if len(rasters) != n_expected:
        raise DecodingError(f"the file has {len(rasters)} bands, expected {n_expected}")
    if modality.dtype is not None and rasters[0].dtype != modality.dtype:
        raise DecodingError(f"the pixels are {rasters[0].dtype}, expected {modality.dtype}")


def _failure(patch: Patch, path: str, band: str | None, reason: str) -> PatchFailure:
    if isinstance(patch.source, MemberFiles):
        where = place_in(patch.source.location, path)
    else:
        where = printable(place_of(patch.source, path))
    return PatchFailure(patch.key, patch.modality.name, where, band, reason)
