"""The command line of Landstream, which imports everything, and `landstream.open`, for programs that read a store.

store = landstream.open("stores/sibiu")
store.weeks, store.bands
store.ndvi(24.1, 45.8)
store.land_cover()["land_cover"].plot()
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from landstream.reading import OpenStore

__all__ = ["open"]


def open(location: str | Path) -> OpenStore:
    """Open a store to read it; what it holds is read when it is asked for.

    Args:
        location: the store's folder, or `s3://BUCKET`.

    Raises:
        ValueError: there is no store; the message says what to do.
        ModuleNotFoundError: xarray is not installed.
    """
    from landstream.reading import open_store

    return open_store(str(location))
