"""Stores made of other stores: a part of one, or several in one.

In: stores, and which of their patches are wanted. Out: a new store with the same records, byte for
byte unless bands are chosen, whose manifest says what it was made of.
"""

from rico_hdl.subsets.merging import merge
from rico_hdl.subsets.selecting import select
from rico_hdl.subsets.selection import Selection
from rico_hdl.subsets.summary import CopySummary

__all__ = ["CopySummary", "Selection", "merge", "select"]
