"""The names and sizes of sample patches, derived from a modality's example.

In: a spec and a modality. Out: patches that its templates match, spread over several folders. It
touches no file system.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rico_hdl.spec import Band, BandFile, DatasetSpec, Modality

_N_FOLDERS: Final = 4
"""Number of distinct values of every field except the last, unless names are listed below."""

NAMES: dict[tuple[str, str], tuple[str, ...]] = {}
"""Values of fields that are names, not numbers, by dataset and field."""
USUAL_SHAPES: dict[tuple[str, str], Mapping[str, tuple[int, int]]] = {}
"""Usual (rows, columns) by dataset, modality and band, if the spec states none."""
DEVIATIONS: dict[tuple[str, str], tuple[int, tuple[int, int], tuple[int, int]]] = {}
"""Patches of other sizes, by dataset and modality: one in each period of patches. Period, nominal
shape, deviating shape."""
_DEFAULT_SHAPE: Final = (64, 64)

_LAST_DIGITS: Final = re.compile(r"[0-9]+(?=[^0-9]*\Z)")

N_TIMES: Final = 4
"""Patches per location in a Zarr store: one per time."""
_N_LOCATIONS: Final = 246_144
_STEP: Final = 60_577  # coprime to the number above, so no location occurs twice


@dataclass(frozen=True, slots=True)
class SamplePatch:
    """One sample patch of a modality."""

    number: int
    """Zero-based position in the order of generation."""
    key: str
    """Its key in the store."""
    fields: dict[str, str]
    """The values of the template's fields, without the band."""
    folder: str
    """The folder of its first file, relative to the source folder, with ``/``; may be empty."""
    files: tuple[str, ...]
    """Its files, relative to the source folder, in the order of the modality's ``band_files``."""


def patches(spec: DatasetSpec, modality: Modality, n: int) -> list[SamplePatch]:
    """The first `n` sample patches; the same ones begin any longer list.

    The example's fields are varied: numbers count up and keep their width, the last run of digits
    varies in other values, and a value that begins with another one (a patch named after its scene)
    continues to do so. All fields except the last one repeat, so folders hold several patches. All
    times of a location in a Zarr store come together; the locations are not sorted, as in the
    published stores.

    Raises:
        ValueError: The example does not match the modality's templates, or the keys are not unique.
    """
    if modality.arrays is not None:
        return [_patch_in_store(spec, modality, number) for number in range(n)]
    found = [_patch(spec, modality, number, spread=True) for number in range(n)]
    if len({patch.key for patch in found}) < n:
        # The key omits fields: count in all of them.
        found = [_patch(spec, modality, number, spread=False) for number in range(n)]
    if len({patch.key for patch in found}) < n:
        raise ValueError(f"{spec.name} {modality.name}: {modality.key} does not give unique keys")
    return found


def shape_of(spec: DatasetSpec, modality: Modality, band: Band, number: int) -> tuple[int, int]:
    """The (rows, columns) of one band of the patch with that zero-based number."""
    place = (spec.name, modality.name)
    shape = band.shape or USUAL_SHAPES.get(place, {}).get(band.name, _DEFAULT_SHAPE)
    period, nominal, deviating = DEVIATIONS.get(place, (1, None, shape))
    # The second patch of each period, so that small samples hold both sizes.
    return deviating if shape == nominal and number % period == 1 else shape


def _patch(spec: DatasetSpec, modality: Modality, number: int, *, spread: bool) -> SamplePatch:
    example = _fields_of_example(spec, modality)
    n_above = modality.example.count("/") - modality.files.format(example).count("/")
    above = modality.example.split("/")[:n_above]
    # Folders above the template's own vary too if they are numbered (a scene, not "images").
    free = {f"above {i}": name for i, name in enumerate(above) if _LAST_DIGITS.search(name)}
    old = free | {name: example[name] for name in modality.patch_fields}
    new: dict[str, str] = {}
    rest = number
    for i, (name, value) in enumerate(old.items()):
        names = NAMES.get((spec.name, name), ())
        fan = len(names) or _N_FOLDERS
        step = number if not spread else rest if i == len(old) - 1 else rest % fan
        rest //= fan
        new[name] = names[step % fan] if names else _varied(value, step, old, new)
    folders = [new.get(f"above {i}", name) for i, name in enumerate(above)]
    fields = {name: new[name] for name in modality.patch_fields}
    files = tuple(
        "/".join([*folders, modality.files.format(fields | _bands_of(file, number))])
        for file in modality.band_files
    )
    for path in files:
        if modality.fields_of(path) != fields:
            raise ValueError(f"{spec.name} {modality.name}: {path} does not give back {fields}")
    folder = files[0].rpartition("/")[0]
    return SamplePatch(number, modality.key.format(fields), fields, folder, files)


def _bands_of(file: BandFile, number: int) -> dict[str, str]:
    """The fields of bands in a file's path; patches take turns with its spellings."""
    return {"band": file.tokens[number % len(file.tokens)], "band_folder": file.folder}


def _patch_in_store(spec: DatasetSpec, modality: Modality, number: int) -> SamplePatch:
    example = _fields_of_example(spec, modality)
    location, time = divmod(number, N_TIMES)
    place = (int(example["location"]) + location * _STEP) % _N_LOCATIONS
    fields = {"location": f"{place:0{len(example['location'])}}", "time": str(time)}
    files = tuple(modality.files.format({**fields, "band": b.token}) for b in modality.bands)
    folder = files[0].rpartition("/")[0]
    return SamplePatch(number, modality.key.format(fields), fields, folder, files)


def _fields_of_example(spec: DatasetSpec, modality: Modality) -> dict[str, str]:
    found = modality.paths.match(modality.example)
    if found is None:
        raise ValueError(
            f"{spec.name} {modality.name}: {modality.files} does not match its example"
        )
    return found


def _varied(value: str, step: int, old: Mapping[str, str], new: Mapping[str, str]) -> str:
    """The value `step` positions after `value`."""
    if value.isdigit():
        return _counted(value, step)
    # The longest earlier value that this one begins with, if it is a name and not a number.
    stems = [name for name in new if value.startswith(old[name]) and not old[name].isdigit()]
    if stems:
        stem = max(stems, key=lambda name: len(old[name]))
        return new[stem] + _counted(value.removeprefix(old[stem]), step)
    return _counted(value, step)


def _counted(text: str, step: int) -> str:
    """`text` with `step` added to its last number, or with letters appended if it has none."""
    match = _LAST_DIGITS.search(text)
    if match is None:
        # Letters, not digits: a number may follow in the template.
        return text + ("".join("abcdefghij"[int(digit)] for digit in str(step)) if step else "")
    count = str(int(match[0]) + step).zfill(len(match[0]))
    return text[: match.start()] + count + text[match.end() :]
