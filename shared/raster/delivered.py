"""How delivered images are opened and decoded so that errors are heard, and what is said of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

DECODER: Final[Mapping[str, str]] = {"GDAL_NUM_THREADS": "1"}
"""For `rasterio.Env`, in each thread that reads: an error in one of GDAL's own threads is lost, and zeros are read."""


@dataclass(frozen=True)
class Format:
    """A format of images: GDAL's name of its driver, and what people call it."""

    driver: str
    name: str


JPEG2000: Final = Format("JP2OpenJPEG", "JPEG2000")
GEOTIFF: Final = Format("GTiff", "GeoTIFF")


def format_of(path: Path) -> Format:
    """Return the format of an image by its name: a GeoTIFF where it says so, else JPEG2000, as ESA delivers."""
    return GEOTIFF if path.suffix.lower() in {".tif", ".tiff"} else JPEG2000


def decode_fault(error: Exception, path: Path) -> str:
    """Return the fault of an image, one line, of what GDAL said of it.

    Args:
        error: as rasterio raised it; what GDAL itself said is its cause.
        path: of the image.
    """
    lines = str(error.__cause__ or error).splitlines() or [type(error).__name__]
    return f"is a corrupt {format_of(path).name} file ({lines[0][:200]})"
