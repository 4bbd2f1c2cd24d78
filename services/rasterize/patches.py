"""The pure core: what stands for polygons where a raster was delivered, patches of one class."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

PATCH_PX: Final = 128
"""Side of the squares that bound a patch, in pixels of 10 m: the forest of a whole country is not one patch, of which
a split by polygons would learn either everything or nothing."""

_CLASS_BITS: Final = 8


def number_patches(classes: NDArray[np.uint8], top: int, width: int) -> NDArray[np.uint32]:
    """Give each pixel of a strip the number of its patch, the pixels of one class within one square.

    Args:
        classes: (y, x), 0 = unlabelled; a strip over the whole width.
        top: its first row.
        width: of the raster, in pixels.

    Returns:
        uint32 (y, x): the square's number, from 0 on by row and column, times 256, plus the class; 0 = unlabelled.
    """
    across = -(-width // PATCH_PX)
    rows = (top + np.arange(classes.shape[0], dtype=np.uint32)) // PATCH_PX
    cols = np.arange(classes.shape[1], dtype=np.uint32) // PATCH_PX
    squares = rows[:, np.newaxis] * np.uint32(across) + cols
    return np.where(classes > 0, (squares << _CLASS_BITS) | classes, 0).astype(np.uint32)


def class_of_patch(numbers: NDArray[np.uint32]) -> NDArray[np.uint8]:
    """Return the classes of patches by their numbers: uint8, 0 = unlabelled."""
    return numbers.astype(np.uint8)
