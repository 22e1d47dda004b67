"""Reading Markdown files as data: sections, code blocks, tables, trees, links.

In: the repository's documents. Out: values that tests compare with the program, and a function that
runs a document's code as a reader would.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

import corpus
from corpus.archives import publish
from rico_hdl.datasets import registry

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
DOCS = ROOT / "docs"
DATASETS = DOCS / "datasets"
FOLDERS = (ROOT, DOCS, DATASETS, ROOT / "benchmarks", ROOT / "packaging" / "appimage")
DOCUMENTS = sorted(path for folder in FOLDERS for path in folder.glob("*.md"))

_ARCHIVE = re.compile(r"\.(tar|zip|parquet)\b")
_SKIP = re.compile(r"<!-- skip: (.+) -->")
_NEEDS = re.compile(r"needs (\w+)")


@dataclass(frozen=True)
class Block:
    """A fenced code block."""

    language: str
    """The word after the opening fence, such as ``python``."""
    text: str
    """Its lines, without the fences."""
    line: int
    """One-based line of its opening fence."""
    skip: str | None
    """The reason for not running it, from an HTML comment before the fence."""

    @property
    def needs(self) -> str | None:
        """The module that it needs; it runs only if that module is installed."""
        match = _NEEDS.fullmatch(self.skip or "")
        return match[1] if match else None

    @property
    def commands(self) -> list[list[str]]:
        """The ``rico-hdl`` commands of a shell block, split into arguments."""
        if self.language == "console":
            return [shlex.split(command) for command, _ in self.shown]
        if self.language != "bash":
            return []
        lines = self.text.replace("\\\n", " ").splitlines()
        return [shlex.split(line) for line in lines if line.startswith("rico-hdl")]

    @property
    def shown(self) -> list[tuple[str, str]]:
        """The commands after ``$`` in a console block, each with the output shown below it."""
        if self.language != "console":
            return []
        found = re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", self.text, re.MULTILINE)
        assert "".join(f"$ {command}\n{output}" for command, output in found) == self.text
        return found

    @property
    def can_run(self) -> bool:
        """Whether it contains code that a test can run."""
        if self.skip and not self.needs:
            return False
        return self.language == "python" or bool(self.commands)


@dataclass
class Section:
    """A heading and the text below it, up to the next heading of any level."""

    document: Path
    """The file."""
    title: str
    """The heading's text."""
    level: int
    """1 for ``#``."""
    lines: list[str] = field(default_factory=list)
    """The lines below the heading, including code."""
    blocks: list[Block] = field(default_factory=list)
    """The code blocks."""

    @property
    def text(self) -> str:
        """The text below the heading."""
        return "\n".join(self.lines)

    def tables(self) -> list[list[dict[str, str]]]:
        """Its tables: for each row, the cells by column heading, without backquotes."""
        rows = [
            [cell.strip().replace("`", "") for cell in re.split(r"(?<!\\)\|", line.strip("|"))]
            if line.startswith("|")
            else None
            for line in [*self.lines, ""]
        ]
        found, current = [], []
        for row in rows:
            if row is not None:
                current.append([cell.replace("\\|", "|") for cell in row])
            elif current:
                header, _, *body = current
                found.append([dict(zip(header, cells, strict=True)) for cells in body])
                current = []
        return found


def sections(document: Path) -> list[Section]:
    """The sections of a document, in order."""
    found = [Section(document, "", 0)]
    skip: str | None = None
    fence: tuple[int, list[str]] | None = None
    for number, line in enumerate(document.read_text(encoding="utf-8").splitlines(), 1):
        heading = re.match(r"(#+) (.*)", line) if fence is None else None
        if heading:
            found.append(Section(document, heading[2].replace("`", ""), len(heading[1])))
            continue
        found[-1].lines.append(line)
        if not line.startswith("```"):
            if fence is not None:
                fence[1].append(line)
            elif line.strip():
                match = _SKIP.match(line)
                skip = match[1] if match else None
        elif fence is None:
            fence = (number, [])
            language = line.removeprefix("```")
        else:
            text = "\n".join(fence[1]) + "\n"
            found[-1].blocks.append(Block(language, text, fence[0], skip))
            fence = skip = None
    return found


def section(document: Path, title: str) -> Section:
    """The section with that heading."""
    (found,) = [section for section in sections(document) if section.title == title]
    return found


def merged(parts: Iterable[Section]) -> Section:
    """Sections of one document, merged into one."""
    first, *others = parts
    whole = Section(first.document, first.title, first.level, [*first.lines], [*first.blocks])
    for part in others:
        whole.lines += part.lines
        whole.blocks += part.blocks
    return whole


def anchors(document: Path) -> set[str]:
    """The anchors of a document's headings, by the rule that code hosts share."""
    found: set[str] = set()
    for heading in sections(document)[1:]:
        kept = re.sub(r"[^\w\- ]", "", heading.title.lower()).replace(" ", "-")
        n = 0
        while (anchor := f"{kept}-{n}" if n else kept) in found:
            n += 1
        found.add(anchor)
    return found


def links(document: Path) -> list[str]:
    """The targets of a document's links outside code."""
    text = re.sub(r"```.*?```|`[^`\n]*`", "", document.read_text(encoding="utf-8"), flags=re.DOTALL)
    return re.findall(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)", text)


def tree_files(text: str) -> dict[str, str]:
    """The files of an indented tree, each with the comment after ``#``, if any.

    Two spaces make a level, and folders end in ``/``.
    """
    files: dict[str, str] = {}
    folders: list[str] = []
    for line in text.splitlines():
        name, _, remark = line.strip().partition("  # ")
        folders[(len(line) - len(line.lstrip())) // 2 :] = []
        if name.endswith("/"):
            folders.append(name)
        elif name != "…":
            files["".join(folders) + name] = remark
    return files


@dataclass(frozen=True)
class Ran:
    """A finished command."""

    arguments: list[str]
    """Its arguments."""
    stdout: str
    """Its output."""
    stderr: str
    """Its messages."""


def run_section(section: Section, folder: Path, n_patches: int = 2) -> list[Ran]:
    """Run a section's code in order, in a folder with the datasets that it uses.

    Commands and Python blocks run unchanged, as real processes, and must end with exit status 0.
    They must print the text of the comments after ``print`` calls, and the output below the
    commands of console blocks.

    Returns:
        The commands, in order.
    """
    code = " ".join(block.text for block in section.blocks if block.can_run)
    for name, spec in registry().items():
        if re.search(rf"\b{name}(?![\w-])", code):
            sources = corpus.generate(spec, folder, n_patches)
            if _ARCHIVE.search(code):
                publish(spec, sources, folder)
    ran = []
    for block in section.blocks:
        if not block.can_run:
            continue
        for i, command in enumerate(block.commands):
            done = run_command(command, folder, block)
            ran.append(Ran(command, done.stdout, done.stderr))
            if block.shown:
                _, expected = block.shown[i]
                assert steady(done.stdout, folder) == steady(expected), f"line {block.line}"
        if block.language == "python" and (block.needs is None or find_spec(block.needs)):
            script = folder / f"line_{block.line}.py"
            script.write_text(block.text, encoding="utf-8")
            # Warnings fail, except in blocks that need other libraries, which may warn themselves.
            strict = ["-W", "error"] if block.needs is None else []
            printed = run_command([sys.executable, *strict, script.name], folder, block).stdout
            expected = re.findall(r"print\(.*\)  # (.*)", block.text)
            assert printed.splitlines() == expected, f"line {block.line} prints {printed!r}"
    return ran


def steady(output: str, folder: Path | None = None) -> str:
    """An output without the parts that differ between runs: times, rates, folder, version."""
    text = output if folder is None else output.replace(str(folder), "/data")
    text = re.sub(r"rico-hdl \d+\.\d+\.\d+(\.dev\d+)?", "rico-hdl …", text)
    return re.sub(r"in [\d.]+ s \([\d.]+ [kMGT]?B/s\)", "in … s (… B/s)", text)


def run_command(command: list[str], folder: Path, block: Block) -> subprocess.CompletedProcess[str]:
    """Run a command with the ``rico-hdl`` of this interpreter's environment."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        command, cwd=folder, env=os.environ | {"PATH": path},
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, f"line {block.line}: {command}\n{done.stdout}{done.stderr}"
    return done
