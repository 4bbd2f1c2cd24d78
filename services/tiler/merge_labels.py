"""Put a class raster into the cube."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import rasterio
import zarr
from rasterio.windows import Window

from services.tiler.arrays import write
from shared.geo import TILE_10M_PX

RANK: Final = "rank"
"""Attribute of a label scheme's group: what the raster in it won by."""


def update_labels(group: zarr.Group, classes: int, raster: Path, rank: Sequence[Any]) -> None:
    """Put a class raster on the area's grid into the cube, tile row by tile row, unless a better one is there.

    Args:
        group: the label scheme's group.
        classes: K, number of classes.
        raster: a GeoTIFF uint8 (y, x) on the area's grid at 10 m.
        rank: what it wins by, compared from the first value on; the larger one stays.
    """
    there: Any = group.attrs.get(RANK)
    if there is not None and there > list(rank):
        return
    group.attrs[RANK] = list(rank)
    side = TILE_10M_PX
    with rasterio.open(raster, driver="GTiff") as file:
        rows, cols = file.height // side, file.width // side
        for row in range(rows):
            values = file.read(1, window=Window(0, row * side, file.width, side))
            tiles = values.reshape(side, cols, side)
            found = np.stack([(tiles == v).any(axis=(0, 2)) for v in range(1, classes + 1)], axis=1)
            write(group, "class", (slice(row * side, (row + 1) * side), slice(None)), values)
            write(group, "classes", (row,), found.astype(np.uint8))
