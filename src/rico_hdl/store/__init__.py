"""The target folder: an LMDB of records and nothing else, and the manifest beside it.

In: records in order. Out: ``data.mdb`` and ``rico-hdl.json``. This package is the only place that
imports lmdb. It never looks into a record beyond its header, and never overwrites one.
"""

from rico_hdl.store.manifest import MANIFEST_NAME, Manifest
from rico_hdl.store.writer import StoreWriter, check_target

__all__ = ["MANIFEST_NAME", "Manifest", "StoreWriter", "check_target"]
