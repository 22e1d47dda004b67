"""The text of a drafted spec, with comments that say where everything is from."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from rico_hdl.drafting.array_facts import ArrayFacts
    from rico_hdl.drafting.drafting import DraftedModality
    from rico_hdl.drafting.sampling import Sample

_WIDTH: Final = 98
_TABLES: Final = frozenset({".csv", ".json", ".geojson", ".parquet", ".txt", ".xlsx", ".tsv"})
_N_TABLES: Final = 5
_N_VALUES: Final = 16


def toml_text(name: str, modalities: Sequence[DraftedModality], sample: Sample) -> str:
    """The text of a spec.

    Args:
        name: The name of the dataset.
        modalities: Its modalities.
        sample: What they were inferred from.
    """
    extent = "all" if sample.is_whole else "a sample of"
    lines = comment(
        f"Drafted by `rico-hdl new` from {extent} the images in {plain(sample.location)}: "
        f"{len(sample.images)} paths, of which {len(_examined(modalities))} were opened. "
        "Comments say what is inferred from what. Lines that start with # DECIDE are for you. "
        "docs/your-dataset.md explains the keys."
    )
    lines += ["", f"name = {quoted(name)}"]
    if tables := _tables(sample):
        lines += comment(
            f"DECIDE: these files may hold labels or splits: {', '.join(tables)}. They are not "
            "converted."
        )
    for modality in modalities:
        lines += ["", *_modality(modality, is_only=len(modalities) == 1)]
    lines += _labels(modalities)
    if sample.problems:
        lines += ["", *comment(f"Not decoded: {'; '.join(map(plain, sample.problems[:3]))}")]
    return "\n".join(lines) + "\n"


def _modality(modality: DraftedModality, *, is_only: bool) -> list[str]:
    draft, files = modality.draft, modality.draft.group.files
    texts = [part for part in _fields(modality) if part != "{band}"]
    array = modality.examined[0].array if modality.examined else None
    texts += [f"{{{name}}}" for name in array.fields] if array is not None else []
    key = "_".join(dict.fromkeys(texts)) + ("" if is_only else f"_{modality.name}")
    n_files = f"{len(files)} file" + ("s" if len(files) > 1 else "")
    lines = ["[[modality]]", f"name = {quoted(modality.name)}"]
    if modality.is_mask:
        lines += [*comment(_mask_reason(modality)), 'role = "mask"']
    of = "" if len(files) == modality.n_patches else f" of {modality.n_patches} patches"
    lines += comment(f"Matches {n_files}{of}, such as {plain(files[0].path)}")
    for note in draft.group.notes:
        lines += comment(f"DECIDE: {plain(note)}")
    lines.append(f"files = {quoted('/'.join(draft.segments))}")
    if draft.patterns:
        rows = ", ".join(f"{name} = {quoted(value)}" for name, value in draft.patterns.items())
        lines += [
            *comment("Files of other modalities have other names."),
            f"patterns = {{{rows}}}",
        ]
    lines.append(f"key = {quoted(key)}")
    lines += _bands(modality)
    lines += _axes(array) if array is not None else []
    if modality.dtype:
        lines.append(f"dtype = {quoted(modality.dtype)}")
    return lines


def _axes(array: ArrayFacts) -> list[str]:
    """The array of an array file, and a guess of its axes."""
    shape = " x ".join(map(str, array.shape))
    fields = ", ".join(array.fields)
    text = f"DECIDE: an array has the shape {shape}; check what its axes are, in order."
    if fields:
        text += f" Each {fields} is a patch; give the axis another name if you like."
    lines = comment(text)
    if array.others:
        shown = ", ".join(map(plain, array.others[:8]))
        lines += comment(
            f"DECIDE: the file also holds {shown}: copy this [[modality]] for those with pixels."
        )
    lines.append(f"axes = [{', '.join(map(quoted, array.axes))}]")
    if array.array:
        lines.append(f"array = {quoted(array.array)}")
    return lines


def _fields(modality: DraftedModality) -> list[str]:
    """The fields of the template as they are written, in order."""
    found = []
    for segment in modality.draft.segments:
        found += [f"{{{part.partition('}')[0]}}}" for part in segment.split("{")[1:]]
    return found


def _bands(modality: DraftedModality) -> list[str]:
    sizes = {facts.shape for facts in modality.examined}
    rows = " or ".join(f"{rows} x {columns}" for rows, columns in sorted(sizes)[:3])
    n = len(modality.bands)
    found = f"{n} band{'s' if n > 1 else ''} of {rows} pixels in {len(modality.examined)} opened"
    if modality.bands_from:
        text = f"{found}; names from {modality.bands_from}."
    else:
        text = f"DECIDE: {found}, without names: replace these by the names of the bands."
    names = [quoted(name) for name in modality.bands]
    line = f"bands = [{', '.join(names)}]"
    if len(line) <= _WIDTH:
        return [*comment(text), line]
    body = textwrap.wrap(", ".join(names) + ",", _WIDTH - 4, break_long_words=False)
    return [*comment(text), "bands = [", *(f"    {row}" for row in body), "]"]


def _mask_reason(modality: DraftedModality) -> str:
    values: set[int] = set()
    for facts in modality.examined:
        values |= facts.values or set()
    shown = ", ".join(map(str, sorted(values)[:_N_VALUES]))
    more = ", …" if len(values) > _N_VALUES else ""
    found = f" (values {shown}{more})" if values else ""
    return (
        f"One band of integers{found}, taken for a mask. DECIDE: if it is one, "
        'list its classes = ["…"] by value from 0 on, and the value to ignore = 255; if not, '
        "remove the role."
    )


def _labels(modalities: Sequence[DraftedModality]) -> list[str]:
    draft = next((one.draft for one in modalities if one.draft.class_field), None)
    if draft is None:
        return []
    values = sorted(set(draft.fields[draft.class_field]))
    shown = ", ".join(values[:6]) + (", …" if len(values) > 6 else "")
    lines = comment(
        f"DECIDE: folders are called like classes: {plain(shown)} ({len(values)} in the sample). "
        "Remove this table if they are none."
    )
    if any(one.is_mask for one in modalities):
        return ["", *lines, "# [labels]", f'# field = "{draft.class_field}"']
    return ["", *lines, "[labels]", f'field = "{draft.class_field}"']


def _tables(sample: Sample) -> list[str]:
    """The names of files that may be tables, once for each folder with many."""
    paths = [p for p in sample.others if PurePosixPath(p).suffix.lower() in _TABLES]
    found = {PurePosixPath(path).name: plain(path) for path in sorted(paths, key=len)}
    texts = list(found.values())[:_N_TABLES]
    return [*texts, "…"] if len(found) > _N_TABLES else texts


def _examined(modalities: Iterable[DraftedModality]) -> list[object]:
    return [facts for modality in modalities for facts in modality.examined]


def comment(text: str) -> list[str]:
    """A text as lines of comment."""
    return [f"# {line}" for line in textwrap.wrap(text, _WIDTH - 2, break_on_hyphens=False)]


def plain(text: str) -> str:
    """A text without characters that a comment can't have."""
    return "".join(c if c.isprintable() else "?" for c in text)


def quoted(text: str) -> str:
    """A TOML string; JSON's escapes are valid there."""
    return json.dumps(text, ensure_ascii=False)
