"""The pure core: which swath pixel lies nearest to each lattice cell, exactly, without a tree.

Each swath pixel is offered to the cells around it, and a cell keeps the nearest. Distances are SNAP's,
dlat^2 + (cos lat dlon)^2 with the cell's latitude, on a sphere.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from services.reprojection.kernels import bound_blocks, offer
from services.reprojection.lattice import CELLS_PER_DEG, latitudes_deg
from shared.raster.grid import Window
from shared.threads import on_parts

CUT_OFF_M = 600.0
"""A cell with no swath pixel within this stays empty: two pixels of OLCI at full resolution."""

CELL_M = math.radians(1) * 6_371_008.8 / CELLS_PER_DEG
"""Height of a cell in metres on the mean sphere."""

_SURE_M = 1.0 * CELL_M
# ^ Offered to all cells within this, a pixel misses no cell that is nearer to it. Only around cells whose best is not
#   nearer than that, the fringe and gaps, must pixels be offered to all within the cut-off.
_BLOCK_PX = 32
_BLOCKS_AT_ONCE = 512
_ROWS_AT_ONCE = 64


def nearest_source(
    latitude_deg: NDArray[np.float64],
    longitude_deg: NDArray[np.float64],
    window: Window,
    cut_off_m: float = CUT_OFF_M,
) -> NDArray[np.int32]:
    """Index of the nearest pixel of each cell.

    Pixels whose distances are alike in whole micrometres count as equally near: the smallest index wins.

    Args:
        latitude_deg: (row, column) of the swath, C order; NaN = never chosen.
        longitude_deg: (row, column), likewise, unwrapped.
        window: the cells.
        cut_off_m: farther pixels do not count.

    Returns:
        int32 (y, x): flat index into the swath, row * columns + column; -1 = none near enough.
    """
    blocks = math.prod(-(-n // _BLOCK_PX) for n in latitude_deg.shape)
    bounds = np.tile([np.inf, -np.inf, np.inf, -np.inf], (blocks, 1))
    width_m = CELL_M * np.cos(np.radians(latitudes_deg(window)))
    nearest = np.full((window.ny, window.nx), -1, np.int32)
    cut_off_um = math.floor(cut_off_m * 1e6)
    passes = ((min(_SURE_M, cut_off_m), 0.0), (cut_off_m, math.floor(_SURE_M * 1e6)))

    def bound(part: slice) -> None:
        bound_blocks(latitude_deg, longitude_deg, _BLOCK_PX, CELLS_PER_DEG, part.start, part.stop, bounds)

    def fill(rows: slice) -> None:
        micrometres = np.full(nearest[rows].shape, cut_off_um + 1.0)
        for reach_m, least in passes:
            offer(
                latitude_deg, longitude_deg, _BLOCK_PX, bounds, CELLS_PER_DEG, CELL_M, width_m[rows],
                window.y + rows.start, window.x, reach_m, least, micrometres, nearest[rows],
            )  # fmt: skip

    on_parts(blocks, _BLOCKS_AT_ONCE, bound)
    on_parts(window.ny, _ROWS_AT_ONCE, fill)
    return nearest
