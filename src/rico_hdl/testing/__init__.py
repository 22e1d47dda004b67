"""Samples generated from specs, and a test that any spec should pass, for authors of datasets.

    >>> from rico_hdl.testing import check_spec
    >>> def test_my_spec(tmp_path):
    ...     check_spec("my.toml", tmp_path)

In: a spec. Out: folders with files as a publisher lays them out, whose pixels encode their own
position; and whether converting them gives exactly these pixels. Only `check_spec` uses the code
that the samples help to test. `rico_hdl.testing.contracts` has test suites for archives, decoders,
sources and readers. The extra ``rico-hdl[testing]`` installs what is needed.
"""

from __future__ import annotations

from rico_hdl.testing.extra import extra_needed

with extra_needed():
    from rico_hdl.testing.encodings import Encoding, encoding_of
    from rico_hdl.testing.generate import generate
    from rico_hdl.testing.patches import SamplePatch, patches, shape_of
    from rico_hdl.testing.pixels import noise, pixels
    from rico_hdl.testing.round_trip import check_spec

__all__ = [
    "Encoding",
    "SamplePatch",
    "check_spec",
    "encoding_of",
    "generate",
    "noise",
    "patches",
    "pixels",
    "shape_of",
]
