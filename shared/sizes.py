"""Bytes as people read them."""

from __future__ import annotations

import math


def human(size: float) -> str:
    """Return bytes for people: `1.8 TB`."""
    power = min(5, int(math.log(max(size, 1), 1000)))
    return f"{size / 1000**power:.1f} {('B', 'kB', 'MB', 'GB', 'TB', 'PB')[power]}"
