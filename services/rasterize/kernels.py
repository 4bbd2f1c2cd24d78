"""Compiled loops: polygons filled row by row as GDAL fills them, and distances to the edge of a class."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shared.compiled import compiled

Offsets = NDArray[np.int64]
Row = NDArray[np.uint8]


@compiled("int64(float64)")
def first_row(y: float) -> int:
    """Return the first row whose centre lies at `y` or below it."""
    row = int(np.ceil(y - 0.5))
    while row + 0.5 < y:
        row += 1
    while row - 0.5 >= y:
        row -= 1
    return row


@compiled("void(int64[::1])")
def sort(values: Offsets) -> None:
    """Sort in place; most rows of most polygons are crossed twice."""
    if len(values) > 32:
        values.sort()
        return
    for i in range(1, len(values)):
        value, slot = values[i], i
        while slot > 0 and values[slot - 1] > value:
            values[slot] = values[slot - 1]
            slot -= 1
        values[slot] = value


@compiled("void(uint32[:, ::1], int64, float64[::1], float64[::1], int64[::1], int64[::1], uint32[::1])")
def fill(
    stripe: NDArray[np.uint32],
    top: int,
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    rings: Offsets,
    polygons: Offsets,
    values: NDArray[np.uint32],
) -> None:
    """Fill polygons, the later over the earlier ones, exactly as `GDALdllImageFilledPolygon` does.

    A row's crossings are rounded to pixels and filled from odd to even; an edge that runs along a row's centres is
    filled where it runs west. Each edge is visited once, not once a row as there.

    Args:
        stripe: (y, x), filled in place.
        top: its first row.
        x: (vertex,) in pixels from the raster's corner.
        y: (vertex,) in pixels from there, southward.
        rings: (ring + 1,), first vertex of each ring, which ends where it begins.
        polygons: (polygon + 1,), first ring of each polygon.
        values: (polygon,).
    """
    rows, columns = stripe.shape
    bottom = top + rows
    starts = np.zeros(rows + 1, np.int64)
    free = np.zeros(rows, np.int64)
    crossings = np.empty(1024, np.int64)
    for polygon in range(len(values)):
        value = values[polygon]
        begin, end = rings[polygons[polygon]], rings[polygons[polygon + 1]]
        north, south = np.inf, -np.inf
        for i in range(begin, end):
            north, south = min(north, y[i]), max(south, y[i])
        first, last = max(top, first_row(north)), min(bottom, first_row(south) + 1)
        if first >= last:
            continue
        starts[first - top : last - top + 1] = 0
        for ring in range(polygons[polygon], polygons[polygon + 1]):
            for i in range(rings[ring] + 1, rings[ring + 1]):
                y0, y1 = min(y[i - 1], y[i]), max(y[i - 1], y[i])
                if y0 < y1:
                    for row in range(max(first, first_row(y0)), min(last, first_row(y1))):
                        starts[row - top + 1] += 1
                elif x[i - 1] > x[i]:
                    row = first_row(y0)
                    if row + 0.5 == y0 and first <= row < last:
                        west, east = int(np.floor(x[i] + 0.5)), int(np.floor(x[i - 1] + 0.5))
                        for column in range(max(0, west), min(columns, east)):
                            stripe[row - top, column] = value
        for row in range(first - top, last - top):
            starts[row + 1] += starts[row]
            free[row] = starts[row]
        if starts[last - top] > len(crossings):
            crossings = np.empty(2 * starts[last - top], np.int64)
        for ring in range(polygons[polygon], polygons[polygon + 1]):
            for i in range(rings[ring] + 1, rings[ring + 1]):
                a, b = (i - 1, i) if y[i - 1] < y[i] else (i, i - 1)
                if y[a] < y[b]:
                    for row in range(max(first, first_row(y[a])), min(last, first_row(y[b]))):
                        crossing = (row + 0.5 - y[a]) * (x[b] - x[a]) / (y[b] - y[a]) + x[a]
                        crossings[free[row - top]] = int(np.floor(crossing + 0.5))
                        free[row - top] += 1
        for row in range(first - top, last - top):
            sort(crossings[starts[row] : starts[row + 1]])
            for i in range(starts[row], starts[row + 1] - 1, 2):
                for column in range(max(0, crossings[i]), min(columns, crossings[i + 1])):
                    stripe[row, column] = value


@compiled("void(uint8[::1], uint8[::1], uint8[::1], uint8[::1], uint8)")
def mark_edges(line: Row, above: Row, here: Row, below: Row, cap: np.uint8) -> None:
    """Set the pixels of a row that touch another class, by a side or a corner, to 1, the others to the cap."""
    one = np.uint8(1)
    last = len(line) - 1
    for x in range(len(line)):  # selected, not branched to: so that many pixels are done at once
        line[x] = one if (here[x] != above[x]) | (here[x] != below[x]) else cap
    for x in range(last):
        differs = (here[x] != here[x + 1]) | (here[x] != above[x + 1]) | (here[x] != below[x + 1])
        line[x] = one if differs else line[x]
    for x in range(last):
        differs = (here[x + 1] != here[x]) | (here[x + 1] != above[x]) | (here[x + 1] != below[x])
        line[x + 1] = one if differs else line[x + 1]


@compiled("void(uint8[::1], uint8[::1], uint8)")
def lower(line: Row, beside: Row, cap: np.uint8) -> None:
    """Lower the distances of a row to one more than the nearest of the three neighbours in the row beside it.

    Args:
        line: (x,), at most `cap`, changed in place.
        beside: (x,), at most `cap`.
        cap: largest distance.
    """
    last = len(line) - 1
    for x in range(len(line)):
        line[x] = min(line[x], np.uint8(beside[x] + (beside[x] < cap)))
    for x in range(last):
        line[x] = min(line[x], np.uint8(beside[x + 1] + (beside[x + 1] < cap)))
    for x in range(last):
        line[x + 1] = min(line[x + 1], np.uint8(beside[x] + (beside[x] < cap)))


@compiled("void(uint8[:, ::1], uint8[:, ::1], int64)")
def measure(distance: NDArray[np.uint8], classes: NDArray[np.uint8], cap: int) -> None:
    """Measure how far each pixel lies from the edge of its class, by the chessboard, in a pass down and one up.

    Args:
        distance: (y, x), overwritten: 1 = touches another class, `cap` = that far or farther, 0 = unlabelled.
        classes: (y, x), 0 = unlabelled.
        cap: largest distance.
    """
    rows, columns = classes.shape
    far = np.uint8(cap)
    for y in range(rows):
        line = distance[y]
        mark_edges(line, classes[max(0, y - 1)], classes[y], classes[min(rows - 1, y + 1)], far)
        if y > 0:
            lower(line, distance[y - 1], far)
        nearest = far
        for x in range(columns):
            nearest = min(line[x], np.uint8(nearest + (nearest < far)))
            line[x] = nearest
    for y in range(rows - 1, -1, -1):
        line = distance[y]
        if y < rows - 1:
            lower(line, distance[y + 1], far)
        nearest = far
        for x in range(columns - 1, -1, -1):
            nearest = min(line[x], np.uint8(nearest + (nearest < far)))
            line[x] = nearest
    for y in range(rows):
        for x in range(columns):
            distance[y, x] = distance[y, x] if classes[y, x] != 0 else np.uint8(0)
