"""The course of a training: when it slows down, when it ends, and which epoch was best. No learning library."""

from __future__ import annotations

import math
from typing import NamedTuple

from shared.area.recipe import Recipe

PLATEAU_MIN_DELTA = 1e-4
"""What the loss must fall by, or the learning rate falls."""


class Turn(NamedTuple):
    """What follows from an epoch.

    Attributes:
        best: no epoch before had so low a loss.
        slower: the learning rate falls by `plateau_factor`.
        over: training ends.
    """

    best: bool
    slower: bool
    over: bool


class Course:
    """Watches the loss of validation, epoch by epoch.

    Args:
        settings: patience and least falls.
    """

    def __init__(self, settings: Recipe) -> None:
        self._settings = settings
        self._lowest = math.inf
        self._plateau = _Patience(PLATEAU_MIN_DELTA)
        self._end = _Patience(settings.early_stop_min_delta)

    def see(self, loss: float) -> Turn:
        """Take the loss of the next epoch into account; one that is not a number is never lower."""
        best = loss < self._lowest
        if best:
            self._lowest = loss
        slower = self._plateau.waited(loss) >= self._settings.plateau_patience
        if slower:
            self._plateau.waits = 0
        patience = self._settings.early_stop_patience
        over = 0 < patience <= self._end.waited(loss)
        return Turn(best, slower and self._settings.schedule == "plateau", over)


class _Patience:
    """Counts epochs since the loss last fell by more than `min_delta`."""

    def __init__(self, min_delta: float) -> None:
        self.waits = 0
        self._lowest, self._min_delta = math.inf, min_delta

    def waited(self, loss: float) -> int:
        if loss < self._lowest - self._min_delta:
            self._lowest, self.waits = loss, 0
        else:
            self.waits += 1
        return self.waits
