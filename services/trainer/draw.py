"""Draw training pixels evenly over rare and common classes."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

RARITY = 0.5
"""A class of n pixels is drawn with weight n ** RARITY: 1 = as found, 0 = all classes alike."""


class Draw:
    """Draws training pixels: first a class, then one of its pixels.

    Args:
        targets: uint8 (n, y, x): 0 = no loss.
        rng: of the draws.
        most: pixels kept for one class.
        keeping: chance by which these are kept; None = `rng`.
    """

    def __init__(
        self, targets: Array, rng: np.random.Generator, most: int = 200_000, keeping: np.random.Generator | None = None
    ) -> None:
        self._rng = rng
        self._shape = targets.shape
        flat = targets.ravel()
        self._pixels: list[Array] = []
        weights = []
        for value in np.unique(flat[flat > 0]):
            pixels = np.flatnonzero(flat == value)
            weights.append(len(pixels) ** RARITY)
            if len(pixels) > most:
                pixels = np.sort((keeping or rng).choice(pixels, most, replace=False))
            self._pixels.append(pixels)
        self._share = np.array(weights) / sum(weights)

    def __call__(self, count: int) -> tuple[Array, Array, Array]:
        """(window, y, x) of `count` pixels."""
        classes = self._rng.choice(len(self._pixels), count, p=self._share)
        place = self._rng.random(count)
        flat = np.array([self._pixels[c][int(p * len(self._pixels[c]))] for c, p in zip(classes, place, strict=True)])
        window, y, x = np.unravel_index(flat, self._shape)
        return window, y, x
