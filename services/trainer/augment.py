"""Patches around drawn pixels, augmented: turned, mirrored, moved against their labels, with noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from services.trainer.draw import Draw
from services.trainer.ground import Ground
from services.trainer.windows import Windows
from shared.area.training import TrainingSettings

Array = npt.NDArray[Any]


class Batch(NamedTuple):
    """What one update learns from.

    Attributes:
        inputs: of the network.
        target: uint8 (batch, y, x): 0 = no loss.
        near: bool (batch, y, x): near a label edge, and counts less.
    """

    inputs: tuple[Array, ...]
    target: Array
    near: Array


@dataclass(frozen=True)
class Patches:
    """Cuts square patches from windows.

    Attributes:
        windows: n windows.
        ground: their labels.
        draw: draws the pixels that patches are cut around.
        rng: of augmentation.
        settings: sizes, and which augmentation.
        deviation: float64 (10,), of the stored values of training pixels.
    """

    windows: Windows
    ground: Ground
    draw: Draw
    rng: np.random.Generator
    settings: TrainingSettings
    deviation: Array

    def __call__(self) -> Batch:
        """Return the next batch, its inputs msi_10m uint16 (batch, y, x, 4) and msi_20m uint16 (batch, y/2, x/2, 6)."""
        count, side = self.settings.batch, self.settings.patch_px
        fine = np.empty((count, side, side, 4), np.uint16)
        coarse = np.empty((count, side // 2, side // 2, 6), np.uint16)
        target = np.empty((count, side, side), np.uint8)
        near = np.zeros((count, side, side), bool)
        limit = self.ground.targets.shape[1] - side
        for i, (window, y, x) in enumerate(zip(*self.draw(count), strict=True)):
            # An even origin keeps 10 and 20 m pixels aligned.
            top, left = (min(max(int(v) - int(self.rng.integers(0, side)), 0), limit) // 2 * 2 for v in (y, x))
            turns, mirrored = self._turn()
            where, labelled = self._moved(top, left, limit), (top, left, side)
            half = (where[0] // 2, where[1] // 2, side // 2)
            for out, values, (t, le, s) in (
                (fine, self.windows.msi_10m, (*where, side)),
                (coarse, self.windows.msi_20m, half),
                (target, self.ground.targets, labelled),
                *(() if self.ground.near is None else ((near, self.ground.near, labelled),)),
            ):
                patch = np.rot90(values[window, t : t + s, le : le + s], turns)
                out[i] = patch[:, ::-1] if mirrored else patch
        if self.settings.noise_share:
            fine, coarse = self._noisy(fine, self.deviation[:4]), self._noisy(coarse, self.deviation[4:])
        return Batch((fine, coarse), target, near)

    def _turn(self) -> tuple[int, bool]:
        """Quarter turns, and whether it is mirrored."""
        turns = int(self.rng.integers(0, 4)) if self.settings.rotations else 0
        return turns, bool(self.rng.integers(0, 2)) if self.settings.flips else False

    def _moved(self, top: int, left: int, limit: int) -> tuple[int, int]:
        """Where the bands of a patch are cut, whose labels are cut at (top, left); within the window, even."""
        most = self.settings.shift_px // 2
        if not most:
            return top, left
        down, right = (2 * int(step) for step in self.rng.integers(-most, most + 1, 2))
        limit = limit // 2 * 2
        return min(max(top + down, 0), limit), min(max(left + right, 0), limit)

    def _noisy(self, values: Array, deviation: Array) -> Array:
        """Add noise to stored values uint16 (..., band); 0, not observed, stays 0, and nothing else becomes it."""
        noise = self.rng.standard_normal(values.shape, np.float32) * (self.settings.noise_share * deviation)
        changed = np.clip(np.rint(values + noise), 1, np.iinfo(np.uint16).max).astype(np.uint16)
        return np.where(values > 0, changed, values)
