"""Progress of a conversion or a verification, reported while it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rico_hdl.values import Failure

if TYPE_CHECKING:
    from rico_hdl.patches.folders import Plan  # the parent of an isolated verification needs none


class Observer:
    """Receives progress; override the methods you need.

    An object of any other class works, too, if it has some of these methods. All calls come from
    the thread that called `rico_hdl.convert`, `rico_hdl.verify` or
    `rico_hdl.compare_with_sources`.
    """

    def on_plan(self, plan: Plan) -> None:
        """The patches in folders are known; nothing has been written yet.

        Args:
            plan: Its ``n_patches`` maps the name of each modality that is read from a folder to the
                number of patches found. The number of patches in an archive is unknown until the
                archive has been read to its end.
        """

    def on_start(self, n_records: int) -> None:
        """A verification is about to read this many records."""

    def on_archive(self, modality: str, location: str, n_bytes_read: int, n_bytes: int) -> None:
        """An archive is being read: called several times a second and once at its end.

        Args:
            modality: The modality's name.
            location: The path of the archive.
            n_bytes_read: Bytes of its files read so far.
            n_bytes: Total bytes of its files.
        """

    def on_patches(self, modality: str, n_patches: int, n_bytes: int) -> None:
        """Patches were stored, or turned out to be stored already.

        Args:
            modality: The modality's name.
            n_patches: Patches since the last call.
            n_bytes: Bytes of their records; 0 for patches that were stored already.
        """

    def on_records(self, n_records: int, n_bytes: int) -> None:
        """A verification has read records.

        Args:
            n_records: Records since the last call.
            n_bytes: Their bytes.
        """

    def on_failure(self, failure: Failure) -> None:
        """A patch was left out, or an archive can't be trusted."""

    def on_warning(self, message: str) -> None:
        """Something is unusual; the conversion goes on."""


def observing(observer: object | None) -> Observer:
    """An `Observer` that forwards calls to an object with any of its methods."""
    if isinstance(observer, Observer):
        return observer
    found = Observer()
    for name in vars(Observer):
        if name.startswith("on_") and hasattr(observer, name):
            setattr(found, name, getattr(observer, name))
    return found
