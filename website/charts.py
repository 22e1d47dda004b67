"""Bar charts as inline SVG, which follow the page's width and its colours, light or dark.

In: labels and values. Out: markup without blank lines, which Markdown leaves unchanged. A bar's
width is a share of the chart's and text keeps its size, to be readable on a phone too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Literal

_ROW = 38  # pixels: a line of text, a bar, and a gap
_BASELINE = 14
_BAR_TOP, _BAR_HEIGHT = 20, 9


@dataclass(frozen=True, slots=True)
class Bar:
    """One value of a chart."""

    label: str
    """What was measured."""
    value: float
    """Its size, not negative."""
    text: str
    """The value as shown."""
    kind: Literal["ours", "other", "limit"] = "other"
    """Decides the colour. A limit is not a competitor but the best that could be reached."""


def chart(title: str, bars: Sequence[Bar]) -> str:
    """A figure with a bar for each value, from the top downwards."""
    longest = max(bar.value for bar in bars)
    lines = [
        '<figure class="chart">',
        f"<figcaption>{escape(title)}</figcaption>",
        f'<svg role="img" aria-label="{escape(title)}" width="100%" height="{_ROW * len(bars)}">',
        *(_row(bar, i, longest) for i, bar in enumerate(bars)),
        "</svg>",
        "</figure>",
    ]
    return "\n".join(lines)


def _row(bar: Bar, i: int, longest: float) -> str:
    top = i * _ROW
    width = 100 * bar.value / longest
    return (
        f'<text x="0" y="{top + _BASELINE}">{escape(bar.label)}</text>'
        f'<text x="100%" y="{top + _BASELINE}" text-anchor="end">{escape(bar.text)}</text>'
        f'<rect class="{bar.kind}" x="0" y="{top + _BAR_TOP}" width="{width:.2f}%" '
        f'height="{_BAR_HEIGHT}" rx="2"/>'
    )
