"""How the patches of a dataset are labelled.

In: what a publisher's documentation says. Out: immutable values, and the class of a key.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rico_hdl.spec.template import Template

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class Labels:
    """One class for each patch, which its key names."""

    field: str
    """The field of the key with the name of the class."""
    classes: tuple[str, ...] = ()
    """The names of the classes by index; if empty, those that occur, sorted."""

    def finder(self, keys: Template) -> Callable[[str], str | None]:
        """Return a function that gives the class of a key, or None if it names none.

        Args:
            keys: The template of keys.
        """
        template = keys
        if self.classes:
            # The classes decide where the field ends: {class}{number} of river12 is river and 12.
            one_of_them = f"(?:{'|'.join(map(re.escape, self.classes))})"
            template = keys.narrowed({self.field: one_of_them})

        def find(key: str) -> str | None:
            values = template.match(key)
            return None if values is None else values[self.field]

        return find
