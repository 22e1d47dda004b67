"""Labels: elements of arrays as texts."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from rico_hdl.errors import ArchiveError, DecodingError

if TYPE_CHECKING:
    import numpy.typing as npt

_WINDOW: Final = 4096
"""Labels that are read at once."""


def as_words(path: str, array: npt.NDArray[Any]) -> list[str]:
    """The elements of an array with one dimension, of texts or integers, as texts.

    Raises:
        DecodingError: It is of another kind.
        ArchiveError: A text is not UTF-8.
    """
    if array.ndim != 1 or (array.dtype.kind not in "SUiu" and not _are_texts(array)):
        raise DecodingError(
            f"array {path!r} has shape {array.shape} and dtype {array.dtype}, expected labels: one "
            "dimension of texts or integers"
        )
    try:
        return [item.decode() if isinstance(item, bytes) else str(item) for item in array.tolist()]
    except UnicodeDecodeError as error:
        raise ArchiveError(f"array {path!r} holds a text that is not UTF-8: {error}") from error


def _are_texts(array: npt.NDArray[Any]) -> bool:
    return array.dtype.kind == "O" and all(isinstance(item, bytes | str) for item in array)


class WordWindow:
    """The labels along an axis, of which a few thousand are in memory.

    Args:
        read: Returns the labels from one position to another one.
        n_words: Their number.
    """

    def __init__(self, read: Callable[[int, int], list[str]], n_words: int) -> None:
        self._read = read
        self._n_words = n_words
        self._start = 0
        self._words: list[str] = []

    def __getitem__(self, position: int) -> str:
        if not 0 <= position - self._start < len(self._words):
            self._start = position - position % _WINDOW
            self._words = self._read(self._start, min(self._start + _WINDOW, self._n_words))
        return self._words[position - self._start]
