"""Put the rasters of labels into the cube."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
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

ARRAYS: Final[Mapping[str, str]] = {"labels": "class", "confidence": "confidence", "polygon": "polygon"}
"""Asset of a labels item -> array of the cube; items of rasterize's first version have the first alone."""


def update_labels(group: zarr.Group, classes: int, rasters: Mapping[str, Path], rank: Sequence[Any]) -> None:
    """Put the rasters of labels on the area's grid into the cube, tile row by tile row, unless better ones are there.

    An array whose raster there is none of is emptied: it would tell of other labels.

    Args:
        group: the label scheme's group.
        classes: K, number of classes.
        rasters: asset's name -> a GeoTIFF (y, x) on the area's grid at 10 m; `labels` is among them.
        rank: what they win by, compared from the first value on; the larger one stays.
    """
    there: Any = group.attrs.get(RANK)
    if there is not None and there > list(rank):
        return
    group.attrs[RANK] = list(rank)
    side = TILE_10M_PX
    with ExitStack() as stack:
        files = {name: stack.enter_context(rasterio.open(path, driver="GTiff")) for name, path in rasters.items()}
        height, width = files["labels"].shape
        for row in range(height // side):
            rows = slice(row * side, (row + 1) * side)
            window = Window(0, rows.start, width, side)
            strips = {name: file.read(1, window=window) for name, file in files.items()}
            tiles = strips["labels"].reshape(side, width // side, side)
            found = np.stack([(tiles == v).any(axis=(0, 2)) for v in range(1, classes + 1)], axis=1)
            write(group, "classes", (row,), found.astype(np.uint8))
            for name, array in ARRAYS.items():
                write(group, array, (rows, slice(None)), strips.get(name, 0))
