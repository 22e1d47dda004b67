"""The part of Thrift's compact protocol that parquet files use.

In: bytes of a table of contents or of a page's header. Out: structs, as dictionaries of values by
field number.

Format: https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

_TRUE, _FALSE, _BYTE, _I16, _I32, _I64, _DOUBLE, _TEXT, _LIST, _SET, _STRUCT = *range(1, 11), 12
"""Value types."""

MAX_STRUCTS: Final = 10_000
"""Maximum number of structs in a list that is read whole, such as the columns of a table."""
_MAX_DEPTH: Final = 20
_MAX_DIGITS: Final = 10  # of a 64-bit number, seven bits each

Struct = dict[int, Any]
"""The fields of a struct by their numbers: numbers, booleans, bytes, structs and lists of structs;
None for other values, which are not needed."""


class ThriftReader:
    """Reads values one after another.

    Each method raises an IndexError if the bytes end too early, and a ValueError or an IndexError
    if they are malformed.

    Args:
        data: The encoded values.
    """

    def __init__(self, data: bytes) -> None:
        self.position = 0
        """Number of bytes read so far."""
        self._data = data

    def struct(self, depth: int = 0) -> Struct:
        """Read the next value, which must be a struct."""
        return {number: self.value(kind, depth) for number, kind in self.fields()}

    def fields(self) -> Iterator[tuple[int, int]]:
        """Number and kind of each field of a struct. Read its value before the next field."""
        number = 0
        while (head := self._byte()) != 0:
            delta, kind = head >> 4, head & 15
            number = number + delta if delta else self._integer()
            yield number, kind

    def list_head(self) -> tuple[int, int]:
        """The number of values in a list, and their kind. The values follow."""
        head = self._byte()
        n = head >> 4
        return (self._varint() if n == 15 else n), head & 15

    def value(self, kind: int, depth: int = 0) -> Any:  # noqa: ANN401 - see `Struct`
        """Read the next value, of a given kind."""
        if kind in {_TRUE, _FALSE}:
            return kind == _TRUE
        if kind == _STRUCT and depth < _MAX_DEPTH:
            return self.struct(depth + 1)
        if kind in {_LIST, _SET}:
            return self._items(depth)
        if kind in {_I16, _I32, _I64}:
            return self._integer()
        if kind not in {_TEXT, _BYTE, _DOUBLE}:
            raise ValueError(f"unexpected value of kind {kind} before byte {self.position}")
        return self._bytes({_BYTE: 1, _DOUBLE: 8}.get(kind) or self._varint())

    def _items(self, depth: int) -> list[Struct] | None:
        n, kind = self.list_head()
        if kind == _STRUCT and n <= MAX_STRUCTS and depth < _MAX_DEPTH:
            return [self.struct(depth + 1) for _ in range(n)]
        if kind in {_STRUCT, _LIST, _SET}:
            raise ValueError(f"unexpected list of {n:,} values of kind {kind}")
        for _ in range(n):
            # In lists, a boolean takes a byte.
            self.value(_BYTE if kind in {_TRUE, _FALSE} else kind, depth + 1)
        return None

    def _byte(self) -> int:
        found = self._data[self.position]
        self.position += 1
        return found

    def _bytes(self, n: int) -> bytes:
        start, self.position = self.position, self.position + n
        if self.position > len(self._data):
            raise IndexError("it ends too early")
        return self._data[start : self.position]

    def _varint(self) -> int:
        found = 0
        for i in range(_MAX_DIGITS):
            byte = self._byte()
            found |= (byte & 0x7F) << 7 * i
            if byte < 0x80:
                return found
        raise ValueError(f"a number of more than 64 bits before byte {self.position}")

    def _integer(self) -> int:
        found = self._varint()
        return (found >> 1) ^ -(found & 1)
