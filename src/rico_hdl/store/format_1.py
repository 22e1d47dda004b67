"""Manifests of format 1, as version 0.1.0 writes them, converted to format 2.

In: the JSON of a manifest. Out: the same in format 2. Only this module interprets the text of a
reason and knows the fingerprints of version 0.1.0. It trusts no type: unexpected values are passed
on, and the reader of format 2 refuses them.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Any, Final

WHOLE_FINGERPRINT: Final = "spec_fingerprint"
"""The field of format 1 with one fingerprint for the whole dataset."""

_CHECKSUM_REASON: Final = "its MD5 sum"
"""The beginning of a wrong MD5 sum's reason in version 0.1.0, where failures had no kind."""

FINGERPRINTS: Final = MappingProxyType(
    {
        "0d2a00523b0fdb679d9cfd99073b656ad7382ecdee6878d567338d319f5af78a": {
            "s1": "a358a6ce27030f671fc104d11bc53ce089ee65fb988966e30775eecee8309e8e",
            "s2": "7fe7e14f14dcae3758336ab8f5dd6d1afa9351f22cb49522e42474bc69e0ab6a",
            "reference-maps": "672a91bb10d9efc2efef2da697f58cdb0ea241cbbe054629aaadde0e921c96c3",
        },
        "96a24046657ae13286ac16750e66283216976ea7f23311a5bd93f787306138a7": {
            "s2": "8521bfb7e3c02836e46e4b1fe7b0f3a3bfc9ea262ca9e603cc0b468b2fb82816",
        },
        "9090230f67092af793bc4c4572a90ec86994af3417b7ed2ff0f47a3b9dae0e92": {
            "s2": "0e357b224e63a2783548a28886d91434e30ad7f3366656e529a813e4afa1b540",
        },
        "588398f5d9820913670eb41a0cd66fea57a6ddfabcb37b1e158f3e1949cf9496": {
            "enmap": "9237c663e92174a4f3e4681fbbb237b2d2cbfc8088ccb9db64867eb5d2ddcf56",
        },
        "42cb501df1cc6ab63b6410d15cf463f82ebfb5c42ee8f10da621fd921bb2c994": {
            "s1": "7fe5bf1fbbf50854ea8e5ea336b2afe7f024a181d1c41a6c8144280af9c47e82",
            "s2": "f6f4236bb70d3937b87c77b4e4bb2e0b2bef906ea15db12f736eefb40bae1b91",
        },
        "f1961e2ab6698d873979fe66922e45542aa678c250c9a22e33e3255c36927c7b": {
            "enmap": "914d1ebadc502a71842e890a6077bfc48e6e17b75f948939dcef7d8c83324e21",
        },
        "95e17b58b39cfb77f1c15ab028cb0f0204534ebe4278ff096b9b9e1f2ea89b14": {
            "s1": "c337224b1f65d152f80763d3c0495ab3e7076a770e7308f9d093b738d60d61f1",
            "s2c": "3304e51acaa37f6be82a6cfc81d5e88757b21ec064731d003cd3cb7ec3bff03b",
            "s2a": "cf4421c4a28a75bb41e62dcd3ef21681ee61ff4e70279f9b4f14091f7519866a",
        },
        "645a45ac54f2c20e027afe0ea08b126c8867869739be99ed8002b3b4e9dcc405": {
            "s1": "0d8aeac4ce82140b3910e0227df5162cdbfad75bd52057a5ecadf68c29806cb1",
            "s2c": "48ce3c13516bd6a5da2f4f3f88826aa799e642914af586a13bdccae502891b12",
            "s2a": "8538ddadd5ebb957ffa423592dd27bbe434be6a60d524df04b5d45f97a031d58",
        },
        "3acc3f8b92edde51d82007111ecda6d3ccab63736c7b0311e9accc3620cbbc3d": {
            "rgb": "c80375be6bb332c3cad6480dac1a387335aad49f60168f01fcfcc979163c5519",
        },
    }
)
"""The fingerprints of a dataset's modalities, by the whole dataset's fingerprint of version 0.1.0.
With them, a store of 0.1.0 is still accepted when its dataset gets another modality, and refused
when a modality that it holds has changed."""


def upgraded(values: dict[str, Any]) -> dict[str, Any]:
    """A manifest of format 1 converted to format 2.

    An unknown whole fingerprint, such as that of a user's own spec, stays: it can be checked only
    against the spec itself.
    """
    values = dict(values, format=2)
    whole = values.get(WHOLE_FINGERPRINT)
    known = FINGERPRINTS.get(whole) if isinstance(whole, str) else None
    modalities = values.get("modalities")
    if known is not None and isinstance(modalities, dict):
        del values[WHOLE_FINGERPRINT]
        values["modalities"] = {
            name: {**state, "spec_fingerprint": known.get(name)}
            if isinstance(state, dict)
            else state
            for name, state in modalities.items()
        }
    if isinstance(failures := values.get("failures"), list):
        values["failures"] = [_with_kind(failure) for failure in failures]
    return values


def _with_kind(failure: object) -> object:
    """A failure with its kind; in format 1, only failures of archives have no key."""
    if not isinstance(failure, dict):
        return failure
    kind, reason = "patch", failure.get("reason")
    if failure.get("key") == "":
        is_sum = isinstance(reason, str) and reason.startswith(_CHECKSUM_REASON)
        kind = "checksum" if is_sum else "damaged"
    return {"kind": kind, **failure}
