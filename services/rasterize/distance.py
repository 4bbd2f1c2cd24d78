"""The pure core: how far a labelled pixel lies from the edge of its class."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

CAP_PX: Final = 255
"""Distances are capped at this: more than a byte can say."""

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
    distance = np.where(_touches_another(classes), np.uint8(1), np.uint8(cap))
    _spread_down(distance, cap)
    _spread_down(distance[::-1], cap)
    across = np.ascontiguousarray(distance.T)
    _spread_down(across, cap)
    _spread_down(across[::-1], cap)
    result: Raster = across.T * (classes > 0)
    return result


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
        # What lies farther than the cap changes nothing.
        first, last = max(0, top - cap), min(height, bottom + cap)
        yield top, edge_distance(read(first, last), cap)[top - first : bottom - first]


def _touches_another(classes: Raster) -> NDArray[np.bool_]:
    """Pixels one of whose eight neighbours is of another class: bool (y, x)."""
    touches = np.zeros(classes.shape, bool)
    upper, lower, left, right = np.s_[:-1, :], np.s_[1:, :], np.s_[:, :-1], np.s_[:, 1:]
    falling, rising = (np.s_[:-1, :-1], np.s_[1:, 1:]), (np.s_[1:, :-1], np.s_[:-1, 1:])
    for here, there in ((upper, lower), (left, right), falling, rising):
        differs = classes[here] != classes[there]
        touches[here] |= differs
        touches[there] |= differs
    return touches


def _spread_down(distance: Raster, cap: int) -> None:
    """Bring to each pixel of (y, x), in place, what it is from those above it, within 45 degrees: one more a row."""
    for y in range(1, len(distance)):
        above = distance[y - 1]
        nearest = above.copy()
        np.minimum(nearest[1:], above[:-1], out=nearest[1:])
        np.minimum(nearest[:-1], above[1:], out=nearest[:-1])
        np.minimum(nearest, cap - 1, out=nearest)  # so that one more is no overflow
        nearest += 1
        np.minimum(distance[y], nearest, out=distance[y])
