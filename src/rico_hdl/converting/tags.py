"""What the files of a patch say beyond pixels, gathered while they are decoded.

In: the bytes of TIFF files. Out: their tags, which are stored next to the records. Files of other
formats say nothing of this kind: JPEG and PNG have no georeferencing.
"""

from __future__ import annotations

from collections.abc import Callable
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
        self._n_reported = 0
        self.keepers: list[Callable[[bytes], tuple[FileTags, bytes]]] = []
        """For each file of a patch, a function that returns what it says; none if files of this
        modality say nothing."""
        if has_tags(modality):
            self.keepers = [TagKeeper(self._learned).keep for _ in range(n_files)]
        example = modality.files.match(modality.example)
        self._key_forms = forms_in([modality.key.format(example)] if example else [])
        self._path_forms = forms_in([modality.example])
        self._looks_at_path = {*modality.patch_fields} > {*modality.key.fields}

    def kept(self, found: list[tuple[FileTags, bytes]]) -> KeptTags | None:
        """The tags of a patch; None if some of its files were not TIFF files.

        Args:
            found: What `keepers` said about each of its files.
        """
        if not found or len(found) != len(self.keepers):
            return None
        n_new_bytes = self._learned.n_bytes - self._n_reported
        if n_new_bytes:
            self._n_reported += n_new_bytes
        return kept(found, n_new_bytes)

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
