"""The registry of datasets: names from files, specs when they are needed."""

from __future__ import annotations

import subprocess
import sys

import pytest

from rico_hdl.datasets import get, registry
from rico_hdl.errors import UsageError


def test_a_module_is_called_as_the_command(spec):
    """The name that a module's file gives is the name in its spec."""
    assert registry()[spec.name] is get(spec.name) is spec


def test_names_are_sorted_and_import_nothing():
    """Listing the names imports no dataset's module, and looking one up imports that one."""
    code = (
        "import sys; from rico_hdl.datasets import get, registry; names = list(registry()); "
        "assert names == sorted(names) and len(registry()) == len(names); get('hydro'); "
        "print([m for m in sys.modules if m.startswith('rico_hdl.datasets.') and '._' not in m])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "['rico_hdl.datasets.hydro']\n"


def test_an_unknown_name_lists_the_known_ones():
    """Looking up an unknown dataset is an error that lists all."""
    with pytest.raises(UsageError, match="no dataset is named 'hydra'") as caught:
        get("hydra")
    assert all(name in caught.value.hint for name in registry())
