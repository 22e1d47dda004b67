"""Where a dataset's files come from: folders and archives, behind a few protocols.

In: a download, as it is or unpacked. Out: the entries and files of a folder, or the members of an
archive in their order, in bounded memory. A source never decodes image files, and never writes.
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
