"""Where a scene's pixels lie on the area's grid: copied on its lattice, nearest from any other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pyproj import Transformer

from shared.geo import Grid
from shared.geo.grid import SNAP_M

Index = tuple[NDArray[np.intp], NDArray[np.intp]]


@dataclass(frozen=True)
class Lattice:
    """A raster's lattice.

    Attributes:
        crs: `EPSG:n`.
        x: x of the upper left corner, in CRS units.
        y: y of the upper left corner.
        pixel: side of a pixel in CRS units.
        shape: (ny, nx).
    """

    crs: str
    x: float
    y: float
    pixel: float
    shape: tuple[int, int]

    @classmethod
    def of_asset(cls, asset: dict[str, Any]) -> Lattice:
        """The lattice of an asset with the STAC projection extension."""
        a, _, x, _, _, y = asset["proj:transform"][:6]
        ny, nx = asset["proj:shape"]
        return cls(asset["proj:code"], x, y, a, (ny, nx))

    def fits(self, grid: Grid) -> bool:
        """Whether 10, 20 and 60 m pixels share edges with the area's: copied, not warped."""
        aligned = not (self.x - grid.origin_x_m) % SNAP_M and not (self.y - grid.origin_y_m) % SNAP_M
        return self.crs == grid.crs and aligned


def source_index(grid: Grid, lattice: Lattice, pixel_m: int, y: int, x: int, ny: int, nx: int) -> Index:
    """Row and column in the scene of each pixel centre of a window of the area's grid.

    Args:
        grid: the area's grid.
        lattice: the scene's.
        pixel_m: pixel of the window in metres.
        y: first row of the window.
        x: first column of the window.
        ny: rows.
        nx: columns.

    Returns:
        Two integer arrays that broadcast to (ny, nx); they may point outside the scene.
    """
    centre_y = grid.origin_y_m - (np.arange(y, y + ny)[:, None] + 0.5) * pixel_m
    centre_x = grid.origin_x_m + (np.arange(x, x + nx)[None, :] + 0.5) * pixel_m
    if lattice.crs != grid.crs:
        to_scene = Transformer.from_crs(grid.crs, lattice.crs, always_xy=True)
        full_x, full_y = np.broadcast_arrays(centre_x, centre_y)
        centre_x, centre_y = to_scene.transform(full_x, full_y)
    rows = np.floor((lattice.y - centre_y) / lattice.pixel).astype(np.intp)
    cols = np.floor((centre_x - lattice.x) / lattice.pixel).astype(np.intp)
    return rows, cols


def gather(raster: NDArray[Any], index: Index, outside: float = 0) -> NDArray[Any]:
    """Values (ny, nx, ...) of a raster (y, x, ...) at an index; `outside` where it points outside."""
    rows, cols = index
    inside = (rows >= 0) & (rows < raster.shape[0]) & (cols >= 0) & (cols < raster.shape[1])
    if not inside.any():
        return np.full((*inside.shape, *raster.shape[2:]), outside, raster.dtype)
    values: NDArray[Any] = raster[rows.clip(0, raster.shape[0] - 1), cols.clip(0, raster.shape[1] - 1)]
    values[~inside] = outside
    return values


def footprint_m(grid: Grid, lattice: Lattice) -> tuple[float, float, float, float]:
    """west, south, east, north of a scene in metres of the area's CRS, edges densified."""
    ny, nx = lattice.shape
    west, north = lattice.x, lattice.y
    east, south = west + nx * lattice.pixel, north - ny * lattice.pixel
    if lattice.crs == grid.crs:
        return west, south, east, north
    to_grid = Transformer.from_crs(lattice.crs, grid.crs, always_xy=True)
    x0, y0, x1, y1 = to_grid.transform_bounds(west, south, east, north, densify_pts=64)
    return x0, y0, x1, y1
