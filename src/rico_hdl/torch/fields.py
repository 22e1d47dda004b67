"""The fields of a sample: images, labels and masks, each filled for many patches at once.

In: positions of patches in a dataset, and arrays to write into. Out: the arrays, filled. A field
allocates no memory for pixels, so the same buffers can serve for a whole training run; it is safe
for threads, and its pickle contains no open file.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from rico_hdl.errors import UsageError
from rico_hdl.reading import ArraySpec, Keys, PatchReader
from rico_hdl.torch.selecting import select_rows

Positions = Sequence[int] | npt.NDArray[np.intp]
"""Zero-based positions of patches in a dataset."""

Arrays = Mapping[str, npt.NDArray[Any]]
"""The entries of samples by name, each of shape (samples, …)."""


class Entry(NamedTuple):
    """One array of a sample."""

    shape: tuple[int, ...]
    """Of one sample: (channels, rows, columns) for images, (classes,) or () for labels."""
    dtype: np.dtype[Any]
    """The numpy dtype."""
    bands: tuple[str, ...] = ()
    """The band behind each channel of an image."""


class SampleField(Protocol):
    """One or several entries of a sample that are filled together."""

    def entries(self) -> dict[str, Entry]:
        """The entries that it fills, by name."""
        ...

    def fill(self, positions: Positions, out: Arrays) -> None:
        """Write the values of these patches to the arrays of its entries, one row per sample."""
        ...


class Channels:
    """Some channels of an image, all from one modality.

    Args:
        reader: A reader with its store, bands and options.
        keys: The key at each position.
    """

    def __init__(self, reader: PatchReader, keys: Keys) -> None:
        self.reader = reader.copying(select_rows)
        """A reader with the same options, which copies batches with torch."""
        self.keys = keys
        """The key at each position."""


@dataclass(frozen=True)
class ImageField:
    """The field ``image``: the bands of one or several modalities, one after the other."""

    parts: tuple[Channels, ...]
    """The modalities, in the order of their channels."""
    name: str = "image"
    """The entry; grouped by resolution, the entries are ``<name>_<rows>x<columns>``."""
    _specs: list[list[tuple[str, ArraySpec]]] = field(
        default_factory=list, compare=False, repr=False
    )

    def entries(self) -> dict[str, Entry]:
        """The images, with the channels of all parts.

        Raises:
            UsageError: The parts differ in size.
        """
        found: dict[str, Entry] = {}
        for part in self._described():
            for name, spec in part:
                known = found.get(name, Entry((0, *spec.shape[1:]), spec.dtype))
                if known.shape[1:] != spec.shape[1:] or known.dtype != spec.dtype:
                    raise UsageError(
                        f"{name}: bands of {known.shape[1:]} {known.dtype} are followed by bands "
                        f"of {spec.shape[1:]} {spec.dtype}",
                        "Give size= and dtype= to make them fit into one array.",
                    )
                n_channels = known.shape[0] + spec.shape[0]
                shape = (n_channels, *spec.shape[1:])
                found[name] = Entry(shape, spec.dtype, known.bands + spec.bands)
        return found

    def fill(self, positions: Positions, out: Arrays) -> None:
        """Read the patches, each part into its channels."""
        first: dict[str, int] = {}
        for part, specs in zip(self.parts, self._described(), strict=True):
            views = {}
            for name, spec in specs:
                start = first.get(name, 0)
                first[name] = stop = start + spec.shape[0]
                views[name.removeprefix(f"{self.name}_")] = out[name][:, start:stop]
            chosen = part.keys[np.asarray(positions, np.intp)]
            part.reader.read_batch(chosen, views.get(self.name, views))

    def _described(self) -> list[list[tuple[str, ArraySpec]]]:
        """The entries that each part contributes to; looked up once."""
        if not self._specs:
            for part in self.parts:
                found = part.reader.describe(part.keys[0])
                specs = (
                    [(f"{self.name}_{group}", spec) for group, spec in found.items()]
                    if isinstance(found, dict)
                    else [(self.name, found)]
                )
                self._specs.append(specs)
        return self._specs


@dataclass(frozen=True)
class LabelField:
    """An entry whose values are known in advance, such as ``label``."""

    name: str
    """The entry."""
    values: npt.NDArray[Any]
    """The value at each position, of shape (patches, …)."""
    dtype: np.dtype[Any]
    """The dtype in samples; ``values`` may have a smaller one."""

    def entries(self) -> dict[str, Entry]:
        """The only entry."""
        return {self.name: Entry(self.values.shape[1:], self.dtype)}

    def fill(self, positions: Positions, out: Arrays) -> None:
        """Copy the values."""
        out[self.name][...] = self.values[np.asarray(positions, np.intp)]


@dataclass(frozen=True)
class MaskField:
    """The field ``mask``: a class index for each pixel, from a band of codes."""

    part: Channels
    """One band of integer codes, as stored."""
    table: npt.NDArray[np.int64]
    """The class index of each code."""
    name: str = "mask"
    """The entry, of shape (rows, columns)."""

    def entries(self) -> dict[str, Entry]:
        """The mask.

        Raises:
            UsageError: There are several bands, or they do not hold codes.
        """
        (spec,) = ImageField((self.part,)).entries().values()
        n_bands, *size = spec.shape
        if n_bands != 1 or spec.dtype not in (np.uint8, np.uint16):
            raise UsageError(
                f"{self.name}: {n_bands} bands of {spec.dtype}, expected one of uint16 codes",
                "Is this the store of another dataset?",
            )
        return {self.name: Entry(tuple(size), self.table.dtype)}

    def fill(self, positions: Positions, out: Arrays) -> None:
        """Read the codes and look up their classes."""
        chosen = self.part.keys[np.asarray(positions, np.intp)]
        codes = self.part.reader.read_batch(chosen).images
        assert not isinstance(codes, dict)  # noqa: S101 - its reader does not group
        # "clip" writes straight into out; the table covers all values of uint16.
        np.take(self.table, codes[:, 0], out=out[self.name], mode="clip")


def merged(fields: Iterable[SampleField]) -> dict[str, Entry]:
    """The entries of all fields.

    Raises:
        UsageError: Two fields share an entry.
    """
    found: dict[str, Entry] = {}
    for part in fields:
        entries = part.entries()
        if twins := entries.keys() & found.keys():
            raise UsageError(f"two fields have the same name: {', '.join(sorted(twins))}")
        found |= entries
    return found
