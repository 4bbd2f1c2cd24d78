"""The pure core: which swath pixel lies nearest to each lattice cell, exactly, without a tree.

Each swath pixel is offered to the cells around it, and a cell keeps the nearest. Distances are SNAP's,
dlat^2 + (cos lat dlon)^2 with the cell's latitude, on a sphere.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d

from services.reprojection.lattice import CELLS_PER_DEG, latitudes_deg
from shared.raster.grid import Window

CUT_OFF_M = 600.0
"""A cell with no swath pixel within this stays empty: two pixels of OLCI at full resolution."""

CELL_M = math.radians(1) * 6_371_008.8 / CELLS_PER_DEG
"""Height of a cell in metres on the mean sphere."""

_NONE = np.uint64(2**64 - 1)
_INDEX_BITS = np.uint64(32)
_MICROMETRES = 1e6
_ROWS_AT_ONCE = 64

Flat = NDArray[np.float64]


def nearest_source(
    latitude_deg: NDArray[np.float64],
    longitude_deg: NDArray[np.float64],
    candidate: NDArray[np.bool_],
    window: Window,
    cut_off_m: float = CUT_OFF_M,
) -> NDArray[np.int32]:
    """Index of the nearest candidate pixel of each cell.

    Pixels whose distances differ by less than a micrometre count as equally near: the smallest index wins.

    Args:
        latitude_deg: (row, column) of the swath.
        longitude_deg: (row, column), unwrapped.
        candidate: (row, column); False = never chosen.
        window: the cells.
        cut_off_m: farther pixels do not count.

    Returns:
        int32 (y, x): flat index into the swath, row * columns + column; -1 = none near enough.
    """
    cosines = np.cos(np.radians(latitudes_deg(window)))
    smallest = max(float(cosines.min()), 0.05)
    reach = cut_off_m / CELL_M
    full = (math.floor(reach + 0.5), math.floor(reach / smallest + 0.5))
    # Offered to one cell up and down and as far sideways, a pixel misses no cell within 1.5 cells of it. Only
    # around cells whose best is farther than that, the fringe and gaps, must pixels be offered to all in reach.
    first = (min(1, full[0]), min(full[1], math.ceil(1.5 / smallest - 0.5)))
    sure_m = 1.5 * CELL_M if first != full else math.inf
    # Twice as wide: a pixel beside the window reaches into it, and must not reach out of the field.
    field = _Field(window, cosines, (2 * full[0], 2 * full[1]), cut_off_m)
    for start in range(0, len(latitude_deg), _ROWS_AT_ONCE):
        block = slice(start, start + _ROWS_AT_ONCE)
        field.offer(*_flatten(latitude_deg, longitude_deg, candidate, block), first)
    if math.isfinite(sure_m):
        around = field.around_farther_than(sure_m, full)
        for start in range(0, len(latitude_deg), _ROWS_AT_ONCE):
            block = slice(start, start + _ROWS_AT_ONCE)
            field.offer(*_flatten(latitude_deg, longitude_deg, candidate, block), full, around)
    return field.indices()


class _Field:
    """The cells of a window with a border, each with its best offer so far.

    An offer is one number, micrometres << 32 | pixel, so that the smaller is nearer and, when equal, the smaller pixel.
    """

    def __init__(self, window: Window, cosines: Flat, border: tuple[int, int], cut_off_m: float) -> None:
        self.window, self.border, self.cut_off_m = window, border, cut_off_m
        self.stride = window.nx + 2 * border[1]
        self.best = np.full((window.ny + 2 * border[0]) * self.stride, _NONE, np.uint64)
        self.width_m = CELL_M * np.pad(cosines, border[0], mode="edge")

    def offer(
        self,
        row: Flat,
        col: Flat,
        index: NDArray[np.int64],
        reach: tuple[int, int],
        where: NDArray[np.bool_] | None = None,
    ) -> None:
        """Offer pixels to the cells around them.

        Args:
            row: lattice row of each pixel, with fraction, (pixel,).
            col: lattice column, likewise.
            index: flat index of each pixel.
            reach: cells up and down, cells left and right.
            where: of the field; pixels of cells that are False are left out.
        """
        row, col = row - (self.window.y - self.border[0]), col - (self.window.x - self.border[1])
        height = self.window.ny + 2 * self.border[0]
        inside = (row >= reach[0]) & (row < height - reach[0]) & (col >= reach[1]) & (col < self.stride - reach[1])
        cell_row, cell_col = np.floor(row).astype(np.int64), np.floor(col).astype(np.int64)
        if where is not None:
            inside[inside] = where[cell_row[inside] * self.stride + cell_col[inside]]
        cell_row, cell_col = cell_row[inside], cell_col[inside]
        cell, pixel = cell_row * self.stride + cell_col, index[inside].astype(np.uint64)
        up, left = row[inside] - (cell_row + 0.5), col[inside] - (cell_col + 0.5)
        for down in range(-reach[0], reach[0] + 1):
            square = ((up - down) * CELL_M) ** 2
            width = self.width_m[cell_row + down]
            for right in range(-reach[1], reach[1] + 1):
                distance = np.sqrt(square + ((left - right) * width) ** 2)
                near = np.flatnonzero(distance <= self.cut_off_m)
                offer = (distance[near] * _MICROMETRES).astype(np.uint64) << _INDEX_BITS | pixel[near]
                np.minimum.at(self.best, cell[near] + (down * self.stride + right), offer)

    def around_farther_than(self, distance_m: float, reach: tuple[int, int]) -> NDArray[np.bool_]:
        """Cells from which a pixel reaches one whose best is farther than this, (cell,)."""
        limit = np.uint64(distance_m * _MICROMETRES) << _INDEX_BITS
        far = (self.best > limit).reshape(-1, self.stride).astype(np.uint8)
        # The border takes no results; what is offered there is not looked at.
        far[: self.border[0]] = far[len(far) - self.border[0] :] = 0
        far[:, : self.border[1]] = far[:, self.stride - self.border[1] :] = 0
        far = maximum_filter1d(far, 2 * reach[0] + 1, axis=0)
        return np.asarray(maximum_filter1d(far, 2 * reach[1] + 1, axis=1).ravel() > 0)

    def indices(self) -> NDArray[np.int32]:
        """Return the pixel of each cell of the window, -1 = none."""
        rows, cols = self.border
        inner = self.best.reshape(-1, self.stride)[rows : rows + self.window.ny, cols : cols + self.window.nx]
        result = (inner & np.uint64(2**32 - 1)).astype(np.int64)
        return np.where(inner == _NONE, -1, result).astype(np.int32)


def _flatten(
    latitude_deg: NDArray[np.float64], longitude_deg: NDArray[np.float64], candidate: NDArray[np.bool_], rows: slice
) -> tuple[Flat, Flat, NDArray[np.int64]]:
    """(lattice row, lattice column, flat index) of the candidate pixels of some swath rows."""
    index = np.flatnonzero(candidate[rows]) + rows.start * candidate.shape[1]
    latitude, longitude = latitude_deg.ravel()[index], longitude_deg.ravel()[index]
    return (90 - latitude) * CELLS_PER_DEG, (longitude + 180) * CELLS_PER_DEG, index
