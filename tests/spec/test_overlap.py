"""Whether two templates have a text in common."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rico_hdl.spec.overlap import common_text
from rico_hdl.spec.template import Template

PIECES = st.sampled_from(["{x}", "{y:d}", "{z:2d}", "a", "ab", "_", "1", "12"])
TEMPLATES = st.lists(PIECES, min_size=1, max_size=4).map("".join)


def parsed(text):
    """A template with fields of different names, or None if it has none."""
    for i in range(text.count("{")):
        text = text.replace("{x", f"{{p{i}", 1) if "{x" in text else text
        text = text.replace("{y", f"{{q{i}", 1) if "{y" in text else text
        text = text.replace("{z", f"{{r{i}", 1) if "{z" in text else text
    return Template.parse(text) if "{" in text else None


@given(TEMPLATES, TEMPLATES, st.text("ab_12", min_size=1, max_size=8))
def test_a_common_text_is_found_if_there_is_one(one, other, text):
    """The text that is found matches both templates; if none is found, no text matches both."""
    first, second = parsed(one), parsed(other)
    if first is None or second is None:
        return
    found = common_text(first, second)
    if found is None:
        assert not (first.match(text) and second.match(text))
    else:
        assert first.match(found) is not None
        assert second.match(found) is not None
    assert (common_text(second, first) is None) == (found is None)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("{patch}", "{patch}_mask", "a_mask"),
        ("{id}_image", "{id}_mask", None),
        ("s1_{id}", "s2_{id}", None),
        ("{a:d}", "{b:7d}", "0000000"),
        ("{a:6d}", "{b:7d}", None),
        ("{a:d}_x", "{b}", "0_x"),
        ("{a:d}", "x{b}", None),
        ("{a}/{b}", "{c}", None),
        ("{a}.{b}", "{c}+", "a.+"),
    ],
)
def test_examples(one, other, expected):
    """Literals, digits and widths keep keys apart; the shortest readable common text is given."""
    assert common_text(Template.parse(one), Template.parse(other)) == expected
