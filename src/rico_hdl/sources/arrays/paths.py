"""The names of arrays in a file, of which some parts are fields."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rico_hdl.spec.model import BAND_FIELD
from rico_hdl.spec.template import Template


def path_template(path: str) -> Template | None:
    """The path of an array as a template, without its bands; None if it has no other fields."""
    template = Template.parse(path) if "{" in path else None
    if template is None or set(template.fields) <= {BAND_FIELD}:
        return None
    return template


def filled(path: str, values: dict[str, str], token: str = "") -> str:
    """The path of an array, given the values of its fields and the token of its band."""
    return Template.parse(path).format({**values, BAND_FIELD: token}) if "{" in path else path


def places_among(names: Iterable[str], path: str) -> Iterator[dict[str, str]]:
    """The values of a path's fields that some names match, each once, in the order of the names.

    Args:
        names: The paths of all arrays.
        path: The path of an array, with fields.
    """
    template = path_template(path)
    if template is None:
        yield {}
        return
    met = set()
    for name in names:
        values = template.match(name)
        if values is None:
            continue
        values.pop(BAND_FIELD, None)
        place = tuple(values.items())
        if place not in met:
            met.add(place)
            yield values
