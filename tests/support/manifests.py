"""Manifests of other versions, and manifests with all kinds of damage."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

NAME = "rico-hdl.json"

FINGERPRINTS_OF_0_1 = {
    "bigearthnet": "0d2a00523b0fdb679d9cfd99073b656ad7382ecdee6878d567338d319f5af78a",
    "eurosat-multi-spectral": "96a24046657ae13286ac16750e66283216976ea7f23311a5bd93f787306138a7",
    "hydro": "9090230f67092af793bc4c4572a90ec86994af3417b7ed2ff0f47a3b9dae0e92",
    "hyspecnet-11k": "588398f5d9820913670eb41a0cd66fea57a6ddfabcb37b1e158f3e1949cf9496",
    "major-tom-core": "42cb501df1cc6ab63b6410d15cf463f82ebfb5c42ee8f10da621fd921bb2c994",
    "spectral-earth-enmap": "f1961e2ab6698d873979fe66922e45542aa678c250c9a22e33e3255c36927c7b",
    "ssl4eo-s12": "95e17b58b39cfb77f1c15ab028cb0f0204534ebe4278ff096b9b9e1f2ea89b14",
    "ssl4eo-s12-v1.1": "645a45ac54f2c20e027afe0ea08b126c8867869739be99ed8002b3b4e9dcc405",
    "uc-merced": "3acc3f8b92edde51d82007111ecda6d3ccab63736c7b0311e9accc3620cbbc3d",
}
"""The values in manifests that version 0.1.0 wrote, as released."""
MODALITIES_OF_0_1 = {
    "bigearthnet": ["s1", "s2", "reference-maps"],
    "eurosat-multi-spectral": ["s2"],
    "hydro": ["s2"],
    "hyspecnet-11k": ["enmap"],
    "major-tom-core": ["s1", "s2"],
    "spectral-earth-enmap": ["enmap"],
    "ssl4eo-s12": ["s1", "s2c", "s2a"],
    "ssl4eo-s12-v1.1": ["s1", "s2c", "s2a"],
    "uc-merced": ["rgb"],
}


def load(target: Path) -> dict[str, Any]:
    """A manifest as JSON."""
    return json.loads((target / NAME).read_text(encoding="utf-8"))


def save(target: Path, values: dict[str, Any]) -> None:
    """Write a manifest with any values."""
    (target / NAME).write_text(json.dumps(values), encoding="utf-8")


def make_0_1(target: Path, fingerprint: str | None = None) -> dict[str, Any]:
    """Turn the manifest of a store into the one that version 0.1.0 would have written."""
    values = load(target)
    for name in ("requires_to_read", "requires_to_write", "spec"):
        del values[name]
    for state in values["modalities"].values():
        del state["spec_fingerprint"]
    for failure in values["failures"]:
        del failure["kind"]
    values["format"] = 1
    values["spec_fingerprint"] = fingerprint or FINGERPRINTS_OF_0_1[values["dataset"]]
    save(target, values)
    return values


def _nested(n: int, kind: type) -> Any:
    found: Any = kind()
    for _ in range(n):
        found = [found] if kind is list else {"a": found}
    return found


VALUES: list[Any] = [
    *(None, True, False, 0, -1, 1, 2, 2**63, 10**30, 1.0, 1e300, float("nan"), float("inf")),
    *("", "x", "\0", "\ud800", "é", "a" * 5000, "/" + "b/" * 3000, "../..", "uint16 1x1", "s1"),
    *([], {}, [[]], [{}], [None], ["x"], {"a": 1}, {"": None}, {"\ud800": 1}),
    *(_nested(50, list), _nested(50, dict), _nested(400, list)),
]


def replaced(values: dict[str, Any]) -> Iterator[bytes]:
    """A manifest with each value outside its spec replaced by a quarter of `VALUES` in turn.

    Different values get different quarters, so similar fields see all of them together.
    """
    others = {name: value for name, value in values.items() if name != "spec"}
    for i in range(len(_places(others))):
        for value in VALUES[i % 4 :: 4]:
            changed = copy.deepcopy(others)
            container, key = _places(changed)[i]
            container[key] = value
            yield json.dumps({**changed, "spec": changed.get("spec", values.get("spec"))}).encode()


def mutated(values: dict[str, Any], seed: int) -> bytes:
    """A manifest with one to three mistakes; the same for the same seed."""
    chance = random.Random(seed)
    values = copy.deepcopy(values)
    for _ in range(chance.choice([1, 1, 1, 2, 3])):
        chance.choice([_replace, _replace, _replace, _delete, _swap, _add])(values, chance)
    text = json.dumps(values, indent=chance.choice([None, 2])).encode()
    for damage in (_twin, _cut, _flip, _insert):
        if chance.random() < 0.08:
            text = damage(text, chance)
    return text


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Every container with each of its keys or positions."""
    found: list[tuple[Any, Any]] = []
    if isinstance(value, dict | list):
        for key in list(value) if isinstance(value, dict) else range(len(value)):
            found += [(value, key), *_places(value[key])]
    return found


def _place(values: dict[str, Any], chance: random.Random) -> tuple[Any, Any]:
    """One of these places, not dominated by a long list or spec."""
    parts = [_places({name: value}) for name, value in values.items()]
    container, key = chance.choice(chance.choice([part for part in parts if part] or [[({}, 0)]]))
    return (values, key) if container == {key: values.get(key)} else (container, key)


def _replace(values: dict[str, Any], chance: random.Random) -> None:
    container, key = _place(values, chance)
    container[key] = copy.deepcopy(chance.choice(VALUES))


def _delete(values: dict[str, Any], chance: random.Random) -> None:
    container, key = _place(values, chance)
    if container:
        del container[key]


def _swap(values: dict[str, Any], chance: random.Random) -> None:
    (a, i), (b, j) = _place(values, chance), _place(values, chance)
    if a and b:
        a[i], b[j] = copy.deepcopy(b[j]), copy.deepcopy(a[i])


def _add(values: dict[str, Any], chance: random.Random) -> None:
    container, _ = _place(values, chance)
    if isinstance(container, dict):
        container[chance.choice(["new", "key", "kind", "", "s1"])] = chance.choice(VALUES)


def _twin(text: bytes, chance: random.Random) -> bytes:
    field = chance.choice([b'"format": 2', b'"n_patches": 1', b'"kind": "patch"', b'"new": 0'])
    at = [i for i, byte in enumerate(text) if byte == ord("{")]
    i = chance.choice(at) if at else 0
    return text[: i + 1] + field + b"," + field + b"," + text[i + 1 :]


def _cut(text: bytes, chance: random.Random) -> bytes:
    return text[: chance.randrange(len(text) + 1)]


def _flip(text: bytes, chance: random.Random) -> bytes:
    data = bytearray(text)
    for _ in range(chance.choice([1, 1, 5])):
        if data:
            data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    return bytes(data)


def _insert(text: bytes, chance: random.Random) -> bytes:
    piece = chance.choice([b"\xff\xfe", b"\xef\xbb\xbf", b"\0", b"[" * 100_000, b"9" * 5000])
    i = chance.choice([0, len(text), chance.randrange(len(text) + 1)])
    return text[:i] + piece + text[i:]
