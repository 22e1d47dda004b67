"""The error that says which extra to install."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def extra_needed() -> Iterator[None]:
    """Imports of the libraries of the extra ``testing``.

    Raises:
        ModuleNotFoundError: One is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        library = (error.name or "").partition(".")[0]
        if library in ("", "rico_hdl") or "[testing]" in str(error):
            raise
        raise ModuleNotFoundError(
            f"rico_hdl.testing needs {library}, which is not installed. Install the extra: "
            "pip install 'rico-hdl[testing]'",
            name=library,
        ) from None
