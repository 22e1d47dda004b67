"""Recognising an LMDB that is not a store: its values are no records.

In: a target folder. Out: an error that says what the values look like. Other tools keep pickles,
images or tensors in an LMDB. A few values are read, and nothing is written.
"""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path
from typing import Final

from rico_hdl.decoding.foreign import HEAD_BYTES, foreign_form
from rico_hdl.errors import RecordError, StoreError
from rico_hdl.record import parse
from rico_hdl.store.pages import Pages
from rico_hdl.store.target import DATA_NAME, is_ours

_N_VALUES: Final = 8
"""How many values are examined to find out whether an LMDB holds records."""
_LOOKS: Final = (
    (re.compile(rb"\x80[\x02-\x05]"), "Python pickles"),  # PROTO, as in pickletools
    (re.compile(rb"\x93NUMPY"), "numpy arrays (.npy)"),
    (re.compile(rb"PK\x03\x04"), "zip files, such as .npz or those of torch.save"),
)


def check_store(folder: Path) -> None:
    """Check that a folder has a store.

    Raises:
        StoreError: It is no folder, or there is no store, or an LMDB of something else.
    """
    if not (folder / DATA_NAME).is_file():
        hint = "Name the folder of a store."
        what = f"there is no {DATA_NAME}" if folder.is_dir() else "no such folder"
        if folder.is_file():
            what = "is a file, expected the folder of a store"
            hint = f"Give its folder: {folder.parent}" if folder.name == DATA_NAME else hint
        raise StoreError(f"{folder}: {what}", hint)
    check_values(folder)


def check_values(folder: Path) -> None:
    """Check that an LMDB without notes of rico-hdl has at least some records, if it has values.

    Only a sample is examined. A file that can't be read is left to its reader.

    Raises:
        StoreError: No value of the sample is a record.
    """
    if is_ours(folder) or not (folder / DATA_NAME).is_file():
        return
    first = b""
    try:
        pages = Pages(folder)
        for _, (start, stop) in pages.sample(_N_VALUES):
            with memoryview(pages.data)[start:stop] as value:
                first = first or bytes(value[:HEAD_BYTES])
                with suppress(RecordError):
                    parse(value)
                    return
    except StoreError:
        return
    if first:
        raise StoreError(
            f"{folder} is not a store of rico-hdl: its values are not safetensors, they "
            f"{_look_of(first)}",
            "An LMDB of another form can't be read: convert the dataset's files into a new folder.",
        )


def _look_of(value: bytes) -> str:
    """What a value looks like, as a predicate."""
    for pattern, what in _LOOKS:
        if pattern.match(value):
            return f"look like {what}"
    form = foreign_form(value)
    return f"look like {form.what}" if form else f"begin with {value[:8].hex(' ')}"
