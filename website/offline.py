"""Finds files that the site's pages would load from other sites.

Links that a reader follows are fine. Scripts are not examined: only a browser shows what they load.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

_FETCHED: Final = (
    # The canonical address of a page is a link in its head too, but it is not loaded.
    re.compile(r'<(?:script|img|iframe|source|video|audio)\b[^>]*\bsrc="((?:https?:)?//[^"]*)"'),
    re.compile(r'<link\b(?![^>]*\brel="?canonical)[^>]*\bhref="((?:https?:)?//[^"]*)"'),
    re.compile(r"""(?:url\(|@import\s+)["']?((?:https?:)?//[^"')]*)"""),
)


def fetched(site: Path) -> list[str]:
    """Each page or style sheet that loads something from elsewhere, with its address."""
    found = []
    for path in sorted(site.rglob("*")):
        if path.suffix in {".css", ".html"}:
            text = path.read_text(encoding="utf-8")
            urls = [url for pattern in _FETCHED for url in pattern.findall(text)]
            found += [f"{path.relative_to(site)}: {url}" for url in urls]
    return found
