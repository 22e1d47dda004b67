"""The target folder: an LMDB that holds only records, a manifest and a journal.

In: records in order. Out: ``data.mdb``, ``rico-hdl.json``, ``rico-hdl.journal``. Only this package
imports lmdb. It reads no more of a record than its header.
"""

from rico_hdl.store.description import spec_of
from rico_hdl.store.foreign import check_store, check_values
from rico_hdl.store.georef import GEOREF_NAME
from rico_hdl.store.history import NewestEntries
from rico_hdl.store.journal import JOURNAL_NAME, JournalEntry
from rico_hdl.store.labelling import LABELS_NAME, mapped_labels
from rico_hdl.store.manifest import MANIFEST_NAME, LayoutCount, Manifest, layouts_of
from rico_hdl.store.pages import Pages
from rico_hdl.store.provenance import UNPROVEN
from rico_hdl.store.reconciling import read_journal, unsettled
from rico_hdl.store.snapshot import RecordView, Snapshot
from rico_hdl.store.structure import Structure
from rico_hdl.store.target import DATA_NAME, check_target
from rico_hdl.store.tree import Place
from rico_hdl.store.writer import StoreWriter

__all__ = [
    "DATA_NAME",
    "GEOREF_NAME",
    "JOURNAL_NAME",
    "LABELS_NAME",
    "MANIFEST_NAME",
    "UNPROVEN",
    "JournalEntry",
    "LayoutCount",
    "Manifest",
    "NewestEntries",
    "Pages",
    "Place",
    "RecordView",
    "Snapshot",
    "StoreWriter",
    "Structure",
    "check_store",
    "check_target",
    "check_values",
    "layouts_of",
    "mapped_labels",
    "read_journal",
    "spec_of",
    "unsettled",
]
