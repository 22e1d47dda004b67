"""Which bands of a record are read, and in which order.

In: the caller's ``bands``, and a record's layout. Out: names of bands as stored, or an error that
lists the available ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches

from rico_hdl.errors import UnknownBandError, UsageError
from rico_hdl.reading.catalogue import ModalityContents, in_order
from rico_hdl.reading.layouts import RecordLayout
from rico_hdl.spec import ALL_BANDS, JOINT

Bands = str | Sequence[str] | None
"""None or ``all``; a band, an alias or a preset; several of these, joined by ``+`` or in a list."""

_MAX_NAMED = 20
"""Names that an error lists in full: those of a hyperspectral patch would fill the screen."""


def terms_of(bands: Bands) -> tuple[str, ...]:
    """The requested names, one by one.

    Raises:
        UsageError: ``bands`` is neither a string nor a sequence of strings, or it is empty.
    """
    if bands is None:
        return (ALL_BANDS,)
    terms: Iterable[object] = bands.split(JOINT) if isinstance(bands, str) else bands
    names = tuple(terms)
    if not names or not all(isinstance(name, str) and name for name in names):
        raise UsageError(
            f"bands={bands!r} names no bands",
            'Give names, such as ["B04", "B03", "B02"], or a preset, such as "rgb" or "10m+20m".',
        )
    return tuple(str(name) for name in names)


def chosen(
    terms: Sequence[str], layout: RecordLayout, contents: ModalityContents | None, where: str
) -> tuple[str, ...]:
    """The requested bands of a record, in the requested order.

    Args:
        terms: See `terms_of`.
        layout: The record's layout.
        contents: Its modality, if known.
        where: The record, for an error.

    Raises:
        UnknownBandError: A name is not among the record's bands, aliases and presets.
    """
    return tuple(name for term in terms for name in _meant(term, layout, contents, where))


def names_of(layout: RecordLayout, contents: ModalityContents | None) -> tuple[str, ...]:
    """All bands of a record, in the publisher's order or sorted by the numbers in their names."""
    return contents.bands if contents else tuple(sorted(layout.bands, key=in_order))


def _meant(
    term: str, layout: RecordLayout, contents: ModalityContents | None, where: str
) -> Iterator[str]:
    if term in layout.bands:
        yield term
    elif term == ALL_BANDS:
        yield from names_of(layout, contents)
    elif contents and term in contents.presets:
        yield from contents.presets[term]
    elif contents and term in contents.aliases:
        yield contents.aliases[term]
    else:
        raise UnknownBandError(f"{where} has no band {term!r}", _hint(term, layout, contents))


def _hint(term: str, layout: RecordLayout, contents: ModalityContents | None) -> str:
    names = names_of(layout, contents)
    presets = list(contents.presets) if contents else []
    aliases = list(contents.aliases) if contents else []
    shown = ", ".join(names)
    if len(names) > _MAX_NAMED:
        shown = f"{names[0]}, {names[1]}, … {names[-1]}, {len(names)} in all"
    lines = [f"It has {shown}."]
    if presets:
        lines.append(f"Presets: {', '.join([*presets, ALL_BANDS])}.")
    close = get_close_matches(term, [*names, *presets, *aliases], cutoff=0.5)
    # Wrong case is the usual mistake, and difflib treats it as different letters.
    same = [name for name in (*names, *presets, *aliases) if name.lower() == term.lower()]
    if same or close:
        lines.append(f"Did you mean {' or '.join(dict.fromkeys(same or close))}?")
    return "\n".join(lines)
