"""ESA's MGRS tiling of Sentinel-2: names, UTM zones and extents of the 109.8 km squares.

Source: Sentinel-2 Products Specification Document, tiling grid; MGRS lettering of NGA.SIG.0012.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import Transformer
from shapely.geometry import box
from shapely.geometry.base import BaseGeometry

LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ"
"""The MGRS alphabet: without I and O."""

BANDS = "CDEFGHJKLMNPQRSTUVWX"
TILE_SIDE_M = 109_800
SQUARE_M = 100_000
SNAP_M = 60
_NAME = re.compile(r"^T?(\d{2})([C-HJ-NP-X])([A-HJ-NP-Z])([A-HJ-NP-V])\Z", re.ASCII)


@dataclass(frozen=True)
class MgrsTile:
    """One MGRS tile such as `34TFR`: UTM zone, latitude band, column letter, row letter."""

    zone: int
    band: str
    column: str
    row: str

    @classmethod
    def parse(cls, name: str) -> MgrsTile:
        """Read `T34TFR` or `34TFR`.

        Raises:
            ValueError: the name is not of the grammar.
        """
        match = _NAME.match(name)
        if match is None or not 1 <= int(match[1]) <= 60:
            raise ValueError(f"{name!r} is not an MGRS tile such as T34TFR")
        return cls(int(match[1]), match[2], match[3], match[4])

    @property
    def name(self) -> str:
        """The name with ESA's leading T: `T34TFR`."""
        return f"T{self.zone:02d}{self.band}{self.column}{self.row}"

    @property
    def epsg(self) -> int:
        """EPSG code of the tile's UTM zone (WGS 84)."""
        return utm_zone_epsg(self.zone, north=self.band >= "N")

    @property
    def column_parity(self) -> int:
        """Parity of the column letter's index in the MGRS alphabet."""
        return LETTERS.index(self.column) % 2

    @property
    def row_parity(self) -> int:
        """Parity of the row letter's index in the MGRS alphabet."""
        return LETTERS.index(self.row) % 2


def upper_left_m(easting_100km: int, northing_100km: int) -> tuple[int, int]:
    """Upper left corner (x, y) in metres of the tile over a 100 km square: snapped to 60 m, outwards."""
    x = easting_100km * SQUARE_M // SNAP_M * SNAP_M
    y = math.ceil((northing_100km + 1) * SQUARE_M / SNAP_M) * SNAP_M
    return x, y


def square_letters(zone: int, easting_100km: int, northing_100km: int) -> tuple[str, str]:
    """Column and row letter of a 100 km square of a UTM zone."""
    column = LETTERS[8 * ((zone - 1) % 3) + easting_100km - 1]
    row = LETTERS[(northing_100km + (5 if zone % 2 == 0 else 0)) % 20]
    return column, row


def latitude_band(latitude_deg: float) -> str:
    """MGRS latitude band; X reaches from 72 to 84 degrees north."""
    return BANDS[min(19, max(0, math.floor((latitude_deg + 80) / 8)))]


def utm_zone(longitude_deg: float) -> int:
    """Return the UTM zone 1..60 of a longitude in -180..180; 180 itself belongs to zone 60."""
    return min(60, max(1, math.floor((longitude_deg + 180) / 6) + 1))


def zone_bounds_deg(zone: int) -> tuple[int, int]:
    """Return the longitudes in degrees between which a UTM zone lies."""
    return zone * 6 - 186, zone * 6 - 180


def utm_zone_epsg(zone: int, north: bool) -> int:
    """Return the EPSG code of a UTM zone (WGS 84) of one hemisphere."""
    return (32600 if north else 32700) + zone


def utm_epsg(longitude_deg: float, latitude_deg: float) -> int:
    """Return the EPSG code of the UTM zone (WGS 84) of a point."""
    return utm_zone_epsg(utm_zone(longitude_deg), north=latitude_deg >= 0)


def project(transformer: Transformer, geometry: BaseGeometry) -> BaseGeometry:
    """Move a geometry's vertices to another CRS."""

    def move(points: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.column_stack(transformer.transform(points[:, 0], points[:, 1]))

    return shapely.transform(geometry, move)


def tiles_over(aoi: BaseGeometry) -> Iterator[tuple[MgrsTile, tuple[int, int, int, int]]]:
    """Yield the tiles of each UTM zone of the AOI that share area with it there, with bounds in metres of that zone.

    A square is named after its zone only inside the zone's 6 degrees, as ESA does; its overlap may lie outside.

    Args:
        aoi: polygon in longitude, latitude (degrees).
    """
    west, south, east, north = aoi.bounds
    for zone in range(math.floor((west + 180) / 6) + 1, math.ceil((east + 180) / 6) + 1):
        first, last = zone_bounds_deg(zone)
        slice_ = aoi.intersection(box(first, south, last, north))
        if slice_.is_empty:
            continue
        epsg = utm_zone_epsg(zone, north=south + north >= 0)
        to_utm = Transformer.from_crs(4326, epsg, always_xy=True)
        to_degrees = Transformer.from_crs(epsg, 4326, always_xy=True)
        in_zone = project(to_utm, slice_)
        x0, y0, x1, y1 = in_zone.bounds
        for northing in range(math.floor(y0 / SQUARE_M), math.floor(y1 / SQUARE_M) + 1):
            for easting in range(max(1, math.floor(x0 / SQUARE_M)), min(8, math.floor(x1 / SQUARE_M)) + 1):
                square = box(
                    easting * SQUARE_M, northing * SQUARE_M, (easting + 1) * SQUARE_M, (northing + 1) * SQUARE_M
                )
                if not square.intersects(in_zone):
                    continue
                part = square.intersection(in_zone).centroid
                _, latitude = to_degrees.transform(part.x, part.y)
                column, row = square_letters(zone, easting, northing % 100)
                x, y = upper_left_m(easting, northing)
                yield (
                    MgrsTile(zone, latitude_band(latitude), column, row),
                    (x, y - TILE_SIDE_M, x + TILE_SIDE_M, y),
                )
