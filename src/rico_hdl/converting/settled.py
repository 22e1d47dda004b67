"""Finding patches that are already stored and don't need to be converted again."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Final

from rico_hdl.spec import Modality
from rico_hdl.store import StoreWriter
from rico_hdl.values import Origin

_END: Final = (None, None)


class Settled:
    """Determines whether a key is stored and came from a trusted source.

    Patches that are stored from another source are converted anyway, to compare their bytes.

    Args:
        writer: The store.
        trusted: Sources whose records don't need to be compared.
        doubted: Modalities in which a record of unknown origin may come from a source in doubt.
        in_order: Names of modalities whose keys are requested in sorted order. For them, the
            journal is read alongside instead of being held in memory.
    """

    def __init__(
        self,
        writer: StoreWriter,
        trusted: Collection[Origin],
        doubted: Collection[str],
        in_order: Collection[str],
    ) -> None:
        self.elsewhere: dict[bytes, Origin] = {}
        """Origins of stored records, by key, for patches that are stored from another source and
        are converted to compare them; removed after the comparison."""
        self._writer = writer
        self._trusted = trusted
        self._doubted = doubted
        self._in_order = in_order
        self._is_empty: dict[bool, bool] = {}  # before the first key (in order or not)
        self._sorted: Iterator[tuple[bytes, Origin]] = iter(())
        self._next: tuple[bytes, Origin] | tuple[None, None] = _END
        self._by_hash: dict[int, Origin] = {}

    def wants(self, key: str, modality: Modality) -> bool:
        """Whether a patch must be converted."""
        encoded, in_order = key.encode(), modality.name in self._in_order
        if in_order not in self._is_empty:
            self._begin(in_order=in_order)
        if self._is_empty[in_order]:
            return True
        if encoded not in self._writer:
            return True
        origin = self._origin_in_order(encoded) if in_order else self._by_hash.get(hash(encoded))
        if origin is not None:
            self.elsewhere[encoded] = origin
        return origin is not None

    def _begin(self, *, in_order: bool) -> None:
        self._is_empty[in_order] = not self._writer.n_entries
        if self._is_empty[in_order]:
            return
        self._writer.commit()  # the journal knows everything that is stored
        others = self._writer.provenance.elsewhere(self._trusted, self._doubted)
        if in_order:
            self._sorted = others
            self._next = next(self._sorted, _END)
        else:
            self._by_hash = {hash(key): origin for key, origin in others}

    def _origin_in_order(self, key: bytes) -> Origin | None:
        while self._next[0] is not None and self._next[0] < key:
            self._next = next(self._sorted, _END)
        return self._next[1] if self._next[0] == key else None
