"""The true colour of a sheet in a week, thinned to a picture's size as it is read."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from shared.geo import TILE_10M_PX
from shared.raster.grid import Window
from shared.raster.render import render_true_colour

Array = npt.NDArray[Any]


class FineCube(Protocol):
    """What a picture reads of a cube."""

    def fine(self, week: str, window: Window) -> Array:
        """uint16 (ny, nx, 4): the 10 m bands, zero outside the grid."""


def read_true_colour(cube: FineCube, week: str, extent: Window, observed: Array, step: int) -> npt.NDArray[np.uint8]:
    """Read an extent a row of tiles at a time; a pixel is the mean of what was observed in a block.

    Args:
        cube: where values are read.
        week: `2018-W23`.
        extent: a sheet, in 10 m pixels of the grid.
        observed: bool (tile row, tile col) of the whole grid; rows without a tile are not read.
        step: side of a block in 10 m pixels.

    Returns:
        uint8 (y / step, x / step, 3), rounded up; 0 where nothing was observed.
    """
    rows, cols = -(-extent.ny // step), -(-extent.nx // step)
    sums = np.zeros((rows, cols, 3), np.uint64)
    counts = np.zeros((rows, cols, 1), np.uint64)
    starts = np.arange(0, extent.nx, step)
    first_tile, tiles = extent.x // TILE_10M_PX, -(-extent.nx // TILE_10M_PX)
    for top in range(0, extent.ny, TILE_10M_PX):
        tile_row = (extent.y + top) // TILE_10M_PX
        if not observed[tile_row, first_tile : first_tile + tiles].any():
            continue
        window = Window(extent.y + top, extent.x, min(TILE_10M_PX, extent.ny - top), extent.nx)
        bgr = cube.fine(week, window)[..., :3]
        seen = (bgr > 0).all(axis=-1, keepdims=True)
        blocks = (top + np.arange(window.ny)) // step
        np.add.at(sums, blocks, np.add.reduceat((bgr * seen).astype(np.uint32), starts, axis=1).astype(np.uint64))
        np.add.at(counts, blocks, np.add.reduceat(seen.astype(np.uint32), starts, axis=1).astype(np.uint64))
    return render_true_colour(sums / np.maximum(counts, 1))
