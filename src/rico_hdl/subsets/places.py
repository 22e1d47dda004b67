"""The patches of a store that touch a box in longitude and latitude."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from rico_hdl.errors import UsageError
from rico_hdl.reading import Keys, Store

Box = tuple[float, float, float, float]
"""West, south, east, north in degrees on WGS 84."""


def box_of(values: Sequence[float | str]) -> Box:
    """A box from a user's numbers.

    Raises:
        UsageError: These are not four numbers.
    """
    try:
        west, south, east, north = map(float, values)
    except (TypeError, ValueError):
        raise UsageError(
            f"bbox={','.join(map(str, values))}, expected west, south, east, north in degrees",
            "Such as 5.9,45.8,10.5,47.8 for Switzerland.",
        ) from None
    return west, south, east, north


def check_box(box: Box) -> None:
    """Check that a box is one on Earth.

    Raises:
        UsageError: It isn't.
    """
    west, south, east, north = box
    if not (-180 <= west <= 180 and -180 <= east <= 180 and -90 <= south <= north <= 90):
        raise UsageError(
            f"bbox={','.join(map(str, box))}, expected west, south, east, north: longitudes from "
            "-180 to 180, and latitudes from -90 to 90, south first"
        )


def touching(store: Store, keys: Keys, box: Box) -> npt.NDArray[np.bool_]:
    """Whether patches touch a box.

    Raises:
        UsageError: Nothing is known about the places of patches, or pyproj is not installed.
    """
    west, south, east, north = store.georefs(keys).bounds().T
    if np.isnan(west).all():
        raise UsageError(
            f"{store.path}: nothing is known about where its patches are",
            "Keep that from the sources: rico-hdl georef STORE. Not all datasets have places.",
        )
    left, bottom, right, top = box
    begins, ends = west <= right, east >= left
    crosses, box_crosses = west > east, left > right  # the 180th meridian
    touches = np.where(crosses ^ box_crosses, begins | ends, begins & ends)
    touches |= crosses & box_crosses
    inside: npt.NDArray[np.bool_] = touches & (south <= top) & (north >= bottom)
    return inside
