"""A small store that consists mostly of structure, and the places of the structure in its file.

Pages and nodes are found here independently of the package's code.
"""

from __future__ import annotations

import struct
from pathlib import Path

from rico_hdl.checking.verification import verify
from rico_hdl.decoding.tiff import Raster
from rico_hdl.record import encode
from rico_hdl.store import Manifest, Pages, StoreWriter, digest
from rico_hdl.store.manifest import ModalityState
from rico_hdl.values import Origin, Record

PAGE = 4096
META_BYTES = 16 + 152
"""The header and contents of a meta page."""


def record(i: int, n: int, prefix: str = "key") -> Record:
    """A record of n pixels that encode its number and their positions."""
    key = f"{prefix}-{i:04}-{'x' * (150 + i * 37 % 100)}".encode()
    pixels = bytes((i * 7 + k) % 256 for k in range(n))
    data = encode(("A",), [Raster("uint8", (1, n), pixels)])
    layout = (("A", "uint8", (1, n)),)
    number = digest.record_digest(key, data)
    return Record(key, Origin("a", "/x"), data, number, layout, constant=False)


def finish(target: Path) -> None:
    """Write the manifest of a complete store."""
    result = verify(target)
    assert result.findings == []
    Manifest(
        modalities={"a": ModalityState(complete=True)},
        content_digest=result.content_digest,
        n_patches=result.n_records,
    ).write(target)


def structured_store(target: Path) -> Path:
    """A store with three levels, records in leaves and overflow pages, and lists of free pages."""
    for part in (range(0, 60, 2), range(1, 60, 2)):
        with StoreWriter(target, commit_bytes=10_000) as store:
            for i in part:
                store.put(record(i, 9000 if i % 10 == 7 else 1 + i if i % 10 == 3 else 1400 + i))
    assert Pages(target).state.records.depth == 3
    finish(target)
    return target


def pages_of(data: bytes) -> dict[str, list[int]]:
    """The pages of both trees in the newest state, by their kind."""
    newest = max((0, 1), key=lambda page: struct.unpack_from("<128xQ", data, page * PAGE + 16))
    (free_root,) = struct.unpack_from("<64xQ", data, newest * PAGE + 16)
    (root,) = struct.unpack_from("<112xQ", data, newest * PAGE + 16)
    found: dict[str, list[int]] = {"branch": [], "leaf": [], "overflow": [], "free": []}
    for name, top in (("leaf", root), ("free", free_root)):
        pages = [top]
        while pages:
            number = pages.pop()
            base = number * PAGE
            _, _, flags, lower, _ = struct.unpack_from("<QHHHH", data, base)
            found["branch" if flags == 1 else name].append(number)
            for (node,) in struct.iter_unpack("<H", data[base + 16 : base + lower]):
                low, high, rest, n_key = struct.unpack_from("<HHHH", data, base + node)
                if flags == 1:
                    pages.append(low | high << 16 | rest << 32)
                elif rest & 1:
                    (first,) = struct.unpack_from("<Q", data, base + node + 8 + n_key)
                    found["overflow"].append(first)
    return found


def used(data: bytes, number: int, *, values: bool = False) -> list[int]:
    """The bytes of a branch or leaf page that are structure: all but free space and values."""
    base = number * PAGE
    _, _, flags, lower, _ = struct.unpack_from("<QHHHH", data, base)
    offsets = [*range(lower)]
    for (node,) in struct.iter_unpack("<H", data[base + 16 : base + lower]):
        low, _, node_flags, n_key = struct.unpack_from("<HHHH", data, base + node)
        n = 8 + n_key + (8 if flags == 2 and node_flags & 1 else low if values else 0)
        offsets += range(node, node + n)
    return [base + offset for offset in offsets]


def flips_of(data: bytes) -> dict[str, list[tuple[int, int]]]:
    """Every bit of the structure of a file, by the kind of its page, and a sample of all bits."""
    pages = pages_of(data)
    offsets = {
        "meta": [page * PAGE + i for page in (0, 1) for i in range(META_BYTES)],
        "branch": [offset for number in pages["branch"] for offset in used(data, number)],
        "leaf": [offset for number in pages["leaf"] for offset in used(data, number)],
        "free": [offset for number in pages["free"] for offset in used(data, number, values=True)],
        "overflow": [number * PAGE + i for number in pages["overflow"] for i in range(16)],
        "anywhere": [*range(0, len(data), 7)],
    }
    return {kind: [(o, bit) for o in some for bit in range(8)] for kind, some in offsets.items()}
