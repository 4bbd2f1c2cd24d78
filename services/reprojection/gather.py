"""Swath values on the lattice, taken by an index map, and interpolated where they are given at tie points only."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from services.reprojection import kernels
from services.reprojection.read_frame import Radiance, Ties
from shared.threads import on_parts

NO_FLAGS = 0xFFFFFFFF
"""Flags of a cell without a pixel: every bit, `invalid` among them, which no pixel has."""

_ROWS_AT_ONCE = 128


def gather_flags(flags: NDArray[np.uint32], index: NDArray[np.int32]) -> NDArray[np.uint32]:
    """Take the flags of the swath to the lattice.

    Args:
        flags: uint32 (row, column).
        index: int32 (y, x), flat indices into the swath; -1 = none.

    Returns:
        uint32 (y, x).
    """
    words = np.empty(index.shape, np.uint32)

    def take(rows: slice) -> None:
        kernels.take_flags(flags, index[rows], NO_FLAGS, words[rows])

    on_parts(len(index), _ROWS_AT_ONCE, take)
    return words


def gather_radiance(
    radiance: Radiance, index: NDArray[np.int32], words: NDArray[np.uint32], unusable: int
) -> NDArray[np.float32]:
    """Take the radiance of the swath to the lattice.

    Args:
        radiance: of the swath.
        index: int32 (y, x), flat indices into the swath; -1 = none.
        words: uint32 (y, x), the flags of the cells.
        unusable: flags of which any makes a cell NaN.

    Returns:
        float32 (y, x), NaN = no usable pixel.
    """
    values = np.empty(index.shape, np.float32)

    def take(rows: slice) -> None:
        kernels.take_radiance(radiance.packed, radiance.table, index[rows], words[rows], unusable, values[rows])

    on_parts(len(index), _ROWS_AT_ONCE, take)
    return values


def interpolate_ties(ties: Ties, index: NDArray[np.int32], columns: int) -> NDArray[np.float32]:
    """Interpolate values given at tie points, bilinear at the swath pixels of an index map.

    Args:
        ties: of the swath.
        index: int32 (y, x), flat indices into the swath; -1 = none.
        columns: columns of the swath.

    Returns:
        float32 (y, x), NaN = no pixel.
    """
    values = np.empty(index.shape, np.float32)

    def interpolate(rows: slice) -> None:
        kernels.interpolate_ties(ties.values, index[rows], columns, ties.across, ties.along, values[rows])

    on_parts(len(index), _ROWS_AT_ONCE, interpolate)
    return values
