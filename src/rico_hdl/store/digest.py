"""The content digest of a store, which depends only on its keys and values.

In: keys and values. Out: 128-bit numbers. The digest of a store is the sum of its records' digests,
so it doesn't depend on the order of writing and is updated with each record. It guards against
damage and mix-ups, not against forgery.
"""

from __future__ import annotations

from typing import Final

import xxhash

_PREFIX: Final = "xxh3-128-sum:"
_MODULUS: Final = 1 << 128


def record_digest(key: bytes, value: bytes | memoryview) -> int:
    """The digest of one record: XXH3-128 of the key's length (two bytes), the key, the value."""
    state = xxhash.xxh3_128(len(key).to_bytes(2, "little") + key)
    state.update(value)
    return int(state.intdigest())


def add(total: int, digest: int) -> int:
    """The digest of a store with one more record."""
    return (total + digest) % _MODULUS


def to_text(total: int) -> str:
    """A store's digest as it appears in the manifest."""
    return f"{_PREFIX}{total:032x}"


def from_text(text: str) -> int:
    """The inverse of `to_text`.

    Raises:
        ValueError: The text is not a content digest.
    """
    digits = text.removeprefix(_PREFIX)
    if not text.startswith(_PREFIX) or len(digits) != 32:
        raise ValueError(f"not a content digest: {text!r}")
    return int(digits, 16)
