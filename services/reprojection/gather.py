"""Swath values on the lattice, taken by an index map, and interpolated where they are given at tie points only."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

NO_FLAGS = 0xFFFFFFFF
"""Flags of a cell without a pixel: every bit, `invalid` among them, which no pixel has."""

_ROWS_AT_ONCE = 256


def gather(values: NDArray[Any], index: NDArray[np.int32], empty: float) -> NDArray[Any]:
    """Values of the swath on the lattice.

    Args:
        values: (row, column).
        index: (y, x) flat indices into the swath; -1 = none.
        empty: value of cells without a pixel.

    Returns:
        (y, x), of the values' dtype.
    """
    taken = values.ravel().take(index, mode="clip")
    taken[index < 0] = empty
    return taken


def interpolate_ties(
    ties: NDArray[np.float64], index: NDArray[np.int32], columns: int, across: int, along: int
) -> NDArray[np.float32]:
    """Values given at tie points, bilinear at the swath pixels of an index map.

    Args:
        ties: (tie row, tie column).
        index: (y, x) flat indices into the swath; -1 = none.
        columns: columns of the swath.
        across: swath columns from one tie point to the next.
        along: swath rows from one tie point to the next.

    Returns:
        float32 (y, x), NaN = no pixel.
    """
    result = np.empty(index.shape, np.float32)
    for start in range(0, len(index), _ROWS_AT_ONCE):  # float64 of a whole frame would take gigabytes
        rows = slice(start, start + _ROWS_AT_ONCE)
        result[rows] = _interpolate(ties, np.maximum(index[rows], 0), columns, across, along)
    result[index < 0] = np.nan
    return result


def _interpolate(
    ties: NDArray[np.float64], index: NDArray[np.int32], columns: int, across: int, along: int
) -> NDArray[np.float64]:
    row, column = np.divmod(index, np.int32(columns))
    y0, fy = _cell(row, along, ties.shape[0])
    x0, fx = _cell(column, across, ties.shape[1])
    y1, x1 = np.minimum(y0 + 1, ties.shape[0] - 1), np.minimum(x0 + 1, ties.shape[1] - 1)
    upper = ties[y0, x0] * (1 - fx) + ties[y0, x1] * fx
    lower = ties[y1, x0] * (1 - fx) + ties[y1, x1] * fx if along > 1 else upper
    return np.asarray(upper * (1 - fy) + lower * fy)


def _cell(position: NDArray[np.int32], step: int, count: int) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    first = np.minimum(position // step, count - 1)
    return first, np.clip((position - first * step) / step, 0.0, 1.0)
