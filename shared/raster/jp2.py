"""What is said of a JPEG2000 image that cannot be decoded."""

from __future__ import annotations


def decode_fault(error: Exception) -> str:
    """Return the fault of an image, one line, of what GDAL said of it.

    Args:
        error: as rasterio raised it; what GDAL itself said is its cause.
    """
    lines = str(error.__cause__ or error).splitlines() or [type(error).__name__]
    return f"is a corrupt JPEG2000 file ({lines[0][:200]})"
