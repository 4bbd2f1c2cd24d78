"""Examples for a model's card: held-out blocks in true colour, as the reference says, and as the model maps them."""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from services.trainer.windows import Place, Windows

MOST_EXAMPLES = 3

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Example:
    """A held-out block with its surroundings.

    Attributes:
        place: the block.
        fine: uint16 (y, x, 4), stored values; 0 = not observed.
        labels: uint8 (y, x), 0 = unlabelled or not observed.
        mapped: uint8 (y, x), 0 = not observed.
        margin: width of the surroundings in px.
    """

    place: Place
    fine: Array
    labels: Array
    mapped: Array
    margin: int


class Examples:
    """Keeps the blocks whose reference is richest, of those that are shown: most classes, then most labelled pixels.

    Each block is kept once, in its best week; the first one among equals.
    """

    def __init__(self) -> None:
        self._kept: list[tuple[tuple[int, int, int], Example]] = []
        self._seen = 0

    def show(self, windows: Windows, mapped: Array) -> None:
        """Take windows and their maps uint8 (n, y, x) into account."""
        inner = windows.inner(windows.labels)
        for i, place in enumerate(windows.places):
            self._seen -= 1  # earlier ones are larger: the first among equals stays
            present = np.count_nonzero(np.bincount(inner[i].ravel())[1:])
            rank = int(present), int(np.count_nonzero(inner[i])), self._seen
            if rank[1]:
                self._take(rank, place, windows, mapped, i)

    def _take(self, rank: tuple[int, int, int], place: Place, windows: Windows, mapped: Array, i: int) -> None:
        others = [k for k in self._kept if (k[1].place.row, k[1].place.col) != (place.row, place.col)]
        rivals: list[tuple[int, int, int]] = []
        if len(others) < len(self._kept):  # the block is kept already: only a better week takes its place
            rivals = [k[0] for k in self._kept if all(k is not other for other in others)]
        elif len(others) == MOST_EXAMPLES:
            rivals = [min(k[0] for k in others)]
        if any(rival > rank for rival in rivals):
            return
        fine, labels, shown = (a[i].copy() for a in (windows.msi_10m, windows.labels, mapped))
        example = Example(place, fine, labels, shown, windows.margin)
        self._kept = heapq.nlargest(MOST_EXAMPLES, [*others, (rank, example)], key=lambda k: k[0])

    @property
    def chosen(self) -> tuple[Example, ...]:
        """The richest first."""
        return tuple(example for _, example in self._kept)
