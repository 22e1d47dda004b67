"""Files of statistics: all of them, or what other programs load as means and standard deviations.

In: the statistics of modalities. Out: a JSON file that `load` reads again, a YAML file to copy
into a configuration, or text files with a number in each row, which TerraTorch loads.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np

from rico_hdl.errors import StoreError, UsageError
from rico_hdl.statistics.result import Statistics

SUFFIXES: Final = (".json", ".yaml", ".yml", ".txt")
"""The extensions of files that `save` writes."""


def check_output(path: str | os.PathLike[str]) -> Path:
    """Make sure that `save` can write a file, before the work that gives its contents.

    Raises:
        UsageError: Its extension is unknown, or its folder can't be written to.
    """
    found = Path(path)
    if found.suffix not in SUFFIXES:
        raise UsageError(
            f"{found}: the extension {found.suffix!r} is none of {', '.join(SUFFIXES)}",
            "json is everything, yaml is means and standard deviations, and txt writes two files "
            "for TerraTorch, NAME-means.txt and NAME-stds.txt.",
        )
    if not os.access(found.absolute().parent, os.W_OK) or found.is_dir():
        raise UsageError(f"{found} can't be written", "Give a file in an existing folder.")
    return found


def save(path: str | os.PathLike[str], statistics: Mapping[str, Statistics]) -> list[Path]:
    """Write statistics to a file, or to two for each modality if its extension is ``.txt``.

    Args:
        path: The file: see `SUFFIXES`.
        statistics: The statistics of each modality, by name.

    Returns:
        The files.

    Raises:
        UsageError: The extension is unknown, or the folder can't be written to.
        StoreError: Writing fails.
    """
    found = check_output(path)
    if found.suffix == ".json":
        texts = {found: json.dumps(as_dict(statistics), ensure_ascii=False) + "\n"}
    elif found.suffix == ".txt":
        texts = _rows(found, statistics)
    else:
        texts = {found: _yaml(statistics)}
    for each, text in texts.items():
        unfinished = each.with_name(f".{each.name}.{os.getpid()}")
        try:
            unfinished.write_text(text, encoding="utf-8")
            unfinished.replace(each)
        except OSError as error:
            unfinished.unlink(missing_ok=True)
            raise StoreError(f"{each} can't be written: {error.strerror}") from error
    return list(texts)


def load(path: str | os.PathLike[str]) -> dict[str, Statistics]:
    """The statistics in a JSON file that `save` or ``rico-hdl stats --json`` wrote, by modality.

    Raises:
        UsageError: It can't be read, or holds something else.
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
        found = content["modalities"]
        return {str(name): Statistics.from_dict(each) for name, each in found.items()}
    except OSError as error:
        raise UsageError(f"{path} can't be read: {error.strerror}") from error
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise UsageError(f"{path} holds no statistics: {error!r}") from error
    except UsageError as error:
        raise UsageError(f"{path}: {error.message}") from error


def as_dict(statistics: Mapping[str, Statistics]) -> dict[str, object]:
    """The JSON-ready form of the statistics of modalities."""
    return {"modalities": {name: each.to_dict() for name, each in statistics.items()}}


def _yaml(statistics: Mapping[str, Statistics]) -> str:
    """Bands, means and standard deviations: of the only modality, or by modality.

    Lists and texts are JSON's, which YAML 1.2 includes, so no library is needed.
    """
    fields: dict[str, dict[str, object]] = {"bands": {}, "means": {}, "stds": {}}
    for name, each in statistics.items():
        fields["bands"][name] = list(each.names)
        fields["means"][name] = _plain(each.mean)
        fields["stds"][name] = _plain(each.std)
    lines = []
    for key, by_modality in fields.items():
        if len(by_modality) == 1:
            (value,) = by_modality.values()
            lines.append(f"{key}: {json.dumps(value)}")
        else:
            lines.append(f"{key}:")
            lines += [f"  {json.dumps(name)}: {json.dumps(v)}" for name, v in by_modality.items()]
    return "\n".join(lines) + "\n"


def _plain(numbers: np.ndarray) -> list[float | None]:
    return [None if np.isnan(number) else float(number) for number in numbers]


def _rows(path: Path, statistics: Mapping[str, Statistics]) -> dict[Path, str]:
    """A number in each row, and the band as a comment, as `numpy.genfromtxt` reads it."""
    texts = {}
    for name, each in statistics.items():
        stem = path.stem if len(statistics) == 1 else f"{path.stem}-{name}"
        for what, numbers in {"means": each.mean, "stds": each.std}.items():
            rows = zip(numbers.tolist(), each.names, strict=True)
            texts[path.with_name(f"{stem}-{what}.txt")] = "".join(
                f"{number!r}  # {band}\n" for number, band in rows
            )
    return texts
