"""Patches as arrays, one by one or in batches, always with the same options.

In: a store, options, keys. Out: arrays that are filled from ``data.mdb`` with one copy. The options
are turned into a plan once for each layout of records.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from time import perf_counter
from typing import Any, Final, NamedTuple

import numpy as np

from rico_hdl.errors import SizeError, UsageError
from rico_hdl.reading.band_memory import BandMemory
from rico_hdl.reading.file import File
from rico_hdl.reading.keys import Keys
from rico_hdl.reading.layouts import RecordLayout
from rico_hdl.reading.options import Options, ReadOptions, check_names
from rico_hdl.reading.protocol import Located, Records
from rico_hdl.reading.record_plan import NO_PLAN, UNGROUPED, Images, RecordPlan, plan_of
from rico_hdl.reading.runs import CopiesRows, copy_rows

_MAX_PLANS: Final = 1024
_MAX_READERS: Final = 64
"""Combinations of options whose readers are kept."""
_N_NAMED: Final = 5
"""Patches that an error names; the others are counted."""


class ArraySpec(NamedTuple):
    """Shape, dtype and bands of the array of one patch."""

    shape: tuple[int, ...]
    """(bands, rows, columns); (rows, columns) if there is an array for each band."""
    dtype: np.dtype[Any]
    """The dtype of its pixels."""
    bands: tuple[str, ...]
    """The names of its bands, as stored."""


class Batch(NamedTuple):
    """Several patches."""

    keys: Sequence[str]
    """The keys, in the order of the arrays' rows: `Keys` if the caller gave those, else a tuple."""
    images: Images
    """An array of shape (N, C, H, W); grouped, one for each resolution, by ``ROWSxCOLUMNS``, or for
    each band, of shape (N, H, W)."""


class PatchReader:
    """Reads patches of a store, always with the same options. Made by `Store.reader`.

    It can be pickled, and used from several threads.
    """

    def __init__(
        self, records: Records, options: Options, copy_rows: CopiesRows = copy_rows
    ) -> None:
        # Not the store: it keeps its readers, and the cycle would keep the file open.
        self.records = records
        """The records that it reads."""
        self.options = options
        """The options of reading."""
        self._copy_rows = copy_rows
        self._plans: dict[RecordLayout, RecordPlan] = {}
        self._last = (RecordLayout(b"", -1, []), NO_PLAN)

    def __reduce__(self) -> tuple[Any, ...]:
        return PatchReader, (self.records, self.options, self._copy_rows)

    def copying(self, copy_rows: CopiesRows) -> PatchReader:
        """A reader with the same options that copies batches in another way."""
        return PatchReader(self.records, self.options, copy_rows)

    def read(self, key: str, out: Images | None = None) -> Images:
        """Read one patch.

        Args:
            key: The key of the patch.
            out: The array to fill, of the patch's shape and dtype; grouped, a dictionary of them.

        Returns:
            ``out``, or a new array of shape (C, H, W); grouped, one for each resolution or band.

        Raises:
            UnknownKeyError: The store does not have the patch.
            UnknownBandError: The patch does not have a band.
            SizeError: Bands differ in size, or the patch deviates from the usual size.
            UsageError: ``out`` does not fit, or another option does not fit the bands.
            StoreError: The store is closed or damaged.
        """
        pages, start, stop = self.records.place(key)
        try:
            images = self._image(key, out, pages, start, stop)
        except Exception:
            if pages.certain:
                raise
        else:
            if pages.certain:
                return images
        return self.records.settled([key], partial(self._located_image, key, out))

    def _located_image(self, key: str, out: Images | None, located: Sequence[Located]) -> Images:
        """The patch, once its place is known."""
        (_, file, places), *_ = located
        return self._image(key, out, file, *places[0].tolist())

    def _image(self, key: str, out: Images | None, file: File, start: int, stop: int) -> Images:
        """The patch whose record is at a place of a file."""
        records, data = self.records, file.data
        layout, plan = self._last
        if records.ahead.cold:
            records.ahead.announce(file, [(start, stop)], plan.spans)
        begin = perf_counter()
        # `RecordLayout.are_of`, without the call: most records have the layout of the last one.
        if stop - start != layout.n_bytes or data[start : start + layout.n_header] != layout.header:
            layout, plan = self._last = self._planned(file, start, stop, key)
        if plan.deviates:
            raise self._refusal({key: plan.deviates}, 1)
        if plan.only is not None and out is None:
            image = np.empty(plan.only.shape, plan.only.dtype)
            plan.only.fill(data, start, image)
            images: Images = image
        else:
            arrays = plan.empty() if out is None else plan.checked(out)
            plan.fill(data, start, arrays)
            images = arrays if out is None else out
        if perf_counter() - begin > plan.patience:
            records.ahead.cold = True
        return images

    def read_batch(self, keys: Sequence[str], out: Images | None = None) -> Batch:
        """Read several patches.

        Args:
            keys: The keys of the patches, in any order, possibly repeated.
            out: The array to fill, of shape (N, C, H, W); grouped, a dictionary of them.

        Returns:
            The patches, in ``out`` or in new arrays. With ``on_size="skip"`` there may be fewer
            patches than keys; they fill the first rows.

        Raises:
            UnknownKeyError: The store does not have a patch.
            UnknownBandError: A patch does not have a band.
            SizeError: Bands differ in size, or patches deviate from the usual size.
            UsageError: There are no keys, ``out`` does not fit, or memory does not suffice.
            StoreError: The store is closed or damaged.
        """
        if isinstance(keys, str):
            raise UsageError(f"keys={keys!r} is one key, expected a sequence", "Give a list.")
        if not len(keys):
            raise UsageError("there are no keys to read", "Give at least one.")
        return self.records.settled(keys, partial(self._batch, keys, out))

    def _batch(self, keys: Sequence[str], out: Images | None, located: Sequence[Located]) -> Batch:
        """The patches, once their places are known."""
        ahead, n = self.records.ahead, len(keys)
        if ahead.cold:
            for _, file, places in located:
                ahead.announce(file, places, self._last[1].spans)
        begin = perf_counter()
        layout, plan = self._last
        # Most batches have only records with the layout of the last one that was read.
        if plan.deviates or not all(layout.are_of(file.data, at) for _, file, at in located):
            batch, plan = self._read_mixed(keys, out, located)
        else:
            arrays = plan.empty(n) if out is None else plan.checked(out, n)
            for rows, file, places in located:
                plan.fill_rows(file.data, places[:, 0], rows, arrays, self._copy_rows)
            batch = Batch(_fixed(keys), plan.unwrapped(arrays))
        if perf_counter() - begin > n * plan.patience:
            ahead.cold = True
        return batch

    def _read_mixed(
        self, keys: Sequence[str], out: Images | None, located: Sequence[Located]
    ) -> tuple[Batch, RecordPlan]:
        """Patches whose layouts may differ, and the plan for the first of them."""
        names = _fixed(keys)
        plans = self._plans_of(names, located)
        first = plans[0]
        kept = self._kept(names, plans)
        if len(kept) < len(names):
            names = names[kept] if isinstance(names, Keys) else tuple([names[i] for i in kept])
        self._check_agreement(names, [plans[i] for i in kept])
        arrays = first.empty(len(kept)) if out is None else first.checked(out, len(keys))
        row_of = {i: row for row, i in enumerate(kept)}
        for rows, file, places in located:
            for plan in dict.fromkeys(plans[i] for i in rows if i in row_of):
                some = [j for j, i in enumerate(rows) if plans[i] is plan]
                wanted = [row_of[rows[j]] for j in some]
                plan.fill_rows(file.data, places[some, 0], wanted, arrays, self._copy_rows)
        if len(kept) < len(keys):
            arrays = {name: array[: len(kept)] for name, array in arrays.items()}
        return Batch(names, first.unwrapped(arrays)), first

    def describe(self, key: str) -> ArraySpec | dict[str, ArraySpec]:
        """Describe the array of a patch without reading it.

        Args:
            key: The key of the patch. If its size is unusual, the usual size is described.

        Returns:
            The shape, dtype and bands of the array; grouped, of each array, by resolution or band.

        Raises:
            RicoError: See `read`.
        """
        plan = self._plan_for(key)
        found = {
            name: ArraySpec(plan.shape_of(array), array.dtype, array.names)
            for name, array in plan.arrays.items()
        }
        return found if self.options.grouped else found[UNGROUPED]

    def memory(self, key: str) -> BandMemory | None:
        """How patches like that of a key share one memory; None if they do not.

        They do with ``grouped="band"``, unless bands are converted or resampled.

        Raises:
            RicoError: See `read`.
        """
        return self._plan_for(key).memory

    def empty(self, key: str, n: int) -> Images:
        """Uninitialised arrays for ``n`` patches like that of a key, to be passed as ``out``.

        Raises:
            UsageError: Memory does not suffice.
            RicoError: See `read`.
        """
        plan = self._plan_for(key)
        return plan.unwrapped(plan.empty(n))

    def fits(self, key: str, images: Images) -> bool:
        """Whether arrays are like those that `empty` makes for patches like that of a key."""
        described = self.describe(key)
        if isinstance(described, dict) and isinstance(images, dict):
            pairs = [(spec, images.get(name)) for name, spec in described.items()]
            same = described.keys() == images.keys()
        elif isinstance(described, ArraySpec) and not isinstance(images, dict):
            pairs, same = [(described, images)], True
        else:
            return False
        return same and all(
            array is not None and array.shape[1:] == spec.shape and array.dtype == spec.dtype
            for spec, array in pairs
        )

    def deviating(self, keys: Sequence[str]) -> list[str]:
        """The keys of those patches that deviate from their modality's usual size.

        Raises:
            RicoError: See `read`.
        """
        plans = self.records.settled(keys, partial(self._plans_of, keys))
        return [key for key, plan in zip(keys, plans, strict=True) if plan.deviates]

    def _plans_of(self, keys: Sequence[str], located: Sequence[Located]) -> list[RecordPlan]:
        """The plan for each record, in the order of the keys."""
        layout, plan = self._last
        found = [plan] * len(keys)
        for rows, file, places in located:
            data = file.data
            for row, (start, stop) in zip(rows, places.tolist(), strict=True):
                if (
                    stop - start != layout.n_bytes
                    or data[start : start + layout.n_header] != layout.header
                ):
                    layout, plan = self._planned(file, start, stop, keys[row])
                found[row] = plan
        self._last = layout, plan
        return found

    def _plan_for(self, key: str) -> RecordPlan:
        """The plan for the record of a key."""
        return self.records.settled([key], partial(self._plans_of, [key]))[0]

    def _planned(
        self, file: File, start: int, stop: int, key: str
    ) -> tuple[RecordLayout, RecordPlan]:
        """The layout of a record, and the plan for records of that layout."""
        layout = self.records.layout(file, start, stop, key)
        plan = self._plans.get(layout)
        if plan is None:
            if len(self._plans) >= _MAX_PLANS:
                self._plans.clear()
            catalogue = self.records.catalogue
            contents = catalogue.contents_of(layout, key)
            plan = plan_of(layout, contents, self.options, f"{self.records.path}: patch {key!r}")
            if not catalogue.has_twins:
                self._plans[layout] = plan
        return layout, plan

    def _kept(self, keys: Sequence[str], plans: Sequence[RecordPlan]) -> list[int]:
        """The positions of patches of the usual size.

        Raises:
            SizeError: Some patches deviate, and are not to be skipped.
        """
        deviating = {
            key: plan.deviates for key, plan in zip(keys, plans, strict=True) if plan.deviates
        }
        if deviating and self.options.on_size != "skip":
            raise self._refusal(deviating, len(keys))
        return [i for i, plan in enumerate(plans) if not plan.deviates]

    def _refusal(self, deviating: Mapping[str, str], n: int) -> SizeError:
        """An error that names the patches that deviate from the usual size."""
        named = [f"{key!r} ({how})" for key, how in deviating.items()][:_N_NAMED]
        more = f" and {len(deviating) - _N_NAMED} more" if len(deviating) > _N_NAMED else ""
        return SizeError(
            f"{self.records.path}: {len(deviating)} of {n} patches deviate from the usual size: "
            f"{', '.join(named)}{more}",
            'Choose with on_size=: "skip" leaves them out, "pad" adds zeros and "crop" cuts off '
            'pixels, both at the bottom and on the right, "pad+crop" does both, "keep" leaves them '
            "as they are.",
            tuple(deviating),
        )

    def _check_agreement(self, keys: Sequence[str], plans: Sequence[RecordPlan]) -> None:
        """Make sure that patches fit into the same arrays.

        Raises:
            SizeError: They differ in the shape or the dtype of their arrays.
        """
        first: tuple[str, dict[str, Any]] | None = None
        for plan in dict.fromkeys(plans):
            arrays = plan.described()
            key = keys[plans.index(plan)]
            if first is None:
                first = key, arrays
            elif arrays != first[1]:
                raise SizeError(
                    f"{self.records.path}: patches {first[0]!r} and {key!r} don't fit into one "
                    f"batch: {_shown(first[1])} and {_shown(arrays)}",
                    "Read one modality at a time; if sizes vary, give size= or on_size=.",
                    (key,),
                )


def _fixed(keys: Sequence[str]) -> Sequence[str]:
    """Keys that can't change: the `Keys` of a store, or a tuple."""
    return keys if isinstance(keys, Keys) else tuple(keys)


def _shown(arrays: Mapping[str, tuple[tuple[int, ...], np.dtype[Any]]]) -> str:
    """Names, dtypes and shapes of arrays, for an error."""
    return ", ".join(
        f"{name} {dtype} {'x'.join(map(str, shape))}".lstrip()
        for name, (shape, dtype) in arrays.items()
    )


class Readers:
    """The readers of a store, one for each combination of options."""

    def __init__(self) -> None:
        self._known: dict[object, PatchReader] = {}

    def get(
        self, records: Records, method: str, known: type, options: dict[str, Any]
    ) -> PatchReader:
        """The reader with a method's options; the same one for the same options.

        Args:
            records: The records of the store.
            method: The name of the method, for errors.
            known: The options that it has.
            options: The given options.

        Raises:
            UsageError: An option does not fit.
        """
        if isinstance(options.get("bands"), list):
            options["bands"] = tuple(options["bands"])
        choice: tuple[Any, ...] = (method, *options.items())
        try:
            return self._known[choice]
        except KeyError:
            pass
        except TypeError:  # an unhashable option, such as a list
            choice = ()
        check_names(f"Store.{method}", options, known)
        if known is ReadOptions:
            options["on_size"] = "keep"
        if len(self._known) >= _MAX_READERS:
            self._known.clear()
        reader = PatchReader(records, Options.of(**options))
        return self._known.setdefault(choice, reader) if choice else reader
