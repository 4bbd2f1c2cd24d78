"""The area's grid: tiles of 2,560 m, counted south and east from the upper left corner."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

TILE_M = 2560
"""Side of a tile in metres."""

TILE_10M_PX = TILE_M // 10
"""Side of a tile in 10 m pixels: 256."""

TILE_20M_PX = TILE_M // 20
"""Side of a tile in 20 m pixels: 128."""

SNAP_M = 60
"""The origin of a grid is a multiple of this, so that 10, 20 and 60 m pixels share edges with Sentinel-2's."""


class TileIndex(NamedTuple):
    """A tile of the grid: row counted south, column counted east, both from 0."""

    row: int
    col: int


@dataclass(frozen=True)
class Grid:
    """A north-up lattice of `rows` x `cols` tiles.

    Attributes:
        epsg: EPSG code of a projected CRS in metres.
        origin_x_m: x of the upper left corner, a multiple of 60.
        origin_y_m: y of the upper left corner, a multiple of 60.
        rows: number of tiles from north to south.
        cols: number of tiles from west to east.
    """

    epsg: int
    origin_x_m: int
    origin_y_m: int
    rows: int
    cols: int

    def __post_init__(self) -> None:
        if self.origin_x_m % SNAP_M or self.origin_y_m % SNAP_M:
            raise ValueError(f"grid origin ({self.origin_x_m}, {self.origin_y_m}) is not a multiple of {SNAP_M} m")
        if self.rows < 1 or self.cols < 1:
            raise ValueError(f"a grid has at least one tile, not {self.rows} x {self.cols}")

    @property
    def crs(self) -> str:
        """The CRS as `EPSG:n`."""
        return f"EPSG:{self.epsg}"

    @property
    def bounds_m(self) -> tuple[int, int, int, int]:
        """west, south, east, north in metres of the CRS."""
        return (
            self.origin_x_m,
            self.origin_y_m - self.rows * TILE_M,
            self.origin_x_m + self.cols * TILE_M,
            self.origin_y_m,
        )

    def shape_px(self, pixel_m: int) -> tuple[int, int]:
        """Return (ny, nx) of the area's raster with this pixel; a last partly covered pixel counts."""
        return math.ceil(self.rows * TILE_M / pixel_m), math.ceil(self.cols * TILE_M / pixel_m)

    def transform(self, pixel_m: int) -> tuple[float, float, float, float, float, float]:
        """GDAL-free affine coefficients (a, b, c, d, e, f): x = a col + b row + c, y = d col + e row + f."""
        return (float(pixel_m), 0.0, float(self.origin_x_m), 0.0, -float(pixel_m), float(self.origin_y_m))

    def tiles_within(self, bounds_m: tuple[float, float, float, float]) -> Iterator[TileIndex]:
        """Yield the tiles that share area with a box (west, south, east, north), row by row."""
        west, south, east, north = bounds_m
        first_col = max(0, math.floor((west - self.origin_x_m) / TILE_M))
        last_col = min(self.cols, math.ceil((east - self.origin_x_m) / TILE_M))
        first_row = max(0, math.floor((self.origin_y_m - north) / TILE_M))
        last_row = min(self.rows, math.ceil((self.origin_y_m - south) / TILE_M))
        for row in range(first_row, last_row):
            for col in range(first_col, last_col):
                yield TileIndex(row, col)

    @classmethod
    def covering(cls, epsg: int, bounds_m: tuple[float, float, float, float]) -> Grid:
        """Make the smallest grid over a box: origin snapped outwards to 60 m, extent to whole tiles."""
        west, south, east, north = bounds_m
        origin_x = math.floor(west / SNAP_M) * SNAP_M
        origin_y = math.ceil(north / SNAP_M) * SNAP_M
        return cls(
            epsg,
            origin_x,
            origin_y,
            rows=max(1, math.ceil((origin_y - south) / TILE_M)),
            cols=max(1, math.ceil((east - origin_x) / TILE_M)),
        )
