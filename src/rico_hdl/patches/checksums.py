"""Comparing an archive with the MD5 sum that its publisher states.

In: the bytes of an archive, as they are read. Out: a failure if they are not what was published. An
archive that is read from its beginning to its end anyway is not read again for it; one that is read
here and there is read once more, in a thread beside the conversion.
"""

from __future__ import annotations

import hashlib
import threading
from pathlib import Path
from typing import Final

from rico_hdl.sources import Archive
from rico_hdl.spec import Modality
from rico_hdl.values import ArchiveFailure

_CHUNK_BYTES: Final = 4 * 2**20


def published_md5(modality: Modality, archive: Archive) -> str:
    """The MD5 sum (hex) that is published for an archive; empty if none is known."""
    if len(archive.files) != 1:
        return ""
    name = archive.files[0].name
    return next((d.md5 for d in modality.downloads if d.name == name), "")


class Checksum:
    """The MD5 sum of a file.

    Args:
        path: The file.
        location: The archive's location, which failures name.
        expected: The published sum.
    """

    def __init__(self, path: Path, location: str, expected: str) -> None:
        self._path = path
        self._location = location
        self._expected = expected
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._stop = threading.Event()
        self._error: OSError | None = None
        self._thread: threading.Thread | None = None

    def update(self, data: bytes) -> None:
        """Take the next bytes of the file."""
        self._md5.update(data)

    def read_alongside(self) -> None:
        """Begin to read the file in a thread of its own; ended by `failure` or `give_up`."""
        self._thread = threading.Thread(target=self._read, name="rico-hdl-md5", daemon=True)
        self._thread.start()

    def _read(self) -> None:
        try:
            with self._path.open("rb") as file:
                while not self._stop.is_set() and (chunk := file.read(_CHUNK_BYTES)):
                    self.update(chunk)
        except OSError as error:
            self._error = error

    def give_up(self) -> None:
        """End the thread, if there is one, without a verdict."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def failure(self, modality: str) -> ArchiveFailure | None:
        """What is wrong with the file, once all of it was read; None if nothing is."""
        if self._thread is not None:
            self._thread.join()
        if self._error is not None:
            reason = f"its MD5 sum can't be computed: {self._error.strerror}"
        elif (found := self._md5.hexdigest()) != self._expected:
            reason = (
                f"its MD5 sum is {found}, expected {self._expected} as published: it is damaged, "
                "or another release; download it again"
            )
        else:
            return None
        return ArchiveFailure("checksum", modality, self._location, reason)
