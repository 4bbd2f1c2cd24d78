"""What Sentinel-2 MSI and Sentinel-3 OLCI deliver, and the codes of a cloud mask."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

MSI_RESOLUTION_M: Final[Mapping[str, int]] = {
    "B01": 60, "B02": 10, "B03": 10, "B04": 10, "B05": 20, "B06": 20, "B07": 20,
    "B08": 10, "B8A": 20, "B09": 60, "B10": 60, "B11": 20, "B12": 20,
}  # fmt: skip
"""Bands of MSI in the order of their `bandId` in ESA's metadata -> pixel in metres."""

CUBE_BANDS: Final[Mapping[str, tuple[str, ...]]] = {
    "10m": ("B02", "B03", "B04", "B08"),
    "20m": ("B05", "B06", "B07", "B8A", "B11", "B12"),
    "60m-l2a": ("B01", "B09"),
    "60m-l1c": ("B01", "B09", "B10"),
    "300m": tuple(f"Oa{n:02d}" for n in range(1, 22)),
}
"""Bands of each array of the cube, in order."""

MSI_QUANTIFICATION: Final = 10_000
"""Digital numbers per unit of reflectance, as the cube stores MSI and as ESA delivers it."""

MSI_OFFSET: Final = 1000
"""Added to the digital numbers that the cube stores, so that slightly negative reflectance fits; 0 = nodata."""

OLCI_RADIANCES: Final = tuple(f"{band}_radiance" for band in CUBE_BANDS["300m"])
"""Names of the radiance files of a SEN3 folder, without suffix."""


def msi_assets(level: str) -> tuple[str, ...]:
    """Return the names of a scene's band assets that the cube takes: `B02_10m`, ...

    Args:
        level: `l2a` or `l1c`.
    """
    return tuple(
        f"{band}_{resolution.split('-')[0]}"
        for resolution in ("10m", "20m", f"60m-{level}")
        for band in CUBE_BANDS[resolution]
    )


MASK_NODATA, MASK_CLEAR, MASK_CLOUD, MASK_SHADOW, MASK_SNOW = range(5)
"""Codes of a cloud mask."""
