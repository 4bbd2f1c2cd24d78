"""What one tile holds in one week, over all resolutions: the sample of the thesis."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared.geo import TILE_M
from shared.raster.grid import Window

SIDES_PX: Final = {10: 256, 20: 128, 60: 43, 300: 9}
"""Pixel in metres -> pixels along a side of a tile's window; those of 60 and 300 m do not divide a tile."""


@dataclass(frozen=True)
class Sample:
    """The values of a tile-week, in the cube's encoding.

    Attributes:
        msi_10m: uint16 (256, 256, 4); 0 = not observed clear.
        msi_20m: uint16 (128, 128, 6); 0 = not observed clear.
        msi_60m: uint16 (43, 43, 2), of L1C (43, 43, 3); 0 = not observed clear or outside the grid.
        olci: float32 (9, 9, 21), radiance; NaN = not observed or outside the grid.
        labels: uint8 (256, 256); 0 = unlabelled.
    """

    msi_10m: NDArray[np.uint16]
    msi_20m: NDArray[np.uint16]
    msi_60m: NDArray[np.uint16]
    olci: NDArray[np.float32]
    labels: NDArray[np.uint8]


def tile_window(row: int, col: int, pixel_m: int) -> Window:
    """Return the window of a tile: centred on it, to half a pixel, however far from the grid's corner it lies.

    Args:
        row: of the tile.
        col: of the tile.
        pixel_m: 10, 20, 60 or 300.
    """
    side = SIDES_PX[pixel_m]
    y, x = (_start(index, side, pixel_m) for index in (row, col))
    return Window(y, x, side, side)


def _start(index: int, side: int, pixel_m: int) -> int:
    """Return the first pixel of a window whose middle is next to that of a tile; of two as near, the lower one."""
    twice = (2 * index + 1) * TILE_M - side * pixel_m  # of its first pixel's edge, in metres
    return -((pixel_m - twice) // (2 * pixel_m))
