"""Human-readable numbers."""

from __future__ import annotations


def bytes_text(n_bytes: float) -> str:
    """Format bytes with a decimal unit: ``813 MB``, ``1.2 GB``."""
    value, unit = float(n_bytes), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if value < 999.5:
            break
        value, unit = value / 1000, larger
    digits = 1 if value < 10 and unit != "B" else 0
    return f"{value:.{digits}f} {unit}"


def duration_text(seconds: float) -> str:
    """Format seconds as hours, minutes and seconds: ``1:02:03``."""
    minutes, s = divmod(round(seconds), 60)
    h, m = divmod(minutes, 60)
    return f"{h}:{m:02}:{s:02}"
