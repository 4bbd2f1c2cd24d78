"""The compiled loops: the index map a stripe of cells at a time, and values taken by it."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from shared.compiled import compiled

_SLACK = 1 + 1e-9
"""What is left out by arithmetic alone lies farther than every rounding error."""

_COLUMNS_AT_ONCE = 256
"""A swath lies aslant: the pixels of a longer row of cells are more than a core's caches hold until the next row."""


@compiled("void(float64[:, ::1], float64[:, ::1], int64, float64, int64, int64, float64[:, ::1])")
def bound_blocks(
    latitude_deg: NDArray[np.float64],
    longitude_deg: NDArray[np.float64],
    block_px: int,
    cells_per_deg: float,
    first: int,
    last: int,
    bounds: NDArray[np.float64],
) -> None:
    """Find where the pixels of each block of the swath lie.

    Args:
        latitude_deg: (row, column), NaN = no pixel.
        longitude_deg: (row, column), unwrapped.
        block_px: rows and columns of a block.
        cells_per_deg: of the lattice.
        first: number of the first block, row by row.
        last: number of the block behind the last.
        bounds: float64 (block, 4), filled: first and last lattice row, first and last column, with fractions; a block
            without a pixel is left as it is.
    """
    blocks_across = -(-latitude_deg.shape[1] // block_px)
    for block in range(first, last):
        top, left = block // blocks_across * block_px, block % blocks_across * block_px
        for row in range(top, min(top + block_px, latitude_deg.shape[0])):
            for column in range(left, min(left + block_px, latitude_deg.shape[1])):
                y = (90 - latitude_deg[row, column]) * cells_per_deg
                x = (longitude_deg[row, column] + 180) * cells_per_deg
                if math.isfinite(y) and math.isfinite(x):
                    bounds[block, 0] = min(bounds[block, 0], y)
                    bounds[block, 1] = max(bounds[block, 1], y)
                    bounds[block, 2] = min(bounds[block, 2], x)
                    bounds[block, 3] = max(bounds[block, 3], x)


@compiled(
    "void(float64[:, ::1], float64[:, ::1], int64, int64, int64, float64, float64, float64[::1],"
    " int64, int64, float64, float64, float64[:, ::1], int32[:, ::1])"
)
def _offer_block(
    latitude_deg: NDArray[np.float64],
    longitude_deg: NDArray[np.float64],
    block_px: int,
    top: int,
    left: int,
    cells_per_deg: float,
    cell_m: float,
    width_m: NDArray[np.float64],
    first_y: int,
    first_x: int,
    reach_m: float,
    least: float,
    micrometres: NDArray[np.float64],
    nearest: NDArray[np.int32],
) -> None:
    """Offer a block's pixels to the cells around them; a cell keeps the nearest, of equally near ones the first.

    Args:
        latitude_deg: (row, column), NaN = no pixel.
        longitude_deg: (row, column), unwrapped.
        block_px: rows and columns of a block.
        top: first row of the block.
        left: first column of the block.
        cells_per_deg: of the lattice.
        cell_m: height of a cell.
        width_m: of a cell of each row, (y,).
        first_y: lattice row of the cells' first one.
        first_x: lattice column of the cells' first one.
        reach_m: every cell within this is offered each pixel.
        least: cells whose best is nearer than this, in micrometres, are left as they are.
        micrometres: float64 (y, x), changed: whole micrometres to the best so far.
        nearest: int32 (y, x), changed: flat index of the best so far, -1 = none.
    """
    ny, nx = nearest.shape
    up, slack = reach_m / cell_m * _SLACK, 1e-12 * _SLACK
    for row in range(top, min(top + block_px, latitude_deg.shape[0])):
        for column in range(left, min(left + block_px, latitude_deg.shape[1])):
            y = (90 - latitude_deg[row, column]) * cells_per_deg - first_y
            x = (longitude_deg[row, column] + 180) * cells_per_deg - first_x
            if not (-up <= y <= ny + up and math.isfinite(x)):
                continue
            pixel = row * latitude_deg.shape[1] + column
            for cell_y in range(max(math.ceil(y - 0.5 - up), 0), min(math.floor(y - 0.5 + up), ny - 1) + 1):
                across = reach_m / width_m[cell_y] * _SLACK
                square = ((y - (cell_y + 0.5)) * cell_m) ** 2
                for cell_x in range(max(math.ceil(x - 0.5 - across), 0), min(math.floor(x - 0.5 + across), nx - 1) + 1):
                    held = micrometres[cell_y, cell_x]
                    squared = square + ((x - (cell_x + 0.5)) * width_m[cell_y]) ** 2
                    if held < least or squared > (held + 1) ** 2 * slack:
                        continue
                    distance = math.sqrt(squared)
                    offered = math.floor(distance * 1e6)
                    if distance <= reach_m and (
                        offered < held or (offered == held and pixel < nearest[cell_y, cell_x])
                    ):
                        micrometres[cell_y, cell_x] = offered
                        nearest[cell_y, cell_x] = pixel


@compiled("boolean(float64[:, ::1], UniTuple(int64, 2), UniTuple(int64, 2), float64)")
def _any_as_far(
    micrometres: NDArray[np.float64], rows: tuple[int, int], columns: tuple[int, int], least: float
) -> bool:
    """Whether the best of any cell of a box lies as far as `least` or farther."""
    for y in range(rows[0], rows[1]):
        for x in range(columns[0], columns[1]):
            if micrometres[y, x] >= least:
                return True
    return False


@compiled(
    "void(float64[:, ::1], float64[:, ::1], int64, float64[:, ::1], float64, float64, float64[::1],"
    " int64, int64, float64, float64, float64[:, ::1], int32[:, ::1])"
)
def offer(
    latitude_deg: NDArray[np.float64],
    longitude_deg: NDArray[np.float64],
    block_px: int,
    bounds: NDArray[np.float64],
    cells_per_deg: float,
    cell_m: float,
    width_m: NDArray[np.float64],
    first_y: int,
    first_x: int,
    reach_m: float,
    least: float,
    micrometres: NDArray[np.float64],
    nearest: NDArray[np.int32],
) -> None:
    """Offer each pixel to the cells within reach; a cell keeps the nearest, of equally near ones the first.

    Args:
        latitude_deg: (row, column), NaN = no pixel.
        longitude_deg: (row, column), unwrapped.
        block_px: rows and columns of a block of the swath.
        bounds: of each block, from `bound_blocks`.
        cells_per_deg: of the lattice.
        cell_m: height of a cell.
        width_m: of a cell of each row, (y,).
        first_y: lattice row of the cells' first one.
        first_x: lattice column of the cells' first one.
        reach_m: how far pixels are offered.
        least: cells whose best is nearer than this, in micrometres, are left as they are.
        micrometres: float64 (y, x), changed: whole micrometres to the best so far.
        nearest: int32 (y, x), changed: flat index into the swath of the best so far, -1 = none.
    """
    ny, nx = nearest.shape
    up, across = reach_m / cell_m + 1, reach_m / width_m.min() + 1
    blocks_across = -(-latitude_deg.shape[1] // block_px)
    for block in range(len(bounds)):
        top, bottom = bounds[block, 0] - first_y - up, bounds[block, 1] - first_y + up
        left, right = bounds[block, 2] - first_x - across, bounds[block, 3] - first_x + across
        if top < ny and bottom > 0 and left < nx and right > 0:
            rows = max(int(top), 0), min(int(bottom) + 1, ny)
            columns = max(int(left), 0), min(int(right) + 1, nx)
            if _any_as_far(micrometres, rows, columns, least):
                _offer_block(
                    latitude_deg, longitude_deg, block_px, block // blocks_across * block_px,
                    block % blocks_across * block_px, cells_per_deg, cell_m, width_m, first_y, first_x, reach_m,
                    least, micrometres, nearest,
                )  # fmt: skip


@compiled("void(float64[::1], float64[::1], float64, float64[::1])")
def find_extent(
    latitude_deg: NDArray[np.float64],
    longitude_deg: NDArray[np.float64],
    largest_latitude_deg: float,
    extent_deg: NDArray[np.float64],
) -> None:
    """Find the box that holds all pixels.

    Args:
        latitude_deg: (pixel,), NaN = no pixel.
        longitude_deg: (pixel,).
        largest_latitude_deg: pixels nearer to a pole do not count.
        extent_deg: float64 (4,), filled: south, north, west, east; inf, -inf, inf, -inf where there is none.
    """
    south, north, west, east = np.inf, -np.inf, np.inf, -np.inf
    for pixel in range(len(latitude_deg)):
        if abs(latitude_deg[pixel]) <= largest_latitude_deg and math.isfinite(longitude_deg[pixel]):
            south, north = min(south, latitude_deg[pixel]), max(north, latitude_deg[pixel])
            west, east = min(west, longitude_deg[pixel]), max(east, longitude_deg[pixel])
    extent_deg[:] = south, north, west, east


@compiled("void(uint32[:, ::1], int32[:, ::1], uint32, uint32[:, ::1])")
def take_flags(flags: NDArray[np.uint32], index: NDArray[np.int32], empty: int, taken: NDArray[np.uint32]) -> None:
    """Take the flags of each cell's pixel.

    Args:
        flags: uint32 (row, column).
        index: int32 (y, x), flat into the swath, -1 = none.
        empty: value of cells without a pixel.
        taken: uint32 (y, x), filled.
    """
    flat = flags.ravel()
    for left in range(0, index.shape[1], _COLUMNS_AT_ONCE):
        for y in range(index.shape[0]):
            for x in range(left, min(left + _COLUMNS_AT_ONCE, index.shape[1])):
                pixel = index[y, x]
                taken[y, x] = flat[pixel] if pixel >= 0 else empty


@compiled("void(uint16[:, ::1], float32[::1], int32[:, ::1], uint32[:, ::1], uint32, float32[:, ::1])")
def take_radiance(
    packed: NDArray[np.uint16],
    table: NDArray[np.float32],
    index: NDArray[np.int32],
    words: NDArray[np.uint32],
    unusable: int,
    taken: NDArray[np.float32],
) -> None:
    """Take and unpack the radiance of each cell's pixel.

    Args:
        packed: uint16 (row, column).
        table: float32 (65536,), radiance of each packed value, NaN = fill.
        index: int32 (y, x), flat into the swath, -1 = none.
        words: uint32 (y, x), flags of the cells.
        unusable: flags of which any makes a cell NaN.
        taken: float32 (y, x), filled; NaN = no usable pixel.
    """
    flat = packed.ravel()
    for left in range(0, index.shape[1], _COLUMNS_AT_ONCE):
        for y in range(index.shape[0]):
            for x in range(left, min(left + _COLUMNS_AT_ONCE, index.shape[1])):
                pixel = index[y, x]
                taken[y, x] = table[flat[pixel]] if pixel >= 0 and words[y, x] & unusable == 0 else np.nan


@compiled("void(float64[:, ::1], int32[:, ::1], int64, int64, int64, float32[:, ::1])")
def interpolate_ties(
    ties: NDArray[np.float64],
    index: NDArray[np.int32],
    columns: int,
    across: int,
    along: int,
    values: NDArray[np.float32],
) -> None:
    """Interpolate values given at tie points, bilinear at each cell's pixel.

    Args:
        ties: float64 (tie row, tie column).
        index: int32 (y, x), flat into the swath, -1 = none.
        columns: columns of the swath.
        across: swath columns from one tie point to the next.
        along: swath rows from one tie point to the next.
        values: float32 (y, x), filled; NaN = no pixel.
    """
    last_y, last_x = ties.shape[0] - 1, ties.shape[1] - 1
    for y in range(index.shape[0]):
        for x in range(index.shape[1]):
            if index[y, x] < 0:
                values[y, x] = np.nan
                continue
            row, column = index[y, x] // columns, index[y, x] % columns
            upper, left = min(row // along, last_y), min(column // across, last_x)
            down = min((row - upper * along) / along, 1.0)
            right = min((column - left * across) / across, 1.0)
            lower, beside = min(upper + 1, last_y), min(left + 1, last_x)
            above = ties[upper, left] * (1 - right) + ties[upper, beside] * right
            below = ties[lower, left] * (1 - right) + ties[lower, beside] * right
            values[y, x] = above * (1 - down) + below * down
