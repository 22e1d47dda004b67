"""Samples as the file ``labels.safetensors``, and back; ``docs/format.md`` specifies it.

In: a `SampleTable`. Out: bytes, the same for the same samples; or the reverse, with all numbers
checked.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple, get_args

import numpy as np
import numpy.typing as npt

from rico_hdl.labels.collecting import MAX_CLASSES, NONE
from rico_hdl.labels.names import Names
from rico_hdl.labels.samples import SampleTable
from rico_hdl.spec.labels import LabelKind

FORMAT: Final = "1"
"""The version of the file's format."""
MAX_HEADER_BYTES: Final = 2**24
"""Largest header that is read: 65,536 classes with names of 200 characters."""
_PREFIX: Final = "patches."
"""Begins the names of the tensors with the keys of a modality."""
_ENDS: Final = "ends."
"""Begins the names of the tensors with the offsets after those keys."""
_DTYPES: Final[dict[str, np.dtype[Any]]] = {
    "U8": np.dtype("u1"),
    "I16": np.dtype("<i2"),
    "I32": np.dtype("<i4"),
    "I64": np.dtype("<i8"),
    "F64": np.dtype("<f8"),
}
_NAME_OF: Final = {dtype: name for name, dtype in _DTYPES.items()}
_FIELDS: Final = frozenset({"format", "kind", "classes", "splits", "modalities"})


class _StoredTensor(NamedTuple):
    """A tensor to be written."""

    name: str
    values: npt.NDArray[Any] | Names
    """One-dimensional; of names, their bytes."""

    @property
    def dtype(self) -> str:
        return "U8" if isinstance(self.values, Names) else _NAME_OF[self.values.dtype]

    @property
    def n_values(self) -> int:
        if isinstance(self.values, Names):
            return int((self.values.ends - self.values.begins).sum())
        return len(self.values)


def chunks_of(samples: SampleTable) -> Iterator[bytes]:
    """Yield the bytes of the file, in pieces.

    Args:
        samples: The samples, in their order in the file.
    """
    tensors = [
        _StoredTensor("anchors", samples.anchors.astype("u1")),
        _StoredTensor("splits", samples.split.astype("<i2")),
    ]
    for name, names in samples.names.items():
        tensors.append(_StoredTensor(f"{_ENDS}{name}", np.cumsum(names.ends - names.begins)))
        tensors.append(_StoredTensor(f"{_PREFIX}{name}", names))
    if samples.kind is not None:
        dtype = "<f8" if samples.kind == "number" else "<i4"
        tensors.append(_StoredTensor("labels", samples.values.astype(dtype)))
        if samples.ends is not None:
            tensors.append(_StoredTensor("label_ends", samples.ends.astype("<i8")))
    # As the safetensors library orders them: by falling alignment, then by name.
    tensors.sort(key=lambda one: (-_DTYPES[one.dtype].itemsize, one.name))
    yield _header(samples, tensors)
    for tensor in tensors:
        if isinstance(tensor.values, Names):
            yield from _pieces(tensor.values)
        else:
            yield tensor.values.tobytes()


def _header(samples: SampleTable, tensors: list[_StoredTensor]) -> bytes:
    texts = {
        "format": FORMAT,
        "kind": samples.kind or "",
        "classes": json.dumps(samples.classes, ensure_ascii=False),
        "splits": json.dumps(samples.splits, ensure_ascii=False),
        "modalities": json.dumps(list(samples.names), ensure_ascii=False),
    }
    header: dict[str, object] = {"__metadata__": texts}
    at = 0
    for tensor in tensors:
        stop = at + tensor.n_values * _DTYPES[tensor.dtype].itemsize
        header[tensor.name] = {
            "dtype": tensor.dtype,
            "shape": [tensor.n_values],
            "data_offsets": [at, stop],
        }
        at = stop
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text


def _pieces(names: Names) -> Iterator[bytes]:
    """The bytes of names, some thousand at a time."""
    piece: list[bytes] = []
    for name in names:
        piece.append(name)
        if len(piece) == 4096:
            yield b"".join(piece)
            piece.clear()
    yield b"".join(piece)


def load(data: memoryview) -> SampleTable:
    """The samples that a file holds. Arrays are views of the file's bytes.

    Args:
        data: The bytes of the file, possibly mapped.

    Raises:
        ValueError: It is no such file, or damaged; the message says how.
    """
    try:
        return _load(data)
    except (LookupError, TypeError, AttributeError, OverflowError) as error:
        raise ValueError(f"its header is not that of labels: {error!r}") from error


def _load(data: memoryview) -> SampleTable:
    texts, tensors = _parsed(data)
    kind = texts["kind"] or None
    if kind not in (None, *get_args(LabelKind)):
        raise ValueError(f"labels of kind {kind!r}")
    classes, splits, modalities = (
        _texts(texts[name], name) for name in ("classes", "splits", "modalities")
    )
    expected = {"anchors": "U8", "splits": "I16"}
    expected |= {f"{_ENDS}{name}": "I64" for name in modalities}
    expected |= {f"{_PREFIX}{name}": "U8" for name in modalities}
    if kind is not None:
        expected["labels"] = "F64" if kind == "number" else "I32"
        expected |= {"label_ends": "I64"} if kind == "multi" else {}
    if (found := {name: _NAME_OF[one.dtype] for name, one in tensors.items()}) != expected:
        raise ValueError(f"its tensors are {found}, expected {expected}")
    n = len(tensors["splits"])
    names = {
        name: Names(tensors[f"{_PREFIX}{name}"], tensors[f"{_ENDS}{name}"]) for name in modalities
    }
    for name, one in names.items():
        _check_ends(one.ends, n, one.n_bytes, name)
    samples = SampleTable(
        names,
        tensors["anchors"],
        splits,
        tensors["splits"],
        kind,  # type: ignore[arg-type]
        classes,
        tensors.get("labels", np.zeros(0, np.int32)),
        tensors.get("label_ends"),
    )
    _check(samples, n)
    return samples


def _check(samples: SampleTable, n: int) -> None:
    """Check that the numbers of samples are consistent."""
    _check_indexes(samples.split, len(samples.splits), "splits")
    if len(samples.anchors) != n:
        raise ValueError(f"{len(samples.anchors)} anchors of {n} samples")
    if samples.kind is None:
        return
    if samples.ends is not None:
        _check_ends(samples.ends, n, len(samples.values), "labels")
    elif len(samples.values) != n:
        raise ValueError(f"{len(samples.values)} labels of {n} samples")
    if samples.kind != "number":
        _check_indexes(samples.values, len(samples.classes), "classes")


def _check_indexes(indexes: npt.NDArray[Any], n: int, what: str) -> None:
    if len(indexes) and not NONE <= int(indexes.min()) <= int(indexes.max()) < n:
        raise ValueError(f"an index is not between {NONE} and {n - 1}, the number of {what}")


def _check_ends(ends: npt.NDArray[Any], n: int, n_values: int, what: str) -> None:
    if len(ends) != n:
        raise ValueError(f"{len(ends)} offsets of {what} for {n} samples")
    if len(ends) and (int(ends[0]) < 0 or bool((np.diff(ends) < 0).any())):
        raise ValueError(f"the offsets of {what} are not in order")
    if (int(ends[-1]) if len(ends) else 0) != n_values:
        raise ValueError(f"the offsets of {what} don't end at {n_values}")


def _texts(text: str, name: str) -> tuple[str, ...]:
    """A list of unique texts in JSON."""
    values = json.loads(text)
    if (
        not isinstance(values, list)
        or not all(isinstance(value, str) for value in values)
        or len({*values}) != len(values)
        or len(values) > MAX_CLASSES
    ):
        raise ValueError(f"its {name} are not a list of different texts")
    return tuple(values)


def _parsed(data: memoryview) -> tuple[Mapping[str, str], dict[str, npt.NDArray[Any]]]:
    """The metadata and the tensors of a safetensors file."""
    n_header = int.from_bytes(data[:8], "little") if len(data) >= 8 else -1
    if not 2 <= n_header <= min(MAX_HEADER_BYTES, len(data) - 8):
        raise ValueError(f"a header of {n_header} bytes in a file of {len(data)} bytes")
    header = json.loads(str(data[8 : 8 + n_header], "utf-8"))
    texts = header.pop("__metadata__", None)
    if not isinstance(texts, dict) or not all(isinstance(t, str) for t in texts.values()):
        raise ValueError("it lacks the metadata of labels")
    if texts.get("format") != FORMAT:
        raise ValueError(f"its format is {texts.get('format')!r}, expected {FORMAT!r}")
    if missing := _FIELDS - texts.keys():
        raise ValueError(f"its metadata lack {', '.join(sorted(missing))}")
    body = data[8 + n_header :]
    tensors, at = {}, 0
    for name, one in header.items():
        dtype = _DTYPES[one["dtype"]]
        begin, stop = one["data_offsets"]
        if begin != at or stop > len(body) or one["shape"] != [(stop - begin) // dtype.itemsize]:
            raise ValueError(f"tensor {name!r} does not fit the file")
        tensors[name] = np.frombuffer(body[begin:stop], dtype)
        at = stop
    if at != len(body):
        raise ValueError(f"{len(body) - at} bytes belong to no tensor")
    return texts, tensors
