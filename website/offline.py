"""Whether pages fetch anything from elsewhere when they are viewed.

In: the folder of the built site. Out: what they would fetch. Links that a reader follows are fine.
Scripts are not looked into: what they fetch is seen in a browser only.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

_FETCHED: Final = (
    # All that these name, but for the page that a link in the head calls the canonical one.
    re.compile(r'<(?:script|img|iframe|source|video|audio)\b[^>]*\bsrc="((?:https?:)?//[^"]*)"'),
    re.compile(r'<link\b(?![^>]*\brel="?canonical)[^>]*\bhref="((?:https?:)?//[^"]*)"'),
    re.compile(r"""(?:url\(|@import\s+)["']?((?:https?:)?//[^"')]*)"""),
)


def fetched(site: Path) -> list[str]:
    """Each page or style that names something to be fetched, with what it is."""
    found = []
    for path in sorted(site.rglob("*")):
        if path.suffix in {".css", ".html"}:
            text = path.read_text(encoding="utf-8")
            urls = [url for pattern in _FETCHED for url in pattern.findall(text)]
            found += [f"{path.relative_to(site)}: {url}" for url in urls]
    return found
