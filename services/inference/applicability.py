"""Map how unlike the ground that a model learned from a sheet is in a week."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from shared.geo import TILE_10M_PX
from shared.raster.applicability import (
    CELL_PX,
    DISSIMILARITY_NODATA,
    THRESHOLD,
    Applicability,
    BadApplicability,
    cell_predictors,
    read_applicability,
)
from shared.raster.grid import Window
from shared.stage.declare import LocalItem, RejectScene

OUTSIDE = 2
"""What pixels outside the area of applicability are told as; 1 = inside, 0 = not mapped."""

Array = npt.NDArray[Any]


class MsiCube(Protocol):
    """What the layer reads of a cube."""

    def msi(self, week: str, y: int, x: int, ny: int, nx: int) -> tuple[Array, Array]:
        """uint16 (ny, nx, 4) and (ny/2, nx/2, 6), zero outside the grid."""


def load_applicability(model: LocalItem, asset: str) -> Applicability:
    """Read a model's area of applicability.

    Raises:
        RejectScene: it is not one of these predictors.
    """
    try:
        return read_applicability(model.paths[asset].read_bytes())
    except BadApplicability as error:
        raise RejectScene(model.item.id, str(error), "make it again: `landstream reprocess trainer`") from error


def map_dissimilarity(
    cube: MsiCube, weeks: Sequence[str], extent: Window, observed: Array, applicability: Applicability
) -> npt.NDArray[np.uint8]:
    """Map the dissimilarity index of an extent, a row of tiles in memory at a time.

    Args:
        cube: where values are read.
        weeks: those that the map reads, oldest first; each pixel is told by the newest that observed it.
        extent: a sheet, in 10 m pixels of the grid.
        observed: bool (tile row, tile col) of the whole grid; rows without a tile are not read.
        applicability: the model's.

    Returns:
        uint8 (y / 4, x / 4), of cells of 40 m: percent of the threshold, at most 100 inside the area of applicability,
        254 = 254 or more, 255 = not observed. Two sheets see the same ground along their border, so it never shows.
    """
    layer = np.full((extent.ny // CELL_PX, extent.nx // CELL_PX), DISSIMILARITY_NODATA, np.uint8)
    first, tiles = extent.x // TILE_10M_PX, extent.nx // TILE_10M_PX
    ring, height = 2 * CELL_PX, TILE_10M_PX // CELL_PX
    for number in range(extent.ny // TILE_10M_PX):
        y = extent.y + number * TILE_10M_PX
        if observed[y // TILE_10M_PX, first : first + tiles].any():
            place = Window(y - CELL_PX, extent.x - CELL_PX, TILE_10M_PX + ring, extent.nx + ring)
            bands = _read_newest(cube, weeks, place)
            layer[number * height : (number + 1) * height] = applicability.percent(*cell_predictors(*bands))
    return layer


def _read_newest(cube: MsiCube, weeks: Sequence[str], place: Window) -> tuple[Array, Array]:
    """Read the values of the newest week that observed each pixel, as of `MsiCube.msi`."""
    *earlier, last = weeks
    fine, coarse = cube.msi(last, place.y, place.x, place.ny, place.nx)
    for week in reversed(earlier):
        for newest, before in zip((fine, coarse), cube.msi(week, place.y, place.x, place.ny, place.nx), strict=True):
            unseen = ~newest.any(axis=-1)
            newest[unseen] = before[unseen]
    return fine, coarse


def split_by_applicability(values: Array, dissimilarity: Array) -> npt.NDArray[np.uint8]:
    """Tell the pixels of a map inside and outside of the area of applicability apart.

    Args:
        values: uint8 (ny, nx) at 10 m, 0 = not observed.
        dissimilarity: uint8 (ny / 4, nx / 4), as of `map_dissimilarity`.

    Returns:
        uint8 (ny, nx): 0 where nothing is mapped, 1 inside, 2 outside.
    """
    side = np.where(dissimilarity > THRESHOLD, OUTSIDE, 1).astype(np.uint8)
    split: npt.NDArray[np.uint8] = side.repeat(CELL_PX, axis=0).repeat(CELL_PX, axis=1) * (values > 0)
    return split
