"""mkdocs's hook: generated pages, and generated parts of pages.

``<!-- site: WORD -->`` in a document is replaced: in the page of a dataset by a part of its spec
(see `website.datasets`), in other pages by charts (see `website.performance`).
``<!-- site: readme TITLE -->`` is replaced by that section of the README, with its heading.

Plug-ins that were tried in place of parts of `website` (November 2026; in parentheses the lines
that each would save and the packages that it adds):

- mkdocstrings-python 2.0, which was installed already, lists the public names by itself (`filters:
  public`). It replaced a module of 37 lines.
- mkdocs-click 0.9 (104 lines, 1 package) repeats the shared options for every dataset: 2,481 words
  instead of 867. With click 8.5 it prints `Sentinel.UNSET` as a default.
- The privacy plug-in of mkdocs-material 9.8 (38 lines, none), configured not to download anything,
  fails the strict build for images, scripts and styles, but not for iframes, videos and `@import`,
  which `website.offline` finds.
- mkdocs-macros 1.5 (9 lines, 4 packages; not built) reads every page as a template. Code hosts show
  its braces, whereas comments are invisible.
- mkdocs-include-markdown 7.3 (3 packages; not built) adapts links to the including page, but not to
  the site's page of the linked file: most of `website.documents` would stay.
- mkdocs-gen-files: mkdocs 1.6 generates pages itself (`File.generated`).
"""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from rico_hdl.datasets import registry
from website import commands, performance
from website.datasets import GENERATED
from website.documents import (
    FILES,
    PAGES,
    ROOT,
    WHOLE,
    bars_in_code,
    linked_files,
    outside_code,
    relinked,
    sections,
)
from website.offline import fetched

_PLACEHOLDER = re.compile(r"^<!-- site: (\w+)(?: (.+))? -->$", re.MULTILINE)
_COMMENT = re.compile(r"^<!-- skip: .* -->\n", re.MULTILINE)
_TIMES = re.compile(r"(?<=\d) x (?=\d)")
_MODULES = ("rico_hdl", "rico_hdl.torch", "rico_hdl.labels", "rico_hdl.statistics")
"""The modules whose names in ``__all__`` mkdocstrings documents."""
_ASSETS = ROOT / "website" / "assets"


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Add the pages of the datasets to the navigation."""
    for entry in config.nav or []:
        if "Datasets" in entry:
            entry["Datasets"] += [{s.title: f"datasets/{s.name}.md"} for s in registry().values()]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages and files that are not in `docs/`."""
    made = {"commands.md": commands.page()}
    made |= {f"api/{module}.md": f"# {module}\n\n::: {module}\n" for module in _MODULES}
    made |= {page: _of_readme(page, titles) for page, titles in PAGES.items()}
    for document, page in WHOLE.items():
        text = (ROOT / document).read_text(encoding="utf-8")
        made[page] = relinked(text, document, page)
    for page, text in made.items():
        files.append(File.generated(config, page, content=text))
    for path in _ASSETS.iterdir():
        files.append(File.generated(config, f"assets/{path.name}", abs_src_path=str(path)))
    for linked in sorted(_linked()):
        files.append(File.generated(config, f"{FILES}/{linked}", abs_src_path=str(ROOT / linked)))
    return files


def _of_readme(page: str, titles: list[str]) -> str:
    """A page made of sections of the README; the first one gives its title."""
    parts = [
        f"{'#' if title == titles[0] else '##'} {title}\n\n{sections('README.md')[title]}\n"
        for title in titles
    ]
    return relinked("\n".join(parts), "README.md", page)


def _linked() -> set[str]:
    """The files to copy: those that a document links to and that have no page."""
    documents = ["README.md", *WHOLE]
    documents += [str(p.relative_to(ROOT)) for p in (ROOT / "docs").rglob("*.md")]
    found: set[str] = set()
    for document in documents:
        found |= linked_files((ROOT / document).read_text(encoding="utf-8"), document)
    return found


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Point links to pages of the site, and replace comments by what is generated."""
    del config, files
    place = page.file.src_uri
    if page.file.generated_by is None:
        document = Path(str(page.file.abs_src_path)).relative_to(ROOT).as_posix()
        markdown = relinked(markdown, document, place)
    markdown = _PLACEHOLDER.sub(lambda match: _made(match[1], match[2], place), markdown)
    markdown = bars_in_code(_COMMENT.sub("", markdown))
    # Keeps a shape on one line.
    return outside_code(
        markdown, lambda text: _TIMES.sub("\N{NO-BREAK SPACE}x\N{NO-BREAK SPACE}", text)
    )


def _made(word: str, argument: str, place: str) -> str:
    """The text that replaces a comment."""
    if word == "readme":
        text = f"## {argument}\n\n{sections('README.md')[argument]}"
        return relinked(text, "README.md", place)
    if word in performance.CHARTS:
        return performance.CHARTS[word]()
    return GENERATED[word](registry()[PurePosixPath(place).stem])


def on_post_build(config: MkDocsConfig) -> None:
    """Check that the site needs no network.

    Raises:
        PluginError: A page loads something from another site.
    """
    if found := fetched(Path(config.site_dir)):
        raise PluginError("these pages would load files from other sites:\n" + "\n".join(found))
