import pytest

import corpus
import rico_hdl
from rico_hdl.datasets import registry


class Partial:
    """Has one method of an observer but is not one."""

    def __init__(self):
        self.seen = []

    def on_patches(self, *values):
        self.seen.append(values)


class Overriding(rico_hdl.Observer):
    """Overrides one method."""

    def __init__(self):
        self.seen = []

    def on_records(self, *values):
        self.seen.append(values)


@pytest.fixture
def sources(tmp_path):
    """The source folder of a small dataset."""
    return corpus.generate(registry()["uc-merced"], tmp_path / "source", 3)


def test_an_observer_needs_only_some_methods(sources, tmp_path):
    """Any object with some of an observer's methods can observe a conversion or a verification."""
    observer = Partial()
    rico_hdl.convert("uc-merced", sources, tmp_path / "store", observer=observer)
    assert sum(n for _, n, _ in observer.seen) == 3
    observer = Overriding()
    rico_hdl.verify(tmp_path / "store", observer=observer)
    assert sum(n for n, _ in observer.seen) == 3


def test_the_old_name_of_observers_goes_on_working():
    """The name that version 0.1.0 had for the observer of verifications still works."""
    assert rico_hdl.VerificationObserver is rico_hdl.Observer
