"""Where an area may lie: on one side of the antimeridian, and between the latitudes of UTM."""

from __future__ import annotations

import math

from shared.geo.mgrs import NORTH_DEG, SOUTH_DEG

ONE_SIDE = "areas across the antimeridian (180 degrees) are not supported: make one on each side"


def check_extent(bounds: tuple[float, float, float, float]) -> None:
    """Check where an AOI lies.

    Args:
        bounds: west, south, east, north in degrees.

    Raises:
        ValueError: not degrees, across the antimeridian, or polar; the message says which, and what to do.
    """
    west, south, east, north = bounds
    if not all(map(math.isfinite, bounds)) or min(south, -north) < -90 or west < -360 or east > 360:
        shown = ", ".join(f"{value:g}" for value in bounds)
        raise ValueError(f"bounds ({shown}) are not west, south, east, north in degrees")
    if west > east:
        raise ValueError(f"west {west:g} is not west of east {east:g}: give west, south, east, north; {ONE_SIDE}")
    if west < -180 or east > 180:
        raise ValueError(f"longitudes from {west:g} to {east:g} pass 180 degrees; {ONE_SIDE}")
    if east - west > 180:
        raise ValueError(f"it spans {east - west:g} degrees of longitude, more than 180; {ONE_SIDE}")
    if south < SOUTH_DEG or north > NORTH_DEG:
        fault = f"latitudes from {south:g} to {north:g} are polar"
        raise ValueError(f"{fault}: Sentinel-2's tiles end at {-SOUTH_DEG} S and {NORTH_DEG} N; cut the area there")
    if not (west < east and south < north):
        raise ValueError(f"south {south:g} is not south of north {north:g}, or west {west:g} not west of east {east:g}")
