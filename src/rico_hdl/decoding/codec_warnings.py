"""The warnings of codecs, which are all that some of them report about damage.

`imagecodecs.tiff_decode` logs the warnings of libtiff and libjpeg, if it is called with
``verbose=True``, in the thread that calls it.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

_collected = threading.local()


@contextmanager
def collected() -> Iterator[list[str]]:
    """Collect what imagecodecs warns about in this thread in a with block, instead of logging it.

    It works whatever the application's settings for logging are.
    """
    _replace_method()
    messages: list[str] = []
    _collected.messages = messages
    try:
        yield messages
    finally:
        _collected.messages = None


@cache
def _replace_method() -> None:
    """Make the logger collect warnings.

    The method is replaced because handlers and filters don't see what the application's settings
    for logging disable.
    """
    import logging  # noqa: PLC0415 - for few files

    logger = logging.getLogger("imagecodecs")
    original = logger.warning

    def warning(message: object, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401
        messages = getattr(_collected, "messages", None)
        if messages is None:
            original(message, *args, **kwargs)
        else:
            messages.append(str(message))

    setattr(logger, "warning", warning)  # noqa: B010 - mypy forbids to assign to a method
