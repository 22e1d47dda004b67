"""BigEarthNet v2.0 with its labels: pairs of Sentinel-1 and Sentinel-2, classes, land-cover masks.

In: a store, and the publisher's ``metadata.parquet``. Out: a dataset for PyTorch.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from rico_hdl.errors import UsageError
from rico_hdl.labels import CLASSES, IGNORE_INDEX, PatchTable, index_of_code, read_metadata
from rico_hdl.reading import Grouping, Store
from rico_hdl.reading.resampling import Resampling
from rico_hdl.torch.bands import images_of
from rico_hdl.torch.fields import Channels, LabelField, MaskField, SampleField
from rico_hdl.torch.membership import OnMissing, present
from rico_hdl.torch.patches import PatchDataset, Transform, opened_store

Bands = str | Sequence[str] | Mapping[str, str | Sequence[str] | None] | None
"""Bands of one modality, or a dictionary of bands by modality."""

_S1: Final = "s1"
_S2: Final = "s2"
_MAPS: Final = "reference-maps"
_SIZE: Final = (120, 120)  # of the 10 m bands and of the reference maps
_MULTI_HOT: Final = "multi-hot"
_MASK: Final = "mask"


class BigEarthNet(PatchDataset):
    """Patches of BigEarthNet v2.0 with their labels, sorted by the key of the Sentinel-2 patch.

    Samples have an ``image`` of shape (channels, 120, 120), the bands of the modalities one after
    the other; a ``label``, a float32 vector of shape (19,) with a one for each class present; a
    ``mask`` of shape (120, 120), an int64 class index for each pixel; and a ``key``, that of the
    Sentinel-2 patch if it is part of the image, else that of the Sentinel-1 patch.

    Args:
        target: The store, or its folder.
        metadata: The publisher's table of labels, splits and pairs.
        split: ``"train"``, ``"validation"`` or ``"test"``; None for all.
        modalities: The modalities of ``image``, in this order: ``"s1"``, ``"s2"`` or both.
        bands: None for all bands; names or a preset of one modality; names of both, grouped by
            modality and in the same order; or a dictionary from modality to names or preset.
        labels: ``"multi-hot"``, ``"mask"``, ``"multi-hot+mask"``, or None for neither.
        snow_cloud: The publisher's second table, which adds patches with snow, clouds or shadows;
            None leaves them out.
        classes: The 19 classes in the order of the labels' and masks' indexes, by default
            alphabetical as in ConfigILM; `rico_hdl.labels.NOMENCLATURE` is TorchGeo's order.
        ignore_index: The class index of pixels that belong to none of the classes.
        missing: How to treat samples with patches that the store lacks: ``"error"`` raises,
            ``"skip"`` leaves them out with a warning that counts them.
        size: (rows, columns) to which bands and masks are resampled, masks by nearest neighbour.
        resampling: The method for bands: ``"nearest"``, ``"bilinear"`` or ``"bicubic"``.
        dtype: The image's dtype, as numpy names it.
        grouped: Whether bands keep their native resolution and dtype: True makes an image for each
            resolution and requires a single modality, ``"band"`` makes one for each band.
        transform: See `PatchDataset`.

    Raises:
        SourceError: A table can't be used.
        StoreError: The store can't be read, or lacks patches.
        UsageError: An option is invalid.
    """

    def __init__(  # noqa: PLR0913 - a published dataset has that many aspects
        self,
        target: Store | str | os.PathLike[str],
        metadata: str | os.PathLike[str] = "metadata.parquet",
        split: str | None = "train",
        modalities: Sequence[str] = (_S1, _S2),
        bands: Bands = None,
        *,
        labels: str | None = "multi-hot",
        snow_cloud: str | os.PathLike[str] | None = None,
        transform: Transform | None = None,
        classes: Sequence[str] = CLASSES,
        ignore_index: int = IGNORE_INDEX,
        missing: OnMissing = "error",
        size: int | tuple[int, int] | None = _SIZE,
        resampling: Resampling = "nearest",
        dtype: npt.DTypeLike | None = "float32",
        grouped: Grouping = False,
    ) -> None:
        wanted, targets = _checked(modalities, labels)
        store = opened_store(target)
        table = read_metadata(metadata, split, snow_cloud=snow_cloud, classes=classes)
        names = {modality: _keys_of(table, modality) for modality in wanted}
        if _MASK in targets:
            names[_MAPS] = _keys_of(table, _MAPS)
        what = os.fspath(metadata) if split is None else f"split {split} of {metadata}"
        there, keys = present(store, names, what, missing)
        options: dict[str, Any] = {"size": size, "resampling": resampling, "dtype": dtype}
        if grouped:
            options = {"grouped": grouped}
        chosen = _bands_of(store, wanted, bands)
        fields: list[SampleField] = [
            images_of(
                *(Channels(store.reader(bands=chosen[m], **options), keys[m]) for m in wanted)
            )
        ]
        if _MULTI_HOT in targets:
            fields.append(LabelField("label", table.labels[there], np.dtype(np.float32)))
        if _MASK in targets:
            codes = Channels(store.reader(size=None if grouped else size), keys[_MAPS])
            fields.append(MaskField(codes, index_of_code(classes, ignore_index)))
        self.classes = tuple(classes)
        """The class behind each index."""
        self._compose(store, keys[_S2 if _S2 in wanted else _S1], fields, transform)


def _checked(modalities: Sequence[str], labels: str | None) -> tuple[tuple[str, ...], list[str]]:
    """The wanted modalities and kinds of labels.

    Raises:
        UsageError: One of them is unknown.
    """
    wanted = (modalities,) if isinstance(modalities, str) else tuple(modalities)
    if not wanted or len(set(wanted)) != len(wanted) or not set(wanted) <= {_S1, _S2}:
        raise UsageError(f"modalities={modalities!r}, expected {_S1!r}, {_S2!r} or both")
    targets = [] if labels is None else labels.split("+")
    if not set(targets) <= {_MULTI_HOT, _MASK}:
        raise UsageError(
            f"labels={labels!r}, expected {_MULTI_HOT!r}, {_MASK!r}, '{_MULTI_HOT}+{_MASK}' or None"
        )
    return wanted, targets


def _keys_of(table: PatchTable, modality: str) -> list[str]:
    """The keys of the patches of a modality."""
    columns = {_S1: table.s1_keys, _S2: table.s2_keys, _MAPS: table.reference_map_keys}
    return columns[modality]


def _bands_of(
    store: Store, modalities: Sequence[str], bands: Bands
) -> dict[str, str | Sequence[str] | None]:
    """The bands to read of each modality.

    Raises:
        UsageError: The modality of the bands is unclear, or bands of both modalities alternate.
    """
    if bands is None:
        return dict.fromkeys(modalities)
    if isinstance(bands, Mapping):
        if set(bands) != set(modalities):
            raise UsageError(
                f"bands= has the modalities {list(bands)}, expected {list(modalities)}"
            )
        return dict(bands)
    if len(modalities) == 1:
        return {modalities[0]: bands}
    if isinstance(bands, str):
        raise UsageError(
            f"bands={bands!r} does not say to which modality it applies",
            f'Give {{"{modalities[0]}": …, "{modalities[1]}": …}}.',
        )
    one, other = modalities
    of_one = set(store.bands(one))
    n = sum(band in of_one for band in bands)
    if not 0 < n < len(bands) or not of_one.issuperset(bands[:n]):
        raise UsageError(
            f"bands={list(bands)}, expected bands of {one}, followed by bands of {other}",
            "Give modalities= for another order, or for only one of them.",
        )
    return {one: bands[:n], other: bands[n:]}
