"""How JPEG2000 images are decoded so that errors are heard, and what is said of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

DECODER: Final[Mapping[str, str]] = {"GDAL_NUM_THREADS": "1"}
"""For `rasterio.Env`, in each thread that reads: an error in one of GDAL's own threads is lost, and zeros are read."""


def decode_fault(error: Exception) -> str:
    """Return the fault of an image, one line, of what GDAL said of it.

    Args:
        error: as rasterio raised it; what GDAL itself said is its cause.
    """
    lines = str(error.__cause__ or error).splitlines() or [type(error).__name__]
    return f"is a corrupt JPEG2000 file ({lines[0][:200]})"
