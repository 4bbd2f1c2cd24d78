"""The fixed lattice of 1/360 degree from 180 W 90 N that all frames share, so that they join without resampling."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from services.reprojection.kernels import find_extent
from shared.raster.grid import Lattice, Window

CELLS_PER_DEG = 360
MAX_LATITUDE_DEG = 85.0
"""Nearer to a pole the lattice has no sensible cells; MGRS, and so every area, ends at 84 N and 80 S."""


def lattice_of(window: Window) -> Lattice:
    """Return the lattice of a window, in degrees.

    The centre of cell (y, x) of the whole lattice lies at latitude 90 - (y + 0.5) / 360, longitude
    -180 + (x + 0.5) / 360; a window over the antimeridian goes on beyond column 129,599.
    """
    # Divided, not multiplied by the pixel: frames of different windows share their corners to the last bit.
    corner = -180 + window.x / CELLS_PER_DEG, 90 - window.y / CELLS_PER_DEG
    return Lattice("EPSG:4326", *corner, 1 / CELLS_PER_DEG, (window.ny, window.nx))


def latitudes_deg(window: Window) -> NDArray[np.float64]:
    """Return the latitude of each row's centres, float64 (y,)."""
    return 90 - (window.y + np.arange(window.ny) + 0.5) / CELLS_PER_DEG


def unwrap(longitude_deg: NDArray[np.float64], around_deg: float) -> NDArray[np.float64]:
    """Longitudes without a jump where it would divide the swath or the area.

    Args:
        longitude_deg: any shape, -180..180, NaN = unknown.
        around_deg: longitude of the area's middle, -180..180.

    Returns:
        As given where the swath spans half the globe at most; else within 180 degrees of the area's middle, taken as
        0..360, so that a swath around a pole is cut on the far side of the area.
    """
    if np.nanmax(longitude_deg, initial=-np.inf) - np.nanmin(longitude_deg, initial=np.inf) <= 180:
        return longitude_deg
    return np.where(longitude_deg < around_deg % 360 - 180, longitude_deg + 360, longitude_deg)


def window_over(
    latitude_deg: NDArray[np.float64],
    longitude_deg: NDArray[np.float64],
    within_deg: tuple[float, float, float, float] | None = None,
) -> Window | None:
    """Find the bounding box of the cells that hold a pixel.

    Args:
        latitude_deg: any shape, NaN = no pixel.
        longitude_deg: likewise, unwrapped.
        within_deg: west, south, east, north to which the box is cut.

    Returns:
        None where no pixel is left.
    """
    extent_deg = np.empty(4)
    find_extent(latitude_deg.ravel(), longitude_deg.ravel(), MAX_LATITUDE_DEG, extent_deg)
    south, north, west, east = extent_deg.tolist()
    if south > north:
        return None
    if within_deg is not None:
        turn = 360 if within_deg[2] < west else 0
        west, east = max(west, within_deg[0] + turn), min(east, within_deg[2] + turn)
        south, north = max(south, within_deg[1]), min(north, within_deg[3])
        if west > east or south > north:
            return None
    row, last_row = math.floor((90 - north) * CELLS_PER_DEG), math.floor((90 - south) * CELLS_PER_DEG)
    col, last_col = math.floor((west + 180) * CELLS_PER_DEG), math.floor((east + 180) * CELLS_PER_DEG)
    return Window(row, col, last_row - row + 1, last_col - col + 1)
