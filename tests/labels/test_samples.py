"""Samples of label tables: keys from rows, rows that are joined, and the file that holds them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load as safetensors_load

from rico_hdl.errors import SourceError
from rico_hdl.labels.collecting import Collector
from rico_hdl.labels.joining import joined, merged
from rico_hdl.labels.names import Names
from rico_hdl.labels.stored import chunks_of, load
from rico_hdl.labels.table_files import TableRow
from rico_hdl.labels.table_rows import TableRows
from rico_hdl.spec import KeyForm, LabelTable
from tests.support.label_files import spec_with

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
VALUES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="/\\\0{}"), min_size=1)
MODALITIES = ("s1", "s2", "mask")


@given(st.lists(TEXTS), st.lists(TEXTS), st.data())
def test_names_are_found_where_they_are(known, wanted, data):
    """Every name is found at its first position, and no other name is."""
    names = Names.of(known)
    rows = data.draw(st.lists(st.sampled_from(range(len(known))))) if known else []
    expected = [known.index(t) if t and t in known else -1 for t in wanted]
    assert names.find(Names.of(wanted)).tolist() == expected
    assert [name.decode() for name in names] == known
    chosen = names.take(np.array(rows, np.int64))
    assert [name.decode() for name in chosen] == [known[i] for i in rows]
    assert [known[i] for i in names.in_order()] == sorted(known, key=str.encode)
    blocks = Names(
        [*names.blocks, *Names.of(wanted).blocks],
        np.concatenate([names.ends, Names.of(wanted).ends + names.n_bytes]),
        np.concatenate([names.begins, Names.of(wanted).begins + names.n_bytes]),
    )
    assert [name.decode() for name in blocks] == [*known, *wanted]


def test_equal_hashes_are_no_mistake():
    """Names are told apart by their bytes, even if all hashes are equal."""
    known, wanted = Names.of(["a", "b", "c"]), Names.of(["c", "d", "b", "a"])
    for names in (known, wanted):
        names.__dict__["hashes"] = np.ones(len(names), np.int64)
    assert known.find(wanted).tolist() == [2, -1, 1, 0]


@given(VALUES, VALUES)
def test_keys_of_rows(country, number):
    """Whatever values columns have, keys are those of patches with these values in their paths."""
    spec = spec_with({"field": "country"})
    expected = [
        one.key.format({"country": country, "id": number}).encode() for one in spec.modalities
    ]
    forms = tuple(KeyForm(m, f"{{country}}_{{id}}_{m}") for m in ("s2", "mask"))
    for table in (
        LabelTable("a.csv", split="split"),
        LabelTable("a.csv", forms),
        LabelTable("a.csv", (KeyForm("", "{country}_{id}_s2"), *forms[1:])),
    ):
        collector = Collector([one.name for one in spec.modalities], None, ())
        row = TableRow(1, {"country": country, "id": number, "split": "val"})
        TableRows(spec, table, collector).read("a.csv", [row], {})
        samples = collector.samples()
        assert [samples.names[one.name][0] for one in spec.modalities] == expected


@given(VALUES, st.integers(0, 999))
def test_keys_of_parsed_rows(country, number):
    """A template takes a column apart as it takes apart the paths of patches."""
    spec = spec_with({"field": "country"})
    table = LabelTable("a.txt", row="{country}/{id:3d}_s2.tif", split="split")
    collector = Collector(["s2", "mask"], None, ())
    for prefix in ("", "/", "some/folder/"):
        row = TableRow(1, {"name": f"{prefix}{country}/{number:03}_s2.tif", "split": "x"})
        TableRows(spec, table, collector).read("a.txt", [row], {})
    samples, n_repeated = joined(collector, ())
    assert (len(samples), n_repeated) == (1, 2)
    assert samples.names["mask"][0].decode() == f"{country}_{number:03}_mask"


KINDS = st.sampled_from(["single", "multi", "number", None])
ROWS = st.lists(
    st.tuples(
        st.integers(0, 6),
        st.sampled_from([0, 1]),
        st.booleans(),
        st.booleans(),
        st.booleans(),
    ),
    max_size=12,
)


def collect(rows, kind, order):
    """A collector with rows; what they say about a sample is the same, as far as they say it."""
    collector = Collector(MODALITIES, kind, ())
    collector.places.append("table.csv")
    for i in order:
        sample, anchor, has_other, has_label, has_split = rows[i]
        keys = ["", "", f"mask-{sample}" if has_other else ""]
        keys[anchor] = f"{MODALITIES[anchor]}-{sample}"
        label = None
        if has_label and kind is not None:
            label = sample / 2 if kind == "number" else ["abc"[sample % 3], "xyz"[sample % 2]]
            label = label[:1] if kind == "single" else label
        collector.add(keys, anchor, label, "ab"[sample % 2] if has_split else "", (0, i + 1))
    return collector


def described(samples):
    """What samples say, by their names."""
    found = {}
    for i in range(len(samples)):
        anchor = MODALITIES[samples.anchors[i]]
        split = samples.split[i]
        found[samples.names[anchor][i]] = (
            {name: names[i] for name, names in samples.names.items() if names[i]},
            tuple(sorted(map(str, samples.label_of(i)))) if samples.is_labelled[i] else None,
            samples.splits[split] if split >= 0 else None,
        )
    return found


@given(ROWS, KINDS, st.randoms(use_true_random=False), st.integers(0, 12))
def test_joined_rows_are_those_of_a_simple_model(rows, kind, random, n_first):
    """Joining rows gives what a dictionary gives, in any order, at once or in two runs."""
    order = list(range(len(rows)))
    expected = {}
    for sample, anchor, has_other, has_label, has_split in rows:
        name = f"{MODALITIES[anchor]}-{sample}".encode()
        keys, label, split = expected.setdefault(name, ({MODALITIES[anchor]: name}, None, None))
        if has_other:
            keys["mask"] = f"mask-{sample}".encode()
        if has_label and kind is not None:
            label = ("abc"[sample % 3], "xyz"[sample % 2])
            label = tuple(sorted(label)) if kind == "multi" else label[:1]
            label = (str(sample / 2),) if kind == "number" else label
        split = "ab"[sample % 2] if has_split else split
        expected[name] = (keys, label, split)
    once = joined(collect(rows, kind, order), ())[0]
    assert described(once) == expected
    assert list(described(once)) == sorted(expected)
    random.shuffle(order)
    again = joined(collect(rows, kind, order), ())[0]
    data = b"".join(chunks_of(once))
    assert b"".join(chunks_of(again)) == data
    first = joined(collect(rows, kind, order[:n_first]), ())[0]
    second = joined(collect(rows, kind, order[n_first:]), ())[0]
    both = merged(second, load(memoryview(b"".join(chunks_of(first)))), MODALITIES, ())
    assert described(both) == expected
    assert b"".join(chunks_of(both)) == data
    assert described(load(memoryview(data))) == expected
    assert set(safetensors_load(data)) >= {"anchors", "splits"}


def test_kinds_are_not_mixed():
    """Labels of one kind are not added to those of another."""
    rows = [(1, 0, False, True, False)]
    one, other = (joined(collect(rows, kind, [0]), ())[0] for kind in ("single", "number"))
    with pytest.raises(SourceError, match="are of kind single, and those in the store of kind"):
        merged(one, other, MODALITIES, ())


@given(st.data())
def test_damaged_files_are_refused_or_whole(data):
    """Whatever bytes a file has, loading it is an error, or gives consistent samples."""
    rows = [(i, 0, True, True, True) for i in range(4)]
    kind = data.draw(KINDS)
    content = bytearray(b"".join(chunks_of(joined(collect(rows, kind, range(4)), ())[0])))
    whole = bytes(content)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at] = data.draw(st.integers(0, 255))
    stop = data.draw(st.one_of(st.just(len(content)), st.integers(0, len(content))))
    with pytest.raises(ValueError, match="bytes"):
        load(memoryview(whole + b"x"))
    try:
        samples = load(memoryview(bytes(content[:stop])))
    except ValueError:
        return
    for i in range(len(samples)):
        samples.label_of(i)
        assert all(isinstance(names[i], bytes) for names in samples.names.values())


def test_modalities_called_like_what_rows_have():
    """Patches of modalities that are called label or split are kept, and so are both."""
    collector = Collector(["label", "split"], None, ())
    collector.places.append("a.csv")
    collector.settle("single")
    collector.add(["a_label", ""], 0, ["river"], "train", (0, 1))
    collector.add(["a_label", "a_split"], 0, None, "", (0, 2))
    samples, n_repeated = joined(collector, ())
    assert n_repeated == 0
    assert {name: list(keys) for name, keys in samples.names.items()} == {
        "label": [b"a_label"],
        "split": [b"a_split"],
    }
    assert (samples.label_of(0), samples.splits) == (("river",), ("train",))
