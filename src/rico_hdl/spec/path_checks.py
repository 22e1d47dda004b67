"""Checks of the templates of a modality."""

from __future__ import annotations

from rico_hdl.errors import SpecError
from rico_hdl.spec.bands import BAND_FIELDS
from rico_hdl.spec.template import Template


def check_key(modality: str, files: Template, key: Template) -> None:
    """Check that paths give every field of a key.

    Args:
        modality: The modality's name.
        files: The template of its files.
        key: That of its keys.

    Raises:
        SpecError: The key has a field that paths lack, or one of bands, or one that spans folders.
    """
    usable = [name for name in files.fields if name not in BAND_FIELDS]
    if not set(key.fields) <= set(usable):
        raise SpecError(
            f"modality {modality!r}: key {key} needs fields that {files} lacks",
            f"Fields that can be used: {', '.join(usable)}.",
        )
    if spanning := key.span or (files.span if files.span in key.fields else ""):
        # The check that keys of modalities differ is for fields without a slash.
        raise SpecError(
            f"modality {modality!r}: key {key} has the field {spanning}, which spans folders",
            "Make keys of the other fields; this one may be the field of labels.",
        )


def check_first_folder(modality: str, files: Template) -> None:
    """Check that archives can be called like the first folder of a template.

    Raises:
        SpecError: There is no folder, or its name is always the same, a band's, or of any depth.
    """
    first = files.segments[0].fields
    if len(files.segments) == 1 or not first or first & {*BAND_FIELDS, files.span}:
        raise SpecError(
            f"modality {modality!r}: archives can't be called like the first folder of {files}",
            "Begin the template with a folder that has a field, such as {country}/{id}.tif.",
        )
