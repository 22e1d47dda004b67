"""Which bands of a record are read, and in which order.

In: what the caller asked for, and a record's layout. Out: names of bands as they are stored, or an
error that says what is there instead.
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
"""Names that an error lists: those of a hyperspectral patch would fill the screen."""


def terms_of(bands: Bands) -> tuple[str, ...]:
    """What was asked for, one by one.

    Raises:
        UsageError: It is no text and no sequence of texts, or nothing at all.
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
    """The bands of a record that were asked for, in that order.

    Args:
        terms: See `terms_of`.
        layout: The record's.
        contents: What is known of its modality, if anything.
        where: The record, for an error.

    Raises:
        UnknownBandError: A name is none of the record's bands, aliases or presets.
    """
    return tuple(name for term in terms for name in _meant(term, layout, contents, where))


def names_of(layout: RecordLayout, contents: ModalityContents | None) -> tuple[str, ...]:
    """All bands of a record, in the publisher's order or in that of their numbers."""
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
    # Capital letters are the usual mistake, and difflib takes them for others.
    same = [name for name in (*names, *presets, *aliases) if name.lower() == term.lower()]
    if same or close:
        lines.append(f"Did you mean {' or '.join(dict.fromkeys(same or close))}?")
    return "\n".join(lines)
