"""Images with a tensor for each band, all of them views of one block of memory.

In: positions of patches, and memory. Out: the memory, filled with the records' pages by one copy,
and the bands in it. This is the fastest way to read most bands of a patch.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import torch

from rico_hdl.errors import UsageError
from rico_hdl.reading import BY_BAND, BandMemory
from rico_hdl.torch.dtypes import torch_dtype
from rico_hdl.torch.fields import Arrays, Channels, Entry, ImageField, Positions, SampleField


@dataclass(frozen=True)
class BandField:
    """An entry ``image_<band>`` for each band of one or several modalities."""

    parts: tuple[Channels, ...]
    """The modalities; their readers group by band."""
    name: str = "image"
    """The prefix of the entries' names."""
    _described: list[tuple[dict[str, Entry], BandMemory | None]] = field(
        default_factory=list, compare=False, repr=False
    )
    """The entries of each part, and how they share one memory; looked up once."""

    def entries(self) -> dict[str, Entry]:
        """The bands, each of shape (rows, columns).

        Raises:
            UsageError: Two parts have a band of the same name.
        """
        found: dict[str, Entry] = {}
        for _, _, own, _ in self._parts():
            if twins := own.keys() & found.keys():
                raise UsageError(f"two modalities both have {', '.join(sorted(twins))}")
            found |= own
        return found

    def memory(self) -> dict[str, Entry]:
        """One entry of bytes for each part, or its bands if they are converted or resampled."""
        found: dict[str, Entry] = {}
        for whole, _, own, memory in self._parts():
            if memory is None:
                found |= own
            else:
                found[whole] = Entry((memory.n_bytes,), np.dtype(np.uint8))
        return found

    def fill(self, positions: Positions, out: Arrays) -> None:
        """Read the patches into memory."""
        for whole, part, own, memory in self._parts():
            arrays = (
                memory.views(out[whole])
                if memory is not None
                else {entry.bands[0]: out[name] for name, entry in own.items()}
            )
            part.reader.read_batch(part.keys[np.asarray(positions, np.intp)], arrays)

    def views(self, batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """The batch with the memory replaced by the bands in it."""
        found = dict(batch)
        for whole, _, _, memory in self._parts():
            if memory is None:
                continue
            filled = found.pop(whole)
            for band, (offset, shape, dtype) in memory.places.items():
                n_bytes = shape[0] * shape[1] * dtype.itemsize
                pixels = filled[:, offset : offset + n_bytes].view(torch_dtype(dtype))
                found[self._entry(band)] = pixels.unflatten(1, shape)
        return found

    def _entry(self, band: str) -> str:
        return f"{self.name}_{band}"

    def _parts(self) -> Iterator[tuple[str, Channels, dict[str, Entry], BandMemory | None]]:
        """The name of the memory, the part, its entries, and its memory, for each part."""
        if not self._described:
            for part in self.parts:
                specs = part.reader.describe(part.keys[0])
                assert isinstance(specs, dict)  # noqa: S101 - its reader groups
                own = {
                    self._entry(band): Entry(spec.shape, spec.dtype, spec.bands)
                    for band, spec in specs.items()
                }
                self._described.append((own, part.reader.memory(part.keys[0])))
        for i, (part, (own, memory)) in enumerate(zip(self.parts, self._described, strict=True)):
            yield f"{self.name}-{i}", part, own, memory


def images_of(*parts: Channels) -> SampleField:
    """The images of one or several modalities, as their readers group them."""
    by_band = parts[0].reader.options.grouped == BY_BAND
    return BandField(parts) if by_band else ImageField(parts)
