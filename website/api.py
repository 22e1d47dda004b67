"""The reference of the public names, for mkdocstrings to fill in by static analysis.

In: the names that each module says are public. Out: Markdown with a directive for each.
"""

from __future__ import annotations

import ast
from typing import Final

from website.documents import ROOT

MODULES: Final = {
    "rico_hdl": "Convert, look at and read stores. Each name is loaded on first use.",
    "rico_hdl.torch": "Samples and batches for PyTorch; [Patches for PyTorch](../pytorch.md) shows "
    "how they are used.",
    "rico_hdl.labels": "The publishers' labels and splits, in terms of keys; without a framework.",
}


def page(module: str) -> str:
    """The reference of a module: functions first, then classes, then the rest, by the alphabet."""
    names = sorted(
        (name for name in public_names(module) if not name.startswith("__")),
        key=lambda name: (name[0].isupper(), name.isupper(), name),
    )
    parts = [f"# {module}", MODULES[module], *(f"::: {module}.{name}" for name in names)]
    return "\n\n".join(parts) + "\n"


def public_names(module: str) -> list[str]:
    """A module's ``__all__``, read without importing it: PyTorch may not be there."""
    path = ROOT / "src" / module.replace(".", "/") / "__init__.py"
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return [str(name) for name in ast.literal_eval(node.value)]
    raise ValueError(f"{path} has no __all__")
