"""`make site` builds a site that needs no network, and refuses broken pages."""

import os
import re
import subprocess
from shutil import copy, copytree

import pytest

import rico_hdl
import rico_hdl.labels
from tests.support.documents import ROOT

PYTHON = ROOT / ".venv-docs" / "bin" / "python"
pytestmark = pytest.mark.skipif(not PYTHON.exists(), reason="mkdocs is not installed: make site")


@pytest.fixture
def repository(tmp_path):
    """A copy of the site's sources, which a test may change."""
    for name in ("docs", "website", "benchmarks", "examples", "packaging", "requirements"):
        copytree(ROOT / name, tmp_path / name)
    for path in [*ROOT.glob("*.md"), ROOT / "mkdocs.yml", ROOT / "LICENSE"]:
        copy(path, tmp_path)
    (tmp_path / "src").symlink_to(ROOT / "src")
    return tmp_path


def build(folder):
    """Build the site as `make site` does."""
    return subprocess.run(
        [PYTHON, "-m", "mkdocs", "build"], cwd=folder,
        env=os.environ | {"PYTHONPATH": "src", "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_site_is_built(repository):
    """Measurements have charts, public names have a reference, and no placeholder is left."""
    done = build(repository)
    assert done.returncode == 0, done.stderr
    site = repository / "build" / "site"
    assert (site / "results-read.html").exists()
    performance = (site / "performance.html").read_text(encoding="utf-8")
    assert "Two workers" in performance
    for module in (rico_hdl, rico_hdl.labels):
        page = (site / "api" / f"{module.__name__}.html").read_text(encoding="utf-8")
        names = [name for name in module.__all__ if not name.startswith("__")]
        missing = [name for name in names if f'id="{module.__name__}.{name}"' not in page]
        assert missing == []
    for path in site.rglob("*.html"):
        assert not re.search(r"<!-- (site|skip):", path.read_text(encoding="utf-8")), path


def test_search_and_styles_are_in_the_site(repository):
    """Every file that pages load exists, and search works on pages opened as files."""
    assert build(repository).returncode == 0
    site = repository / "build" / "site"
    text = (site / "index.html").read_text(encoding="utf-8")
    loaded = re.findall(r'<(?:script|link)\b[^>]*\b(?:src|href)="([^"#]+)"', text)
    assert len(loaded) > 4
    missing = [path for path in loaded if not (site / path.partition("?")[0]).is_file()]
    assert missing == []
    assert "assets/iframe-worker.js" in loaded
    index = (site / "search" / "search_index.js").read_text(encoding="utf-8")
    assert "Copy a store to a local disk" in index


@pytest.mark.parametrize(
    ("spoiled", "named"),
    [
        ("[a page](nowhere.md)", "nowhere.md"),
        ("[a heading](format.md#nowhere)", "#nowhere"),
        ("[a file](../nowhere.py)", "nowhere.py"),
        ('<img src="https://example.org/a.png">', "https://example.org/a.png"),
    ],
)
def test_broken_pages_fail(repository, spoiled, named):
    """A broken link or anchor, or a file loaded from another site, fails the build."""
    with (repository / "docs" / "why.md").open("a", encoding="utf-8") as file:
        file.write(f"\n{spoiled}\n")
    done = build(repository)
    assert done.returncode == 1
    assert named in done.stderr
