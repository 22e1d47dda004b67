"""Labels from archives that have a table of their samples, and from many small files."""

import json
from collections.abc import Generator

import pytest

from rico_hdl.errors import ArchiveError, SourceError
from rico_hdl.labels.gathering import Gathering
from rico_hdl.sources.protocol import HasRows
from tests.support.label_files import spec_with

ROWS = {
    "table": [
        {
            "file": "",
            "keys": {"s2": "austria_{id}_s2", "mask": "austria_{id}_mask"},
            "label": "classes",
            "split": "data_split",
        }
    ]
}


class Footer:
    """What an archive says about three samples."""

    location = "/data/archive.taco"

    def rows(self) -> Generator[dict[str, object]]:
        """The samples."""
        for i in range(3):
            classes = [["forest"], ["water", "forest"], []][i]
            split = ("train", "val", "test")[i]
            yield {"file": "archive", "id": i, "classes": classes, "data_split": split}


class Plain:
    """An archive that says nothing."""

    location = "/data/plain.tar"


def test_rows_of_archives():
    """A table without a file stands for what archives of patches say themselves."""
    gathering = Gathering(spec_with(ROWS))
    assert isinstance(Footer(), HasRows)
    gathering.read_rows([Plain(), Footer()])
    samples = gathering.samples()
    assert [name.decode() for name in samples.names["s2"]] == [f"austria_{i}_s2" for i in range(3)]
    assert (samples.kind, samples.classes) == ("multi", ("forest", "water"))
    assert [set(samples.label_of(i)) for i in range(3)] == [{"forest"}, {"forest", "water"}, set()]
    assert [samples.splits[i] for i in samples.split] == ["train", "validation", "test"]


def test_errors_in_rows_of_archives():
    """What is wrong with a row of an archive is said with the archive and the row."""
    labels = {"table": [{**ROWS["table"][0], "label": "class"}]}
    with pytest.raises(SourceError, match=r"/data/archive.taco, row 1: has no column 'class'"):
        Gathering(spec_with(labels)).read_rows([Footer()])


def test_damaged_rows_of_archives():
    """An archive whose rows end in damage is a warning, and none of its rows is used."""

    class Damaged(Footer):
        location = "/data/damaged.taco"

        def rows(self) -> Generator[dict[str, object]]:
            yield next(super().rows()) | {"id": "7"}
            raise ArchiveError("/data/damaged.taco is cut short")

    gathering = Gathering(spec_with(ROWS))
    gathering.read_rows([Damaged(), Footer()])
    assert gathering.warnings == ["labels were not read: /data/damaged.taco is cut short"]
    names = gathering.samples().names["s2"]
    assert [name.decode() for name in names] == [f"austria_{i}_s2" for i in range(3)]


def test_many_small_files(tmp_path):
    """Hundreds of files of one row each are read in order; a damaged one is named."""
    for i in range(300):
        path = tmp_path / "austria" / f"{i:03}_meta.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps({"c": f"class {i % 7}"}), encoding="utf-8")
    table = {"file": "{country}/{id}_meta.json", "record": True, "label": "c"}
    spec = spec_with({"table": [table]})
    gathering = Gathering(spec)
    gathering.read_found([tmp_path], [])
    samples = gathering.samples()
    assert [samples.label_of(i) for i in range(300)] == [(f"class {i % 7}",) for i in range(300)]
    (tmp_path / "austria" / "150_meta.json").write_text("{", encoding="utf-8")
    with pytest.raises(SourceError, match=r"150_meta\.json: is not valid JSON"):
        Gathering(spec).read_found([tmp_path], [])
