"""What GDAL is allowed: configuration options with their reasons."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

CACHE_BYTES: Final = 256 << 20
"""GDAL's cache of blocks; its default is a share of the machine's memory, which is not one process's to take."""

NO_NETWORK: Final[Mapping[str, str]] = {"CPL_VSIL_CURL_ALLOWED_EXTENSIONS": ".never"}
"""No file, whatever it names, makes GDAL open a network connection."""

GDAL_LIMITS: Final[Mapping[str, str]] = {"GDAL_CACHEMAX": str(CACHE_BYTES), **NO_NETWORK}
"""What holds for a whole worker process, as environment variables."""

DELIVERED: Final[Mapping[str, str | int]] = {
    "GDAL_CACHEMAX": CACHE_BYTES,
    **NO_NETWORK,
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
    "GDAL_PAM_ENABLED": "NO",
    "GDAL_GEOREF_SOURCES": "INTERNAL",
    # ^ no sidecar (.aux.xml, .j2w) may change what an image says
    "GDAL_HTTP_MAX_RETRY": "0",
}
"""For files from outside, of which nothing is believed; for `rasterio.Env`."""

WRITING: Final[Mapping[str, str | int]] = {
    "GDAL_CACHEMAX": CACHE_BYTES,
    "GDAL_PAM_ENABLED": "NO",
    # ^ GDAL's own sidecar would lie beside the scratch file; the one that is published is written on purpose
}
"""For files of our own; for `rasterio.Env`."""
