"""The pure core: how far a labelled pixel lies from the edge of its class."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.rasterize.kernels import measure
from shared.threads import on_parts

CAP_PX: Final = 255
"""Distances are capped at this: more than a byte can say."""

COLUMNS_PX: Final = 4096
"""Columns that one thread measures at a time."""

Raster = NDArray[np.uint8]


def edge_distance(classes: Raster, cap: int = CAP_PX) -> Raster:
    """Distance of each labelled pixel to the nearest pixel of another class, or without one.

    Chessboard distance, d: the square of 2 d - 1 pixels around the pixel is of one class, as far as the raster
    reaches, whose rim is no edge. It is exact for any number of classes at once: the last pixels before the nearest
    other one touch it, by a side or a corner.

    Args:
        classes: (y, x); 0 = unlabelled.
        cap: the largest distance that is told, in pixels, at most 255.

    Returns:
        uint8 (y, x) in pixels: 1 = touches another class, `cap` = that far or farther, 0 = unlabelled.
    """
    distance = np.empty(classes.shape, np.uint8)

    def measure_columns(columns: slice) -> None:
        # What lies farther than the cap changes nothing.
        west = max(0, columns.start - cap)
        part = np.ascontiguousarray(classes[:, west : columns.stop + cap])
        found = np.empty_like(part)
        measure(found, part, cap)
        distance[:, columns] = found[:, columns.start - west : columns.stop - west]

    on_parts(classes.shape[1], COLUMNS_PX, measure_columns)
    return distance


def edge_distances(
    read: Callable[[int, int], Raster], height: int, strip_px: int, cap: int = CAP_PX
) -> Iterator[tuple[int, Raster]]:
    """`edge_distance` of a raster that is too large for the memory, strip by strip from the north.

    Args:
        read: (first row, last row + 1) -> classes of these rows, uint8 (y, x); up to `strip_px` + 2 `cap` rows.
        height: rows of the raster.
        strip_px: rows of a strip; changes nothing.
        cap: as for `edge_distance`.

    Yields:
        (first row, uint8 (y, x)).
    """
    for top in range(0, height, strip_px):
        bottom = min(top + strip_px, height)
        first, last = max(0, top - cap), min(height, bottom + cap)
        yield top, edge_distance(read(first, last), cap)[top - first : bottom - first]
