"""Templates: parsing, formatting and matching, for any characters that names may have."""

from fnmatch import fnmatchcase

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from rico_hdl.errors import SpecError
from rico_hdl.spec import Template

BOUNDED = settings(max_examples=200)

FIELD_NAMES = st.sampled_from(["a", "b", "patch", "class", "x_1"])
# Weighted towards characters that could break regular expressions, line ends and encodings.
ODD = st.sampled_from(list(".^$+?()[]|\\-_ \n\r\t'\"é木\u0661\U0001f6f0"))
LITERALS = st.text(st.one_of(ODD, st.characters(exclude_characters="/{}*")), min_size=1, max_size=4)
VALUES = st.text(st.one_of(ODD, st.characters(exclude_characters="/")), min_size=1, max_size=6)
DIGITS = "0123456789"


@st.composite
def templates(draw):
    """A template's text with the kind of each field: None for any, 0 for digits, or a width."""
    kinds = {}
    segments = []
    for _ in range(draw(st.integers(1, 3))):
        parts = []
        for _ in range(draw(st.integers(1, 4))):
            if draw(st.booleans()):
                name = draw(FIELD_NAMES)
                kind = kinds.setdefault(name, draw(st.sampled_from([None, None, 0, 1, 3, 7])))
                parts.append(
                    {None: f"{{{name}}}", 0: f"{{{name}:d}}"}.get(kind, f"{{{name}:{kind}d}}")
                )
            else:
                parts.append(draw(LITERALS))
        segments.append("".join(parts))
    any_depth = draw(st.sampled_from(["", "**/"]))
    if draw(st.booleans()):
        # Not right after **/, where no folder of its own would be above it.
        at = draw(st.integers(bool(any_depth), len(segments)))
        if at < len(segments):
            segments.insert(at, "{span:*}")
            kinds["span"] = "*"
    assume(kinds)
    return any_depth + "/".join(segments), kinds


@st.composite
def templates_with_values(draw):
    """A template's text, and values that its fields admit."""
    text, kinds = draw(templates())
    return text, {
        name: "/".join(draw(st.lists(VALUES, min_size=1, max_size=3)))
        if kind == "*"
        else draw(VALUES)
        if kind is None
        else draw(st.text(DIGITS, min_size=kind or 1, max_size=kind or 5))
        for name, kind in kinds.items()
    }


@BOUNDED
@given(templates_with_values())
@example(("{a}_{b}/{a}_{c}", {"a": "x", "b": "y_z", "c": "q"}))
@example(("**/{class}/{class}{number:d}.tif", {"class": "a1", "number": "23"}))
def test_formatted_path_is_matched_by_its_template(case):
    """A path formatted from valid values is matched, by values that give the same path again."""
    text, values = case
    template = Template.parse(text)
    path = template.format(values)
    found = template.match(path)
    assert found is not None
    assert set(found) == set(template.fields)
    assert template.format(found) == path


@BOUNDED
@given(st.lists(FIELD_NAMES, min_size=1, max_size=4), st.data())
def test_values_come_back_where_folders_keep_them_apart(names, data):
    """Fields that fill their segments get back exactly the given values."""
    values = {name: data.draw(VALUES) for name in names}
    template = Template.parse("/".join(f"{{{name}}}" for name in names))
    assert template.match(template.format(values)) == values


@BOUNDED
@given(templates_with_values(), st.data())
def test_match_accepts_nothing_that_its_values_do_not_remake(case, data):
    """Formatting the values of any match gives the path again, except for leading folders."""
    text, values = case
    template = Template.parse(text)
    path = list(template.format(values))
    for _ in range(data.draw(st.integers(0, 3))):
        at = data.draw(st.integers(0, len(path)))
        path[at : at + data.draw(st.integers(0, 2))] = data.draw(
            VALUES | st.sampled_from(["/", "", "7"])
        )
    found = template.match("".join(path))
    if found is not None:
        remade = template.format(found)
        assert "".join(path) == remade or (
            template.any_depth and "".join(path).endswith(f"/{remade}")
        )


@BOUNDED
@given(templates_with_values())
def test_segments_agree_with_the_whole_template(case):
    """Matching folder by folder, with the values bound so far, agrees with matching the whole."""
    text, values = case
    template = Template.parse(text)
    path = template.format(values)
    whole = template.match(path)
    assume(template.format(whole) == path)
    bound = {}
    for segment in template.segments:
        name = segment.format(whole)
        if segment.fields == {template.span}:
            bound |= {template.span: whole[template.span]}
            continue
        assert segment.match(name, whole) == {}
        found = segment.match(name, {k: v for k, v in whole.items() if k in bound})
        assert found is not None
        assert set(found) == segment.fields - bound.keys()
        bound |= {key: whole[key] for key in found}


@pytest.mark.parametrize(
    ("text", "path", "expected"),
    [
        ("{s}/{p}/{p}_{band}.tif", "s/p/p_B02.tif", {"s": "s", "p": "p", "band": "B02"}),
        ("{scene}/{patch}/{patch}_{band}.tif", "s/p/q_B02.tif", None),
        ("{scene}/{patch}/{patch}_{band}.tif", "x/s/p/p_B02.tif", None),
        ("**/{class}/{class}_{n:d}.tif", "x/y/Crop/Crop_12.tif", {"class": "Crop", "n": "12"}),
        ("**/{class}/{class}_{n:d}.tif", "Crop/Crop_12.tif", {"class": "Crop", "n": "12"}),
        ("**/{class}/{class}_{n:d}.tif", "Crop/Crop_x.tif", None),
        ("**/{n:d}.tif", "a//1.tif", None),
        ("{n:7d}", "1234567", {"n": "1234567"}),
        ("{n:7d}", "123456", None),
        ("{n:07d}", "0000001", {"n": "0000001"}),
        ("{n:d}", "\u0661\u0662", None),  # digits, but not ASCII ones
        ("{n:d}", "1\n", None),
        ("{n}.tif", "a\n.tif", {"n": "a\n"}),
        ("{n}.tif", "a.tif\n", None),
        ("{n}.tif", ".tif", None),
        ("{a}_{b}", "x_y_z", {"a": "x_y", "b": "z"}),
        ("t/{c:*}/{n}.jpg", "t/a/b/c/1.jpg", {"c": "a/b/c", "n": "1"}),
        ("t/{c:*}/{n}.jpg", "t/1.jpg", None),
        ("t/{c:*}/{n}.jpg", "t/a//1.jpg", None),
        ("{c:*}/{n}.jpg", "a/1.jpg", {"c": "a", "n": "1"}),
        ("**/t/{c:*}/{n}.jpg", "x/t/a/1.jpg", {"c": "a", "n": "1"}),
        ("**/t/{c:*}/{n}.jpg", "x/t/t/a/1.jpg", {"c": "t/a", "n": "1"}),
        ("{s}/{c:*}/{s}_{n:d}.jpg", "x/a/x/x_1.jpg", {"s": "x", "c": "a/x", "n": "1"}),
        ("**/{s}/{c:*}/{s}_{n:d}.jpg", "x/y/a/y_1.jpg", {"s": "y", "c": "a", "n": "1"}),
    ],
)  # fmt: skip
def test_match(text, path, expected):
    """A path is matched as a whole, digits are ASCII digits, and nothing is trimmed."""
    assert Template.parse(text).match(path) == expected


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "can't parse ''"),
        ("{a}//{b}", "can't parse ''"),
        ("/{a}", "can't parse ''"),
        ("folder/file.tif", "has no field"),
        ("{a}*.tif", "can't parse"),
        ("x/**/{a}", "can't parse"),
        ("{A}", "can't parse"),
        ("{a", "can't parse"),
        ("a}{b}", "can't parse"),
        ("{a:3}", "can't parse"),
        ("{a:\u0663d}", "can't parse"),
        ("{a:0d}", "a width of 0"),
        (f"{{a:{'9' * 5000}d}}", "a width of 9"),
        ("{a:3d}/{a}", "in two ways"),
        ("{a:*}", "not a folder of its own"),
        ("x_{a:*}/{b}", "not a folder of its own"),
        ("{a:*}/{b:*}/{c}", "not a folder of its own"),
        ("{a:*}/{a:*}/{c}", "not a folder of its own"),
        ("{a:*}/{a}", "in two ways"),
        ("**/{a:*}/{b}", "right after **/"),
    ],
)
def test_parse_refuses(text, what):
    """An invalid template is a SpecError that shows the template and says what is wrong."""
    with pytest.raises(SpecError) as caught:
        Template.parse(text)
    assert what in caught.value.message
    assert repr(text) in caught.value.message


PATTERN_PIECES = st.one_of(
    st.sampled_from(["*", "?", "**", "[0-9]", "[!0-9]", "[ab]", "[!a^]", "[^-]", "[\\\\&|~[]"]),
    LITERALS.filter(lambda text: not set(text) & set("[]?")),
)


@BOUNDED
@given(st.lists(PATTERN_PIECES, min_size=1, max_size=4), st.data())
def test_patterns_match_as_in_a_shell(pieces, data):
    """A field with a pattern has the values that the standard library's fnmatch accepts."""
    pattern = "".join(pieces)
    assume(pattern.strip("*"))
    template = Template.parse("{a}/{a}_{b}", a=pattern)
    value = ""
    for piece in pieces:
        in_sets = st.sampled_from(list("07abc^-\\&|~["))
        kinds = {"*": st.just("") | VALUES, "?": VALUES, "[": in_sets}
        value += data.draw(kinds.get(piece[0], st.just(piece) | VALUES))
    assume(value)
    path = f"{value}/{value}_x"
    expected = {"a": value, "b": "x"} if fnmatchcase(value, pattern) else None
    assert template.match(path) == expected
    first, second = template.segments
    found = first.match(value, {})
    assert found == (None if expected is None else {"a": value})
    assert second.match(f"{value}_x", {"a": value}) == {"b": "x"}


@pytest.mark.parametrize(
    ("pattern", "value", "matches"),
    [
        ("S2?_MSIL2A_*_N9999_R*", "S2A_MSIL2A_20170613T101031_N9999_R022_T33UUP_75_43", True),
        ("S2?_MSIL2A_*_N9999_R*", "S2A_MSIL2A_20170613T101031_61_39", False),
        ("s2*", "S2A", False),
        ("a*", "a", True),
        ("a?", "a", False),
        ("a?", "a/", False),
        ("[!b]", "/", False),
        ("[+-9]", "/", False),
        ("a.c", "abc", False),
        ("a*", "ab\n", True),
    ],
)
def test_patterns(pattern, value, matches):
    """Patterns match whole values, their case, and never a slash."""
    found = Template.parse("{a}.tif", a=pattern).match(f"{value}.tif")
    assert found == ({"a": value} if matches else None)


@pytest.mark.parametrize(
    ("text", "patterns", "what"),
    [
        ("{a}", {"a": ""}, "can't parse the pattern ''"),
        ("{a}", {"a": "*"}, "can't parse the pattern '*'"),
        ("{a}", {"a": "x/*"}, "can't parse the pattern"),
        ("{a}", {"a": "[9-0]"}, "can't parse the pattern"),
        ("{a}", {"a": "[ab"}, "can't parse the pattern"),
        ("{a}", {"a": "[]"}, "can't parse the pattern"),
        ("{a}", {"a": "[!]"}, "can't parse the pattern"),
        ("{a}", {"b": "x*"}, "patterns for b"),
        ("{a:d}", {"a": "1*"}, "patterns for a"),
        ("{a:*}/{b}", {"a": "1*"}, "patterns for a"),
    ],
)
def test_parse_refuses_patterns(text, patterns, what):
    """An invalid pattern, or one of a field that can't have any, is a SpecError."""
    with pytest.raises(SpecError) as caught:
        Template.parse(text, **patterns)
    assert what in caught.value.message


def test_patterns_are_not_part_of_the_text():
    """A template prints the same with and without patterns, but isn't the same."""
    plain, limited = Template.parse("**/{b}/{a}"), Template.parse("**/{b}/{a}", b="y*", a="x?")
    assert str(limited) == str(plain)
    assert limited != plain
    assert limited == Template.parse("**/{b}/{a}", a="x?", b="y*")
    assert limited.description == "**/{b}/{a}, where {a} is like x? and {b} is like y*"
    assert plain.description == "**/{b}/{a}"
    below = Template.parse("{a}", a="x?").at_any_depth()
    assert (below.match("z/x1"), below.match("x1/z")) == ({"a": "x1"}, None)


def test_format_needs_every_field():
    """A field without a value is a KeyError, not a gap in the path."""
    with pytest.raises(KeyError):
        Template.parse("{a}/{b}").format({"a": "1"})


def test_segment_match_takes_bound_values_literally():
    """A bound value that looks like a regular expression matches only itself."""
    segment = Template.parse("{a}/{a}_{b}").segments[1]
    assert segment.match("x+_1", {"a": "x+"}) == {"b": "1"}
    assert segment.match("xx_1", {"a": "x+"}) is None
    assert segment.match("x+_1", {"a": "x+", "elsewhere": "/"}) == {"b": "1"}
    assert segment.match("x/y_1", {"a": "x"}) is None


def test_templates_are_values():
    """Equal texts give equal, hashable templates that print as written."""
    one, two = Template.parse("**/{a}.tif"), Template.parse("**/{a}.tif")
    assert one == two
    assert len({one, two}) == 1
    assert str(one) == "**/{a}.tif"
    assert one.fields == ("a",)
