"""The generated parts of a dataset's page.

In: a spec. Out: Markdown tables. Everything else on the page, such as the tree of files, is written
by hand.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final

from rico_hdl.spec import DatasetSpec, Modality
from website.tables import code, table


def facts(spec: DatasetSpec) -> str:
    """The publication to cite, the command, and a row for each modality."""
    rows = [
        (
            code(m.name),
            m.title,
            code(m.option),
            f"{m.n_published:,}" if m.n_published else "not stated",
        )
        for m in spec.modalities
    ]
    head = ("modality", "content", "option", "published patches")
    return f"Cite: {spec.citation}\n\nCommand: `rico-hdl {spec.name}`\n\n{table(head, rows)}"


def downloads(spec: DatasetSpec) -> str:
    """The names by which archives are found, and their published checksums."""
    rows = [
        (code(download.name), code(m.name), code(download.md5) if download.md5 else "unknown")
        for m in spec.modalities
        for download in m.downloads
    ]
    about = "Archives are found by these names. `--check-archives` compares them with these sums:"
    return f"{about}\n\n{table(('archive', 'modality', 'MD5'), rows)}"


def names(spec: DatasetSpec) -> str:
    """How keys follow from paths, and the names by which readers find bands."""
    paths = [(code(m.name), code(str(m.files)), code(str(m.key))) for m in spec.modalities]
    about = "Keys are built from the names of folders and files:"
    parts = [f"{about}\n\n{table(('modality', 'files', 'key'), paths)}", _presets(spec)]
    return "\n\n".join(filter(None, [*parts, *map(_aliases, spec.modalities)]))


def _presets(spec: DatasetSpec) -> str:
    rows = [
        (code(preset.name), code(m.name), bands_text(preset.bands))
        for m in spec.modalities
        for preset in m.presets
    ]
    if not rows:
        return ""
    about = "[Readers](../reading.md#presets) also find bands by these names:"
    return f"{about}\n\n{table(('preset', 'modality', 'bands, in this order'), rows)}"


def _aliases(modality: Modality) -> str:
    also = [
        f"`{band.name}` as {', '.join(map(code, band.aliases))}"
        for band in modality.bands
        if band.aliases
    ]
    return f"In `{modality.name}`, `rico_hdl` also finds {', '.join(also)}." if also else ""


def bands_text(names: Sequence[str]) -> str:
    """Names in a row, with numbers that count up by one drawn together: ``B1 to B126``."""
    runs: list[list[str]] = []
    for name in names:
        if runs and _follows(runs[-1][-1], name):
            runs[-1].append(name)
        else:
            runs.append([name])
    shown = [
        f"{code(run[0])} to {code(run[-1])}" if len(run) > 4 else ", ".join(map(code, run))
        for run in runs
    ]
    return ", ".join(shown)


def _follows(before: str, name: str) -> bool:
    """Whether a name is the previous one with its number increased by one."""
    pair = [re.fullmatch(r"([A-Za-z]+)(\d+)", part) for part in (before, name)]
    if pair[0] is None or pair[1] is None:
        return False
    return pair[0][1] == pair[1][1] and int(pair[0][2]) + 1 == int(pair[1][2])


GENERATED: Final[dict[str, Callable[[DatasetSpec], str]]] = {
    "downloads": downloads,
    "facts": facts,
    "names": names,
}
"""By the word in the comment ``<!-- site: WORD -->`` that it replaces."""
