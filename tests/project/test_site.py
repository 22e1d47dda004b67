"""The generated parts of the documentation site; `make site` renders them, strictly."""

import re
import sys

import click
import pytest

from rico_hdl.cli.commands import root
from tests.support.documents import DOCUMENTS, README, ROOT, anchors, links
from tests.support.documents import section as section_of
from website import commands, performance
from website.charts import Bar, chart
from website.datasets import GENERATED, bands_text
from website.documents import WHOLE, bars_in_code, place_of, readme_pages, relinked
from website.offline import fetched
from website.tables import read_table, table


def test_linked_sections_of_the_readme_have_pages():
    """Each section of the README that another document links to is on a page of the site."""
    linked = {
        link.partition("#")[2]
        for document in DOCUMENTS
        for link in links(document)
        if "README.md#" in link
    }
    assert linked <= set(readme_pages()) <= anchors(README)


@pytest.mark.parametrize(
    ("link", "document", "page", "expected"),
    [
        ("docs/reading.md", "README.md", "index.md", "reading.md"),
        ("docs/reading.md#arrays", "README.md", "datasets/hydro.md", "../reading.md#arrays"),
        ("#licence", "README.md", "index.md", "citing.md#licence"),
        ("#licence", "README.md", "citing.md", "#licence"),
        ("../README.md", "docs/start.md", "start.md", "index.md"),
        ("../README.md#citing", "docs/datasets/hydro.md", "datasets/hydro.md", "../citing.md"),
        ("../examples/demo.py", "docs/start.md", "start.md", "files/examples/demo.py"),
        ("https://example.org/a", "README.md", "index.md", "https://example.org/a"),
    ],
)
def test_links_point_to_the_page_that_shows_their_target(link, document, page, expected):
    """A link points to a page, relative to its own, or to a copy of the file."""
    if document.count("/") == 2:
        link = f"../{link}"
    assert relinked(f"see [it]({link}).", document, page) == f"see [it]({expected})."
    code = f"`[it]({link})`\n\n```text\n[it]({link})\n```\n"
    assert relinked(code, document, page) == code


def test_links_called_after_files_get_the_pages_titles():
    """A link text that is a file's name becomes the title of the page; other texts stay."""
    text = "[docs/format.md](docs/format.md#records), [it](docs/format.md)"
    expected = "[Format of a store](format.md#records), [it](format.md)"
    assert relinked(text, "README.md", "index.md") == expected


def test_bars_in_code_lose_their_backslash():
    """A bar in inline code loses its backslash; elsewhere the backslash stays."""
    text = "| `a\\|b` | c\\|d |\n\n```\n`a\\|b`\n```\n"
    assert bars_in_code(text) == "| `a|b` | c\\|d |\n\n```\n`a\\|b`\n```\n"


def test_documents_outside_of_docs_have_pages():
    """The documents that become whole pages exist and are found at their paths."""
    assert {place_of(document, "") for document in WHOLE} == set(WHOLE.values())
    assert all((ROOT / document).is_file() for document in WHOLE)


def test_every_page_of_a_dataset_agrees_with_its_spec(spec):
    """A page has each comment that is replaced from the spec, except for unknown archives."""
    text = (ROOT / "docs" / "datasets" / f"{spec.name}.md").read_text(encoding="utf-8")
    words = set(re.findall(r"^<!-- site: (\w+) -->$", text, re.MULTILINE))
    known = any(modality.downloads for modality in spec.modalities)
    assert words == set(GENERATED) - (set() if known else {"downloads"})
    made = "\n".join(GENERATED[word](spec) for word in words)
    assert spec.citation in made
    for modality in spec.modalities:
        assert f"`{modality.option}`" in made
        assert f"`{modality.files}`" in made
        assert f"`{modality.key}`" in made
        assert all(f"`{preset.name}`" in made for preset in modality.presets)
        assert all(download.md5 in made for download in modality.downloads)


def test_bands_that_count_up_are_drawn_together():
    """Long runs of bands are shown by their ends, short ones one by one."""
    bands = ["B1", "B2", "B3", "B4", "B5", "B7", "B8A", "B9", "B10"]
    assert bands_text(bands) == "`B1` to `B5`, `B7`, `B8A`, `B9`, `B10`"
    assert bands_text(["Red", "Green"]) == "`Red`, `Green`"
    assert bands_text(["B04", "B03", "B02"]) == "`B04`, `B03`, `B02`"


def test_reference_has_every_command_and_option():
    """Every command has a heading, and every option that its help shows has a row."""
    page = commands.page()
    context = click.Context(root)
    for name in root.list_commands(context):
        assert re.search(rf"^##+ rico-hdl {re.escape(name)}$", page, re.MULTILINE)
        command = root.get_command(context, name)
        shown = [p for p in command.params if isinstance(p, click.Option) and not p.hidden]
        for option in shown:
            rows = re.findall(rf"^\| .*`{option.opts[0]}\b.* \|$", page, re.MULTILINE)
            assert any(option.help.replace("  [", " [") in row for row in rows), option.opts
    assert "`-h`, `--help`" in page


def test_performance_shows_the_measurements():
    """Each dataset of the benchmark has a bar with the ratio from its table."""
    page = performance.CHARTS["conversion_charts"]()
    (rows, *_) = section_of(ROOT / "benchmarks" / "RESULTS.md", "Time").tables()
    last = {row["dataset"]: row["plain / rico-hdl"] for row in rows}
    for name, ratio in last.items():
        assert f">{name}</text>" in page
        assert f">{ratio.strip('*')} x</text>" in page


def test_results_of_reading_become_charts(monkeypatch):
    """The document that `make bench-read` writes becomes a chart per task and way to read."""
    monkeypatch.setattr(sys, "path", [*sys.path, str(ROOT / "benchmarks")])
    from formats.tables import table as written

    head = ["patches per second", "T1, one process", "T1, two workers"]
    rows = [["**rico-hdl**", "3,000", "20,000"], ["HDF5", "1,000", "-"], ["*copy*", "9,000", "5"]]
    results = {
        "Reading benchmark": "Text.\n\n* **T1**: RGB, (3, 120, 120) `uint16`\n\nMore.",
        "Summary": "\n".join(written([head, *rows], 1)),
    }
    two, charts_two, one, charts_one = performance.reading(results)
    assert (two, one) == ("### Two workers", "### One process")
    assert re.findall(r">([^<>]+)</text>", charts_two) == ["rico-hdl", "20,000", "copy", "5"]
    assert re.findall(r'class="(\w+)" x', charts_one) == ["limit", "ours", "other"]
    assert "T1: RGB, (3, 120, 120) uint16" in charts_one


def test_bars_are_as_long_as_their_values():
    """The longest bar is as wide as the chart, and the others in proportion."""
    text = chart("A & B", [Bar("a<b", 4, "4"), Bar("half", 2, "2")])
    assert re.findall(r'width="([\d.]+%)"', text) == ["100%", "100.00%", "50.00%"]
    assert "A &amp; B" in text
    assert "a&lt;b" in text
    assert "\n\n" not in text


def test_tables_are_read_as_they_are_written():
    """Bars in cells survive."""
    text = table(("a", "b"), [("1|2", "3"), ("", "4")])
    assert read_table(f"before\n\n{text}\n\nafter") == [
        {"a": "1|2", "b": "3"},
        {"a": "", "b": "4"},
    ]


@pytest.mark.parametrize(
    ("name", "text", "n"),
    [
        ("a.html", '<script src="https://example.org/a.js"></script>', 1),
        ("a.html", '<link rel="stylesheet" href="//example.org/a.css">', 1),
        ("a.html", '<a href="https://example.org">there</a><script src="a.js"></script>', 0),
        ("a.css", "@font-face {src: url(https://example.org/a.woff2)}", 1),
        ("a.css", "a {background: url(data:image/png;base64,aaaa)}", 0),
    ],
)
def test_files_loaded_from_other_sites_are_found(tmp_path, name, text, n):
    """Scripts, styles and fonts from other sites are found; links are fine."""
    (tmp_path / name).write_text(text, encoding="utf-8")
    assert len(fetched(tmp_path)) == n
