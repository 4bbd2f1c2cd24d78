"""Where a scene's pixels lie on the area's grid: copied on its lattice, nearest from any other."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pyproj import Transformer

from shared.geo import Grid
from shared.geo.grid import SNAP_M
from shared.raster.grid import Lattice

Index = tuple[NDArray[np.intp], NDArray[np.intp]]


def fits(lattice: Lattice, grid: Grid) -> bool:
    """Tell whether 10, 20 and 60 m pixels share edges with the area's: copied, not warped."""
    aligned = not (lattice.x - grid.origin_x_m) % SNAP_M and not (lattice.y - grid.origin_y_m) % SNAP_M
    return lattice.crs == grid.crs and aligned


def source_index(target: Lattice, scene: Lattice) -> Index:
    """Find the row and column in the scene of each pixel centre of a lattice.

    Args:
        target: of a window of the area's grid.
        scene: the scene's.

    Returns:
        Two integer arrays that broadcast to (ny, nx) of the target; they may point outside the scene.
    """
    ny, nx = target.shape
    centre_y = target.y - (np.arange(ny)[:, None] + 0.5) * target.pixel
    centre_x = target.x + (np.arange(nx)[None, :] + 0.5) * target.pixel
    if scene.crs != target.crs:
        to_scene = Transformer.from_crs(target.crs, scene.crs, always_xy=True)
        full_x, full_y = np.broadcast_arrays(centre_x, centre_y)
        centre_x, centre_y = to_scene.transform(full_x, full_y)
    rows = np.floor((scene.y - centre_y) / scene.pixel).astype(np.intp)
    cols = np.floor((centre_x - scene.x) / scene.pixel).astype(np.intp)
    return rows, cols


def gather(raster: NDArray[Any], index: Index, outside: float = 0) -> NDArray[Any]:
    """Take the values (ny, nx, ...) of a raster (y, x, ...) at an index; `outside` where it points outside."""
    rows, cols = index
    if _is_copied(index):
        return _copy(raster, int(rows[0, 0]), int(cols[0, 0]), (rows.shape[0], cols.shape[1]), outside)
    inside = (rows >= 0) & (rows < raster.shape[0]) & (cols >= 0) & (cols < raster.shape[1])
    if not inside.any():
        return np.full((*inside.shape, *raster.shape[2:]), outside, raster.dtype)
    values: NDArray[Any] = raster[rows.clip(0, raster.shape[0] - 1), cols.clip(0, raster.shape[1] - 1)]
    values[~inside] = outside
    return values


def _is_copied(index: Index) -> bool:
    """Tell whether an index is of a rectangle, row by row and column by column."""
    rows, cols = index
    lines = rows.shape[1] == cols.shape[0] == 1
    return lines and bool((np.diff(rows, axis=0) == 1).all() and (np.diff(cols, axis=1) == 1).all())


def _copy(raster: NDArray[Any], y: int, x: int, shape: tuple[int, int], outside: float) -> NDArray[Any]:
    y0, y1, x0, x1 = max(y, 0), min(y + shape[0], raster.shape[0]), max(x, 0), min(x + shape[1], raster.shape[1])
    if (y1 - y0, x1 - x0) == shape:
        return raster[y0:y1, x0:x1].copy()
    values = np.full((*shape, *raster.shape[2:]), outside, raster.dtype)
    if y0 < y1 and x0 < x1:
        values[y0 - y : y1 - y, x0 - x : x1 - x] = raster[y0:y1, x0:x1]
    return values


def footprint_m(grid: Grid, lattice: Lattice) -> tuple[float, float, float, float]:
    """Return west, south, east, north of a scene in metres of the area's CRS, edges densified."""
    if lattice.crs == grid.crs:
        return lattice.bounds
    to_grid = Transformer.from_crs(lattice.crs, grid.crs, always_xy=True)
    x0, y0, x1, y1 = to_grid.transform_bounds(*lattice.bounds, densify_pts=64)
    return x0, y0, x1, y1
