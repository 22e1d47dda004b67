"""Comparing an archive with its published MD5 sum.

In: the bytes of an archive, as they are read. Out: a failure if they differ from the published
ones. A sequential archive is hashed while it is converted; an archive that is read out of order is
read once more, in a separate thread during the conversion.
"""

from __future__ import annotations

import hashlib
import os
import threading
from pathlib import Path
from typing import Final

from rico_hdl.sources import Archive
from rico_hdl.sources.files import open_regular
from rico_hdl.spec import Modality
from rico_hdl.values import ArchiveFailure

_CHUNK_BYTES: Final = 4 * 2**20


def published_md5(modality: Modality, archive: Archive) -> str:
    """The published MD5 sum (hex) of an archive; empty if none is known."""
    if len(archive.files) != 1:
        return ""
    name = archive.files[0].name
    return next((d.md5 for d in modality.downloads if d.name == name), "")


class Checksum:
    """The MD5 sum of a file.

    Args:
        path: The file.
        location: The archive's location, for failures.
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
        """Hash the next bytes of the file."""
        self._md5.update(data)

    def read_alongside(self) -> None:
        """Start to read the file in a separate thread, until `failure` or `give_up` is called."""
        self._thread = threading.Thread(target=self._read, name="rico-hdl-md5", daemon=True)
        self._thread.start()

    def _read(self) -> None:
        try:
            with os.fdopen(open_regular(self._path), "rb") as file:
                while not self._stop.is_set() and (chunk := file.read(_CHUNK_BYTES)):
                    self.update(chunk)
        except OSError as error:
            self._error = error

    def give_up(self) -> None:
        """Stop the thread, if there is one, without a result."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def failure(self, modality: str) -> ArchiveFailure | None:
        """The failure to report after the whole file was read; None if the sum is right."""
        if self._thread is not None:
            self._thread.join()
        if self._error is not None:
            reason = f"its MD5 sum can't be computed: {self._error.strerror}"
        elif (found := self._md5.hexdigest()) != self._expected:
            reason = (
                f"its MD5 sum is {found}, expected the published {self._expected}: the archive is "
                "damaged, or another release; download it again"
            )
        else:
            return None
        return ArchiveFailure("checksum", modality, self._location, reason)
