"""What the files of a patch say beyond pixels, gathered while they are decoded.

In: the bytes of TIFF files. Out: their tags, which are stored next to the records. Files of other
formats say nothing of this kind: JPEG and PNG have no georeferencing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rico_hdl.decoding.formats import TIFF, format_of
from rico_hdl.decoding.geotags import FileTags, KeptTags, Learned, TagKeeper, kept
from rico_hdl.spec.times import forms_in, time_in

if TYPE_CHECKING:
    from rico_hdl.spec import Modality
    from rico_hdl.values import Patch


def has_tags(modality: Modality) -> bool:
    """Whether a modality's files are TIFF files."""
    return modality.arrays is None and format_of(str(modality.files)) is TIFF


class PatchTags:
    """Gathers the tags of a modality's patches; may be shared by threads.

    Args:
        modality: The modality.
        n_files: The number of files of each patch.
    """

    def __init__(self, modality: Modality, n_files: int) -> None:
        self._learned = Learned()
        self._keepers: list[TagKeeper] = []
        if has_tags(modality):
            self._keepers = [TagKeeper(self._learned) for _ in range(n_files)]
        example = modality.files.match(modality.example)
        self._key_forms = forms_in([modality.key.format(example)] if example else [])
        self._path_forms = forms_in([modality.example])
        self._looks_at_path = {*modality.patch_fields} > {*modality.key.fields}

    def begin(self) -> Gathered:
        """Begin with the first file of a patch."""
        return Gathered(self._keepers, self._learned)

    def time(self, patch: Patch) -> int | None:
        """The time that the path of a patch's files tells, if its key lacks a field of the path.

        It is in milliseconds since 1970, in UTC; None if the path tells none, or the key does.
        """
        if not self._looks_at_path:
            return None
        if time_in(patch.key, self._key_forms) is not None:
            self._looks_at_path = False  # the keys of a modality have one form
            return None
        return time_in(patch.paths[0], self._path_forms)


class Gathered:
    """The tags of one patch, file by file."""

    __slots__ = ("_found", "_keepers", "_learned", "_n_before")

    def __init__(self, keepers: list[TagKeeper], learned: Learned) -> None:
        self._keepers = keepers
        self._learned = learned
        self._n_before = learned.n_bytes
        self._found: list[tuple[FileTags, bytes]] = []

    def add(self, data: bytes) -> None:
        """Take the next file, which was decoded before: it is a TIFF file."""
        if self._keepers:
            self._found.append(self._keepers[len(self._found)].keep(data))

    def result(self) -> KeptTags | None:
        """The tags of all files; None if some were not TIFF files."""
        if not self._found or len(self._found) != len(self._keepers):
            return None
        return kept(self._found, self._learned.n_bytes - self._n_before)
