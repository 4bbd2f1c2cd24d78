"""What a study area will take: scenes a year, disk with all copies, hours of computing."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from shapely.geometry.base import BaseGeometry

from shared.geo import Grid
from shared.geo.mgrs import tiles_over

# From README, "Measured": CPU seconds on one core of the machine that is named there.
SCENE_CPU_S: Final = 187
"""A full Sentinel-2 tile through ingest, mask and merge."""
FRAME_CPU_S: Final = 42
"""A full OLCI frame through ingest, reprojection and merge."""
CORES: Final = 2

# From benchmarks/README.md.
BITS_A_PIXEL: Final = 7.4
"""JPEG2000 of a band, as `merge.py` measured it."""
USED_OF_DELIVERED: Final = 0.67
"""Bytes of a Sentinel-2 product that its item keeps, the bands and the scene classification."""
GRID_OF_FRAME: Final = 0.84
"""Bytes of an OLCI grid, to those of the frame as delivered."""
COMPRESSED: Final = 0.6
"""Bytes of the cube's chunks, to those of their values: a cautious share, simulated scenes come to 0.5."""
MAP_BYTES_A_TILE: Final = 55_000
"""Land cover, confidence and quicklook of a tile in a week."""

SCENE_BYTES: Final = (4 * 10_980**2 + 7 * 5_490**2 + 2 * 1_830**2) * BITS_A_PIXEL / 8 / USED_OF_DELIVERED
"""A full L2A product as delivered: four bands at 10 m, six and the classification at 20 m, two at 60 m, the rest."""
FRAME_BYTES: Final = 4_091 * 4_865 * 21 * 12 / 8
"""A full OLCI frame as delivered: 21 bands of uint16, of which deflate leaves some 12 bits."""
TILE_WEEK_BYTES: Final = COMPRESSED * (
    256**2 * 4 * 2 + 128**2 * (6 * 2 + 2) + 43**2 * (2 * 2 + 2) + 9**2 * (21 * 4 + 2)
)
"""A tile of the cube in a week that is observed as a whole, see `shared.cube.layout`."""

# Orbits: of Sentinel-2 and Sentinel-3, two satellites each.
EQUATOR_KM: Final = 40_075
SATELLITES: Final = 2
S2_ORBITS: Final = 143
S2_CYCLE_DAYS: Final = 10
S2_SWATH_KM: Final = 290
MGRS_TILE_KM: Final = 110
OLCI_ORBITS_A_DAY: Final = 385 / 27
OLCI_SWATH_KM: Final = 1_270
OLCI_FRAME_KM: Final = 1_200
WEEKS: Final = 52

LARGE_BYTES: Final = 4e12
"""More than one common disk holds."""
LARGE_HOURS: Final = 168
"""More than a week of computing."""


@dataclass(frozen=True)
class Size:
    """What a year of an area takes, at most.

    Attributes:
        mgrs_tiles: names of the Sentinel-2 tiles.
        scenes: Sentinel-2 products a year.
        frames: OLCI frames a year.
        landing_bytes: products as delivered.
        artifacts_bytes: what items of scenes, frames and grids keep.
        cube_bytes: of all weeks, observed as a whole.
        maps_bytes: of all weeks.
        hours: of computing on two cores for scenes and frames; training and maps come on top.
    """

    mgrs_tiles: tuple[str, ...]
    scenes: int
    frames: int
    landing_bytes: float
    artifacts_bytes: float
    cube_bytes: float
    maps_bytes: float
    hours: float

    @property
    def bytes(self) -> float:
        """All copies together."""
        return self.landing_bytes + self.artifacts_bytes + self.cube_bytes + self.maps_bytes

    @property
    def large(self) -> bool:
        """Whether that is more than people expect of one machine."""
        return self.bytes > LARGE_BYTES or self.hours > LARGE_HOURS


def size_of(aoi: BaseGeometry, grid: Grid, sensors: tuple[str, ...]) -> Size:
    """Estimate what a year of an area takes.

    Args:
        aoi: polygon in longitude, latitude (degrees).
        grid: the cube's grid.
        sensors: of the area, `s2` and `olci`.
    """
    latitude_deg = aoi.centroid.y
    names = tuple(sorted({tile.name for tile, _ in tiles_over(aoi)}))
    scenes = round(len(names) * scenes_of_tile(latitude_deg)) if "s2" in sensors else 0
    frames = round(frames_over(aoi.bounds)) if "olci" in sensors else 0
    tile_weeks = grid.rows * grid.cols * WEEKS
    return Size(
        mgrs_tiles=names,
        scenes=scenes,
        frames=frames,
        landing_bytes=scenes * SCENE_BYTES + frames * FRAME_BYTES,
        artifacts_bytes=scenes * SCENE_BYTES * USED_OF_DELIVERED + frames * FRAME_BYTES * (1 + GRID_OF_FRAME),
        cube_bytes=tile_weeks * TILE_WEEK_BYTES,
        maps_bytes=tile_weeks * MAP_BYTES_A_TILE if "s2" in sensors else 0,
        hours=(scenes * SCENE_CPU_S + frames * FRAME_CPU_S) / CORES / 3600,
    )


def scenes_of_tile(latitude_deg: float) -> float:
    """Return how many Sentinel-2 products a year an MGRS tile has: passes, times the orbits whose swath touches it."""
    spacing_km = EQUATOR_KM / S2_ORBITS * math.cos(math.radians(latitude_deg))
    return SATELLITES * 365 / S2_CYCLE_DAYS * (S2_SWATH_KM + MGRS_TILE_KM) / spacing_km


def frames_over(bounds: tuple[float, float, float, float]) -> float:
    """Return how many OLCI frames a year touch an area with these bounds: west, south, east, north in degrees."""
    west, south, east, north = bounds
    shrink = math.cos(math.radians((south + north) / 2))
    width_km, height_km = EQUATOR_KM / 360 * (east - west) * shrink, EQUATOR_KM / 360 * (north - south)
    passes_a_day = SATELLITES * OLCI_ORBITS_A_DAY * min(1.0, (OLCI_SWATH_KM + width_km) / (EQUATOR_KM * shrink))
    return 365 * passes_a_day * (1 + height_km / OLCI_FRAME_KM)


def hours(value: float) -> str:
    """Return hours for people."""
    return f"{value:.1f} h" if value < 10 else f"{value:.0f} h"
