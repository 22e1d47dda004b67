"""Markdown files as sections, and paths in the repository as paths on the site.

In: documents of the repository. Out: their sections, with links to the site's pages. A link to a
file without a page of its own points to a copy of the file. mkdocs checks the links, strictly.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
FILES: Final = "files"
"""The folder of the site with copies of files that documents link to."""

_CODE: Final = re.compile(r"(^```.*?^```|`[^`\n]*`)", re.DOTALL | re.MULTILINE)
_LINK: Final = re.compile(r"(?:\[([\w./-]+\.md))?\]\(([^)\s]+)\)")

PAGES: Final = {
    "citing.md": ["Citing", "Licence"],
}
"""Pages made of sections of the README, by their path on the site."""

WHOLE: Final = {
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "packaging/appimage/README.md": "appimage.md",
    "benchmarks/RESULTS.md": "results.md",
    "benchmarks/RESULTS-read.md": "results-read.md",
}
"""Documents outside `docs/` that are pages as they are."""


def anchor(title: str) -> str:
    """The anchor of a heading, by the rule that code hosts share."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


def sections(document: str) -> dict[str, str]:
    """The text below each heading of a document, up to the next heading of any level.

    Args:
        document: The file, relative to the repository.
    """
    found: dict[str, list[str]] = {"": []}
    title, in_code = "", False
    for line in (ROOT / document).read_text(encoding="utf-8").splitlines():
        in_code ^= line.startswith("```")
        heading = None if in_code else re.match(r"#+ (.*)", line)
        if heading:
            title = heading[1]
            found[title] = []
        else:
            found[title].append(line)
    return {title: "\n".join(lines).strip("\n") for title, lines in found.items()}


def readme_pages() -> dict[str, str]:
    """The page and anchor of each section of the README that is on a page, by its anchor."""
    found: dict[str, str] = {}
    for page, titles in PAGES.items():
        for title in titles:
            found[anchor(title)] = page if title == titles[0] else f"{page}#{anchor(title)}"
    return found


def place_of(path: str, fragment: str) -> str:
    """The path on the site of a file of the repository, with the anchor if there is one."""
    if path == "README.md":
        return readme_pages().get(fragment, "index.md")
    end = f"#{fragment}" if fragment else ""
    if path.startswith("docs/"):
        return path.removeprefix("docs/") + end
    if path in WHOLE:
        return WHOLE[path] + end
    return f"{FILES}/{path}"


def outside_code(text: str, change: Callable[[str], str]) -> str:
    """Change a Markdown text, except for its code."""
    parts = _CODE.split(text)
    parts[::2] = map(change, parts[::2])
    return "".join(parts)


def linked_files(text: str, document: str) -> set[str]:
    """The files of the repository that a document links to and that have no page."""
    found: set[str] = set()

    def note(match: re.Match[str]) -> str:
        place, _ = _resolved(match[2], document)
        if place.startswith(f"{FILES}/"):
            found.add(place.removeprefix(f"{FILES}/"))
        return match[0]

    outside_code(text, lambda part: _LINK.sub(note, part))
    return found


def relinked(text: str, document: str, page: str) -> str:
    """A document's text with its links changed to those of a page of the site.

    Args:
        text: The whole document or a part of it.
        document: The file, relative to the repository.
        page: The page that shows the text.
    """

    def change(match: re.Match[str]) -> str:
        place, is_own = _resolved(match[2], document)
        if not is_own:
            return match[0]
        path, _, fragment = place.partition("#")
        there = posixpath.relpath(path, posixpath.dirname(page) or ".") if path != page else ""
        label = f"[{_title(match[2], document)}" if match[1] else ""
        return f"{label}]({there}{'#' + fragment if fragment or not there else ''})"

    return outside_code(text, lambda part: _LINK.sub(change, part))


def _title(link: str, document: str) -> str:
    """The title of the linked page, which replaces a link text that is a file's name."""
    path = posixpath.normpath(posixpath.join(posixpath.dirname(document), link.partition("#")[0]))
    return next(title for title in sections(path) if title)


def bars_in_code(text: str) -> str:
    """Tables as Python's Markdown reads them.

    Code hosts need a backslash before a bar in inline code; Python's Markdown would show it.
    """
    parts = _CODE.split(text)
    parts[1::2] = [
        part if part.startswith("```") else part.replace("\\|", "|") for part in parts[1::2]
    ]
    return "".join(parts)


def _resolved(link: str, document: str) -> tuple[str, bool]:
    """A link's target on the site, and whether the link is to a file of the repository."""
    if re.match(r"[a-z]+:", link):
        return link, False
    path, _, fragment = link.partition("#")
    folder = posixpath.dirname(document)
    target = posixpath.normpath(posixpath.join(folder, path)) if path else document
    return place_of(target, fragment), True
