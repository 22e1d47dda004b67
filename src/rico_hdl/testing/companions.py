"""The other files next to the patches in real releases, which must be skipped.

In: a spec and a modality. Out: file names with their bytes; `rico_hdl.testing.generate` writes
them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from rico_hdl.spec import DatasetSpec, Modality
    from rico_hdl.testing.patches import SamplePatch

Files = dict[str, bytes]
"""Names in the patch's folder, with format fields, and contents."""

COMPANIONS: dict[tuple[str, str], Callable[[], Files]] = {}
"""Functions that return the files next to a patch, by dataset and modality."""


def companions(spec: DatasetSpec, modality: Modality, patch: SamplePatch) -> Files:
    """Paths in the source folder, and contents, of the files next to a patch."""
    make = COMPANIONS.get((spec.name, modality.name), dict)
    files = {name.format(**patch.fields): data for name, data in make().items()}
    return {f"{patch.folder}/{name}".lstrip("/"): data for name, data in files.items()}
