"""ESA's MGRS tiling of Sentinel-2: names, UTM zones and extents of the 109.8 km squares.

Source: Sentinel-2 Products Specification Document, tiling grid; MGRS lettering and zones of NGA.SIG.0012, with its
exceptions for Norway and Svalbard.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
import shapely
from pyproj import Transformer
from shapely.geometry import box
from shapely.geometry.base import BaseGeometry

from shared.geo.outline import polygon, project

LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ"
"""The MGRS alphabet: without I and O."""

BANDS = "CDEFGHJKLMNPQRSTUVWX"
SOUTH_DEG: Final = -80
NORTH_DEG: Final = 84
"""Between these latitudes UTM and MGRS are defined; Sentinel-2's tiles end there."""

ZONE_EXCEPTIONS: Final[Mapping[str, Mapping[int, tuple[int, int] | None]]] = {
    "V": {31: (0, 3), 32: (3, 12)},
    "X": {31: (0, 9), 32: None, 33: (9, 21), 34: None, 35: (21, 33), 36: None, 37: (33, 42)},
}
"""Latitude band -> UTM zone -> its longitudes in degrees where they are not six wide; None = there is no such zone.

Norway's west coast lies in 32V, Svalbard in four wide zones.
"""

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
            ValueError: the name is not of the grammar, or there is no such zone or square.
        """
        match = _NAME.match(name)
        if match is None or not 1 <= int(match[1]) <= 60:
            raise ValueError(f"{name!r} is not an MGRS tile such as T34TFR")
        tile = cls(int(match[1]), match[2], match[3], match[4])
        zone = f"{match[1]}{match[2]}"
        if not has_zone(tile.band, tile.zone):
            zones = ", ".join(f"{z}X" for z, bounds in ZONE_EXCEPTIONS["X"].items() if bounds)
            raise ValueError(f"{name!r} is not an MGRS tile: Svalbard lies in {zones}; there is no {zone}")
        easting, northing = tile.square
        off_middle = abs(northing + 0.5 - _band_middle_100km(tile.band))
        if not 1 <= easting <= 8 or off_middle > (_REACH_X_100KM if tile.band == "X" else _REACH_100KM):
            raise ValueError(f"{name!r} is not an MGRS tile: zone {zone} has no square {match[3]}{match[4]}")
        return tile

    @property
    def name(self) -> str:
        """The name with ESA's leading T: `T34TFR`."""
        return f"T{self.zone:02d}{self.band}{self.column}{self.row}"

    @property
    def epsg(self) -> int:
        """EPSG code of the tile's UTM zone (WGS 84)."""
        return utm_zone_epsg(self.zone, north=self.band >= "N")

    @property
    def square(self) -> tuple[int, int]:
        """Easting and northing of its 100 km square in the tile's UTM zone, in units of 100 km."""
        easting = LETTERS.index(self.column) - 8 * ((self.zone - 1) % 3) + 1
        row = (LETTERS.index(self.row) - _row_shift(self.zone)) % 20
        turns = round((_band_middle_100km(self.band) - 0.5 - row) / 20)
        return easting, row + 20 * turns

    @property
    def bounds_m(self) -> tuple[int, int, int, int]:
        """West, south, east, north of the 109.8 km tile, in metres of its UTM zone."""
        x, y = upper_left_m(*self.square)
        return x, y - TILE_SIDE_M, x + TILE_SIDE_M, y

    @property
    def outline(self) -> BaseGeometry:
        """The tile in longitude, latitude (degrees)."""
        ring = box(*self.bounds_m).segmentize(SQUARE_M / 8).exterior.coords[:-1]
        x, y = np.array(ring).T
        return polygon(*Transformer.from_crs(self.epsg, 4326, always_xy=True).transform(x, y))

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
    row = LETTERS[(northing_100km + _row_shift(zone)) % 20]
    return column, row


def _row_shift(zone: int) -> int:
    """Return at which letter the rows of a zone begin at the equator: A, or F in even zones."""
    return 5 if zone % 2 == 0 else 0


_REACH_100KM: Final = 6.0
_REACH_X_100KM: Final = 8.2
"""Half the height of a latitude band, and a square and a half for those on its edge."""


def _band_middle_100km(band: str) -> float:
    """Return the northing of a latitude band's middle on the central meridian of its zone, in units of 100 km."""
    latitude_deg = SOUTH_DEG + 8 * BANDS.index(band) + (6 if band == "X" else 4)
    angle = math.radians(latitude_deg)
    meridian_m = 111_132.954 * latitude_deg - 16_038.509 * math.sin(2 * angle) + 16.833 * math.sin(4 * angle)
    return (0.9996 * meridian_m + (0 if latitude_deg >= 0 else 10_000_000)) / SQUARE_M


def latitude_band(latitude_deg: float) -> str:
    """MGRS latitude band; X reaches from 72 to 84 degrees north."""
    return BANDS[min(19, max(0, math.floor((latitude_deg - SOUTH_DEG) / 8)))]


def utm_zone(longitude_deg: float, latitude_deg: float) -> int:
    """Return the UTM zone 1..60 of a point with a longitude in -180..180; 180 itself belongs to zone 60."""
    for zone, bounds in ZONE_EXCEPTIONS.get(latitude_band(latitude_deg), {}).items():
        if bounds and bounds[0] <= longitude_deg < bounds[1]:
            return zone
    return min(60, max(1, math.floor((longitude_deg + 180) / 6) + 1))


def has_zone(band: str, zone: int) -> bool:
    """Return whether there is a UTM zone in a latitude band: all but 32X, 34X and 36X."""
    exceptions = ZONE_EXCEPTIONS.get(band, {})
    return zone not in exceptions or exceptions[zone] is not None


def zone_bounds_deg(zone: int, latitude_deg: float) -> tuple[int, int]:
    """Return the longitudes in degrees between which a UTM zone lies at a latitude.

    Raises:
        ValueError: the zone does not exist there: 32, 34 and 36 north of 72 degrees.
    """
    band = latitude_band(latitude_deg)
    bounds = ZONE_EXCEPTIONS.get(band, {}).get(zone, (zone * 6 - 186, zone * 6 - 180))
    if bounds is None:
        raise ValueError(f"there is no UTM zone {zone}{band}")
    return bounds


@lru_cache(maxsize=120)
def zone_extent(zone: int, north: bool) -> BaseGeometry:
    """Return where a UTM zone of one hemisphere lies: polygon in longitude, latitude (degrees)."""
    rows = ((0, 56), (56, 64), (64, 72), (72, NORTH_DEG)) if north else ((SOUTH_DEG, 0),)
    pieces = []
    for south_deg, north_deg in rows:
        if has_zone(latitude_band(south_deg), zone):
            west_deg, east_deg = zone_bounds_deg(zone, south_deg)
            pieces.append(box(west_deg, south_deg, east_deg, north_deg))
    return shapely.union_all(pieces)


def utm_zone_epsg(zone: int, north: bool) -> int:
    """Return the EPSG code of a UTM zone (WGS 84) of one hemisphere."""
    return (32600 if north else 32700) + zone


def utm_epsg(longitude_deg: float, latitude_deg: float) -> int:
    """Return the EPSG code of the UTM zone (WGS 84) of a point."""
    return utm_zone_epsg(utm_zone(longitude_deg, latitude_deg), north=latitude_deg >= 0)


def zones_over(aoi: BaseGeometry) -> Iterator[tuple[int, BaseGeometry]]:
    """Yield the UTM zones, as EPSG codes, that share area with an AOI, and what of the AOI lies in each.

    Args:
        aoi: polygon in longitude, latitude (degrees).
    """
    frame = box(*aoi.bounds)
    for north in (True, False):
        for zone in range(1, 61):
            extent = zone_extent(zone, north)
            if not extent.intersects(frame):
                continue
            part = aoi.intersection(extent)
            if part.area > 0:
                yield utm_zone_epsg(zone, north), part


def tiles_over(aoi: BaseGeometry) -> Iterator[tuple[MgrsTile, tuple[int, int, int, int]]]:
    """Yield the tiles of each UTM zone of the AOI that share area with it there, with bounds in metres of that zone.

    A square is named after its zone only inside the zone, as ESA does; its overlap may lie outside. A square that
    reaches into two latitude bands bears the name of that with its centre.

    Args:
        aoi: polygon in longitude, latitude (degrees).
    """
    for epsg, part in zones_over(aoi):
        zone = epsg % 100
        in_zone = project(Transformer.from_crs(4326, epsg, always_xy=True), part.segmentize(0.05))
        to_degrees = Transformer.from_crs(epsg, 4326, always_xy=True)
        x0, y0, x1, y1 = in_zone.bounds
        for northing in range(max(0, math.floor(y0 / SQUARE_M)), min(99, math.floor(y1 / SQUARE_M)) + 1):
            for easting in range(max(1, math.floor(x0 / SQUARE_M)), min(8, math.floor(x1 / SQUARE_M)) + 1):
                square = box(
                    easting * SQUARE_M, northing * SQUARE_M, (easting + 1) * SQUARE_M, (northing + 1) * SQUARE_M
                )
                if not square.intersection(in_zone).area > 0:
                    continue
                _, latitude = to_degrees.transform(square.centroid.x, square.centroid.y)
                tile = MgrsTile(zone, latitude_band(latitude), *square_letters(zone, easting, northing))
                yield tile, tile.bounds_m
