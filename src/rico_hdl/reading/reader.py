"""Patches as arrays, one by one or in batches, always with the same options.

In: a store, options, keys. Out: arrays that are filled from ``data.mdb`` with one copy. What
follows from the options is worked out once for each layout of records.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from time import perf_counter
from typing import Any, Final, NamedTuple

import numpy as np

from rico_hdl.errors import SizeError, UsageError
from rico_hdl.reading.bands import BandMemory
from rico_hdl.reading.copies import File
from rico_hdl.reading.keys import Keys, Offsets
from rico_hdl.reading.layouts import RecordLayout
from rico_hdl.reading.options import Options
from rico_hdl.reading.plan import Array
from rico_hdl.reading.planning import UNGROUPED, Plan, plan_of
from rico_hdl.reading.readahead import PIECE_BYTES
from rico_hdl.reading.records import Records

Images = Array | dict[str, Array]
"""One array; or, grouped, one for each resolution or band."""

_MAX_PLANS: Final = 1024
_NO_PLAN: Final = Plan(
    {}, by_band=False, memory=None, only=None, deviates="", spans=[(0, PIECE_BYTES)], patience=0
)
"""What is done before any layout is known: nothing, but the whole record is announced."""
_N_NAMED: Final = 5
"""Patches that an error names; the others are counted."""


class ArraySpec(NamedTuple):
    """What the array of one patch looks like."""

    shape: tuple[int, ...]
    """(bands, rows, columns); of an array by band (rows, columns)."""
    dtype: np.dtype[Any]
    """Of its pixels."""
    bands: tuple[str, ...]
    """The names of its bands, as stored."""


class Batch(NamedTuple):
    """Several patches."""

    keys: Sequence[str]
    """The patches, in the order of the arrays' rows: `Keys` if such were given, or a tuple."""
    images: Images
    """An array of shape (N, C, H, W); grouped, one for each resolution, by ``ROWSxCOLUMNS``, or for
    each band, of shape (N, H, W)."""


class PatchReader:
    """Reads patches of a store, always with the same options. Made by `Store.reader`.

    It can be pickled, and used from several threads.
    """

    def __init__(self, records: Records, options: Options) -> None:
        # Not the store: it keeps its readers, and a circle would keep the file open after both.
        self.records = records
        """Where it reads from."""
        self.options = options
        """How arrays look."""
        self._plans: dict[RecordLayout, Plan] = {}
        self._last = (RecordLayout(b"", -1, []), _NO_PLAN)

    def __reduce__(self) -> tuple[Any, ...]:
        return PatchReader, (self.records, self.options)

    def read(self, key: str, out: Images | None = None) -> Images:
        """One patch.

        Args:
            key: The patch.
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
        return self.records.settled(
            [key], lambda file, places: self._image(key, out, file, *places[0].tolist())
        )

    def _image(self, key: str, out: Images | None, file: File, start: int, stop: int) -> Images:
        """The patch whose record is at that place of a file."""
        records, data = self.records, file.data
        layout, plan = self._last
        if records.ahead.cold:
            records.ahead.announce(file, [(start, stop)], plan.spans)
        begin = perf_counter()
        # As `RecordLayout.are_of`, without the call: almost always it is that of the last record.
        if stop - start != layout.n_bytes or data[start : start + layout.n_header] != layout.header:
            layout, plan = self._last = self._planned(file, start, stop, key)
        if plan.deviates:
            raise self._refusal({key: plan.deviates}, 1)
        if plan.only is not None and out is None:
            image = np.empty(plan.only.shape, plan.only.dtype)
            plan.only.fill(data, start, image)
            images: Images = image
        else:
            arrays = _empty(plan, ()) if out is None else _checked(out, plan, ())
            plan.fill(data, start, arrays)
            images = arrays if out is None else out
        if perf_counter() - begin > plan.patience:
            records.ahead.cold = True
        return images

    def read_batch(self, keys: Sequence[str], out: Images | None = None) -> Batch:
        """Several patches.

        Args:
            keys: The patches, in any order, also several times.
            out: The array to fill, of shape (N, C, H, W); grouped, a dictionary of them.

        Returns:
            The patches: in ``out``, or in new arrays. With ``on_size="skip"`` there may be fewer
            than keys: they are in the first rows.

        Raises:
            UnknownKeyError: The store does not have a patch.
            UnknownBandError: A patch does not have a band.
            SizeError: Bands differ in size, or patches deviate from the usual size.
            UsageError: There are no keys, ``out`` does not fit, or memory does not suffice.
            StoreError: The store is closed or damaged.
        """
        if isinstance(keys, str):
            raise UsageError(f"keys={keys!r} is one key, expected several", "Give a list.")
        if not len(keys):
            raise UsageError("there are no keys to read", "Give at least one.")
        return self.records.settled(keys, partial(self._batch, keys, out))

    def _batch(self, keys: Sequence[str], out: Images | None, file: File, places: Offsets) -> Batch:
        """The patches whose records are at those places of a file."""
        ahead = self.records.ahead
        if ahead.cold:
            ahead.announce(file, places, self._last[1].spans)
        begin = perf_counter()
        plan = self._common_plan(file, places)
        if plan is None or plan.deviates:
            batch, plan = self._read_mixed(file, keys, places, out)
        else:
            arrays = (
                _checked(out, plan, (len(keys),)) if out is not None else _empty(plan, (len(keys),))
            )
            plan.fill_rows(file.data, places[:, 0], range(len(keys)), arrays)
            batch = Batch(_fixed(keys), _unwrapped(arrays, plan))
        if perf_counter() - begin > len(keys) * plan.patience:
            ahead.cold = True
        return batch

    def _common_plan(self, file: File, places: Offsets) -> Plan | None:
        """What is done with all of some records, if all are laid out as the last one that was read.

        That is looked at for all of them at once; None where it is not so.
        """
        layout, plan = self._last
        if layout.are_of(file.data, places):
            return plan
        return None

    def _read_mixed(
        self, file: File, keys: Sequence[str], places: Offsets, out: Images | None
    ) -> tuple[Batch, Plan]:
        """Patches that may be laid out in different ways, and what was done with the first."""
        names = _fixed(keys)
        plans = self._plans_of(file, names, places.tolist())
        first = plans[0]
        if any(plan.deviates for plan in set(plans)):
            kept = self._kept(names, plans)
            names = names[kept] if isinstance(names, Keys) else tuple([names[i] for i in kept])
            places, plans = places[kept], [plans[i] for i in kept]
        self._check_agreement(names, plans)
        n = len(names)
        arrays = _empty(first, (n,)) if out is None else _checked(out, first, (len(keys),))
        for plan in dict.fromkeys(plans):
            rows = [i for i, one in enumerate(plans) if one is plan]
            plan.fill_rows(file.data, places[rows, 0], rows, arrays)
        if n < len(keys):
            arrays = {name: array[:n] for name, array in arrays.items()}
        return Batch(names, _unwrapped(arrays, first)), first

    def describe(self, key: str) -> ArraySpec | dict[str, ArraySpec]:
        """What the array of a patch looks like, without reading it.

        Args:
            key: The patch. If it deviates from the usual size, the answer is for those that do not.

        Returns:
            The array; grouped, each of them by resolution or band.

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
        """How patches like that of a key lie in one memory; None if they do not.

        They do with ``grouped="band"``, unless bands are converted or brought to another size.

        Raises:
            RicoError: See `read`.
        """
        return self._plan_for(key).memory

    def empty(self, key: str, n: int) -> Images:
        """Arrays for ``n`` patches like that of a key, to be given as ``out``; not initialised.

        Raises:
            UsageError: Memory does not suffice.
            RicoError: See `read`.
        """
        plan = self._plan_for(key)
        return _unwrapped(_empty(plan, (n,)), plan)

    def fits(self, key: str, images: Images) -> bool:
        """Whether arrays are such as `empty` makes for patches like that of a key."""
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
        """Those of some patches that deviate from their modality's usual size.

        Raises:
            RicoError: See `read`.
        """
        plans = self.records.settled(
            keys, lambda file, places: self._plans_of(file, keys, places.tolist())
        )
        return [key for key, plan in zip(keys, plans, strict=True) if plan.deviates]

    def _plans_of(
        self, file: File, keys: Iterable[str], places: Iterable[tuple[int, int]]
    ) -> list[Plan]:
        """What is done with each of some records."""
        data = file.data
        layout, plan = self._last
        found = []
        for key, (start, stop) in zip(keys, places, strict=True):
            if (
                stop - start != layout.n_bytes
                or data[start : start + layout.n_header] != layout.header
            ):
                layout, plan = self._planned(file, start, stop, key)
            found.append(plan)
        self._last = layout, plan
        return found

    def _plan_for(self, key: str) -> Plan:
        """What is done with the record of a key."""
        return self.records.settled(
            [key], lambda file, places: self._plans_of(file, [key], places.tolist())[0]
        )

    def _planned(self, file: File, start: int, stop: int, key: str) -> tuple[RecordLayout, Plan]:
        """The layout of a record, and what is done with records of that layout."""
        layout = self.records.layout(file, start, stop, key)
        plan = self._plans.get(layout)
        if plan is None:
            if len(self._plans) >= _MAX_PLANS:
                self._plans.clear()
            contents = self.records.catalogue.contents_of(layout)
            plan = plan_of(layout, contents, self.options, f"{self.records.path}: patch {key!r}")
            self._plans[layout] = plan
        return layout, plan

    def _kept(self, keys: Sequence[str], plans: Sequence[Plan]) -> list[int]:
        """The positions of patches of the usual size.

        Raises:
            SizeError: Some are not, and are not to be skipped.
        """
        deviating = {
            key: plan.deviates for key, plan in zip(keys, plans, strict=True) if plan.deviates
        }
        if deviating and self.options.on_size != "skip":
            raise self._refusal(deviating, len(keys))
        return [i for i, plan in enumerate(plans) if not plan.deviates]

    def _refusal(self, deviating: Mapping[str, str], n: int) -> SizeError:
        """An error that names patches which deviate from the usual size."""
        named = [f"{key!r} ({how})" for key, how in deviating.items()][:_N_NAMED]
        more = f" and {len(deviating) - _N_NAMED} more" if len(deviating) > _N_NAMED else ""
        return SizeError(
            f"{self.records.path}: {len(deviating)} of {n} patches deviate from the usual size: "
            f"{', '.join(named)}{more}",
            'Choose with on_size=: "skip" leaves them out, "pad" fills what is missing with zeros '
            'and "crop" cuts off what is too much, both at the bottom and on the right, "pad+crop" '
            'does both, "keep" takes them as they are.',
            tuple(deviating),
        )

    def _check_agreement(self, keys: Sequence[str], plans: Sequence[Plan]) -> None:
        """Make sure that patches fit into the same arrays.

        Raises:
            SizeError: They differ in the shape or the dtype of their arrays.
        """
        first: tuple[str, dict[str, Any]] | None = None
        for plan in dict.fromkeys(plans):
            arrays = {
                name: (plan.shape_of(array), array.dtype) for name, array in plan.arrays.items()
            }
            key = keys[plans.index(plan)]
            if first is None:
                first = key, arrays
            elif arrays != first[1]:
                raise SizeError(
                    f"{self.records.path}: patches {first[0]!r} and {key!r} don't fit into one "
                    f"batch: {_shown(first[1])} and {_shown(arrays)}",
                    "Read one modality at a time; where sizes vary, give size= or on_size=.",
                    (key,),
                )


def _fixed(keys: Sequence[str]) -> Sequence[str]:
    """Keys that nobody can change: those of a store, or a tuple."""
    return keys if isinstance(keys, Keys) else tuple(keys)


def _shown(arrays: Mapping[str, tuple[tuple[int, ...], np.dtype[Any]]]) -> str:
    """Names, dtypes and shapes, for an error."""
    return ", ".join(
        f"{name} {dtype} {'x'.join(map(str, shape))}".lstrip()
        for name, (shape, dtype) in arrays.items()
    )


def _empty(plan: Plan, rows: tuple[int, ...]) -> dict[str, Array]:
    """New arrays for patches, not initialised.

    Args:
        plan: What they are filled with.
        rows: The length of their first axis, or nothing for a single patch.

    Raises:
        UsageError: Memory does not suffice.
    """
    try:
        if plan.memory and rows:
            return plan.memory.views(plan.memory.new(*rows))
        return {
            name: np.empty(rows + plan.shape_of(array), array.dtype)
            for name, array in plan.arrays.items()
        }
    except (MemoryError, ValueError) as error:
        raise UsageError(
            f"there is no memory for {' x '.join(map(str, rows))} patches of "
            f"{sum(array.n_bytes for array in plan.arrays.values())} bytes: {error}",
            "Read fewer at once.",
        ) from error


def _checked(out: Images, plan: Plan, rows: tuple[int, ...]) -> dict[str, Array]:
    """The arrays that a caller gave, by name.

    Raises:
        UsageError: They have other names, shapes or dtypes than the patches, or can't be written.
    """
    hint = "PatchReader.empty makes one that fits; dtype= chooses another type."
    if isinstance(out, dict) != (plan.only is None) or (
        isinstance(out, dict) and out.keys() != plan.arrays.keys()
    ):
        found_names = f"a dictionary with {', '.join(out)}" if isinstance(out, dict) else "none"
        wanted = "an array" if plan.only else f"a dictionary with {', '.join(plan.arrays)}"
        raise UsageError(f"out= is {found_names}, expected {wanted}", hint)
    given = out if isinstance(out, dict) else {UNGROUPED: out}
    for name, array in plan.arrays.items():
        found, shape = given[name], rows + plan.shape_of(array)
        fits = isinstance(found, np.ndarray) and found.flags.writeable
        if not fits or found.shape != shape or found.dtype != array.dtype:
            what = f"{found.dtype} {found.shape}" if isinstance(found, np.ndarray) else type(found)
            raise UsageError(
                f"out= is {what}, expected an array that can be written, {array.dtype} {shape}",
                hint,
            )
    return given


def _unwrapped(images: dict[str, Array], plan: Plan) -> Images:
    """The only array, where they are not grouped."""
    return images if plan.only is None else images[UNGROUPED]
