"""Where a dataset's files come from, behind one protocol: paths and bytes.

In: what the user downloaded. Out: the entries of a folder, and whole files as bytes, in bounded
memory. A source never decodes, and never writes.
"""

from rico_hdl.sources.folder import FolderSource
from rico_hdl.sources.protocol import Entry, Source

__all__ = ["Entry", "FolderSource", "Source"]
