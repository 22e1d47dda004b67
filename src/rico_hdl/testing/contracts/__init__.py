"""What every archive, decoder, source and way to read keeps, as tests that each one inherits.

    >>> from rico_hdl.testing.contracts import DecoderContract
    >>> class TestMine(DecoderContract):
    ...     def encode(self, stack):
    ...         return written_by_another_library(stack)
    ...     def decoder(self):
    ...         return MyDecoder()

In: an implementation, and files that something else wrote. Out: tests for pytest, which the extra
``rico-hdl[testing]`` installs. The suites are those that test rico-hdl itself.
"""

from __future__ import annotations

from rico_hdl.testing.extra import extra_needed

with extra_needed():
    import pytest

    # Before the import of the modules whose asserts are to say what differs.
    pytest.register_assert_rewrite(
        *(f"{__name__}.{name}" for name in ("archives", "decoders", "readers", "sources"))
    )

    from rico_hdl.testing.contracts.archives import ArchiveContract, Outcome, all_bytes, outcome_of
    from rico_hdl.testing.contracts.decoders import DecoderContract
    from rico_hdl.testing.contracts.readers import ReaderContract
    from rico_hdl.testing.contracts.sources import ListsContract, ReadsContract

__all__ = [
    "ArchiveContract",
    "DecoderContract",
    "ListsContract",
    "Outcome",
    "ReaderContract",
    "ReadsContract",
    "all_bytes",
    "outcome_of",
]
