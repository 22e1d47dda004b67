"""Where a dataset's files come from, behind two protocols: paths and bytes.

In: what the user downloaded or unpacked. Out: of a folder its entries and whole files, of an
archive its members in their order; all in bounded memory. A source never decodes images, and never
writes.
"""

from rico_hdl.sources.folder import FolderSource
from rico_hdl.sources.protocol import (
    MAX_MEMBER_BYTES,
    Archive,
    Content,
    FolderEntry,
    Lists,
    Member,
    Reads,
    Source,
)

__all__ = [
    "MAX_MEMBER_BYTES",
    "Archive",
    "Content",
    "FolderEntry",
    "FolderSource",
    "Lists",
    "Member",
    "Reads",
    "Source",
]
