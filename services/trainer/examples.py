"""Examples for a model's card: held-out blocks in true colour, as the reference says, and as the model maps them."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from services.trainer.places import Place
from services.trainer.windows import Windows

MOST_EXAMPLES: Final = 2
"""Blocks of each kind."""

FEWEST_PIXELS: Final = 1000
"""Labelled pixels, a sixteenth of a block, that it needs to be called the best or the worst."""

Kind = Literal["worst", "richest", "best"]
Array = npt.NDArray[Any]
Rank = tuple[float, float, int]


@dataclass(frozen=True)
class Example:
    """A held-out block with its surroundings.

    Attributes:
        kind: why it is shown.
        place: the block.
        accuracy: share of its labelled pixels that the model maps right.
        pixels: how many these are.
        fine: uint16 (y, x, 4), stored values; 0 = not observed.
        labels: uint8 (y, x), 0 = unlabelled or not observed.
        mapped: uint8 (y, x), 0 = not observed.
        margin: width of the surroundings in px.
    """

    kind: Kind
    place: Place
    accuracy: float
    pixels: int
    fine: Array
    labels: Array
    mapped: Array
    margin: int


class Examples:
    """Keeps the worst, the richest and the best of the blocks that are shown: a few of each, whatever the area.

    Worst and best are so by accuracy, with labelled pixels enough; the richest have most classes, then most labelled
    pixels. Each block is kept once of a kind, in the week that serves the kind best; the first one among equals.
    """

    def __init__(self) -> None:
        self._kept: dict[Kind, _Kept] = {
            "worst": _Kept(lambda accuracy, pixels, classes: (-accuracy, pixels)),
            "richest": _Kept(lambda accuracy, pixels, classes: (classes, pixels)),
            "best": _Kept(lambda accuracy, pixels, classes: (accuracy, classes)),
        }

    def show(self, windows: Windows, mapped: Array) -> None:
        """Take windows and their maps uint8 (n, y, x) into account."""
        inner, found = windows.inner(windows.labels), windows.inner(mapped)
        for i, place in enumerate(windows.places):
            labelled = (inner[i] > 0) & (found[i] > 0)
            pixels = int(np.count_nonzero(labelled))
            if not pixels:
                continue
            accuracy = float(np.count_nonzero(labelled & (inner[i] == found[i])) / pixels)
            classes = int(np.count_nonzero(np.bincount(inner[i].ravel())[1:]))
            for kind, kept in self._kept.items():
                if kind == "richest" or pixels >= FEWEST_PIXELS:
                    make = partial(_cut, kind, accuracy, pixels, windows, mapped, i)
                    kept.take((accuracy, pixels, classes), place, make)

    @property
    def chosen(self) -> tuple[Example, ...]:
        """The worst first, then the richest and the best; a block that is of two kinds is shown as the first."""
        shown: dict[tuple[int, int], Example] = {}
        for kept in self._kept.values():
            for example in kept.chosen:
                shown.setdefault((example.place.row, example.place.col), example)
        return tuple(shown.values())


def _cut(kind: Kind, accuracy: float, pixels: int, windows: Windows, mapped: Array, i: int) -> Example:
    fine, labels, shown = (a[i].copy() for a in (windows.msi_10m, windows.labels, mapped))
    return Example(kind, windows.places[i], accuracy, pixels, fine, labels, shown, windows.margin)


class _Kept:
    """The `MOST_EXAMPLES` blocks of the highest rank."""

    def __init__(self, rank: Callable[[float, int, int], tuple[float, float]]) -> None:
        self._rank = rank
        self._kept: list[tuple[Rank, Example]] = []
        self._seen = 0

    def take(self, measures: tuple[float, int, int], place: Place, make: Callable[[], Example]) -> None:
        """Keep a block if it is among the highest; `make` is called only then."""
        self._seen -= 1  # earlier ones are larger: the first among equals stays
        rank: Rank = (*self._rank(*measures), self._seen)
        block = place.row, place.col
        others = [k for k in self._kept if (k[1].place.row, k[1].place.col) != block]
        rivals: list[Rank] = []
        if len(others) < len(self._kept):  # the block is kept already: only a better week takes its place
            rivals = [k[0] for k in self._kept if all(k is not other for other in others)]
        elif len(others) == MOST_EXAMPLES:
            rivals = [min(k[0] for k in others)]
        if all(rival < rank for rival in rivals):
            self._kept = heapq.nlargest(MOST_EXAMPLES, [*others, (rank, make())], key=lambda k: k[0])

    @property
    def chosen(self) -> tuple[Example, ...]:
        """The highest first."""
        return tuple(example for _, example in self._kept)
