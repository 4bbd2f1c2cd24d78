"""How sure a score is: intervals from drawing the tested blocks again and again.

Neighbouring pixels err together, so pixels must not be drawn; a block with all its weeks is what is drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from services.trainer.places import Place
from services.trainer.score import confuse

DRAWS = 1000
LEVEL_PERCENT = 95

Array = npt.NDArray[Any]


class BlockConfusions:
    """A confusion matrix for each block, over all weeks.

    Args:
        classes: number of classes.
    """

    def __init__(self, classes: int) -> None:
        self._classes = classes
        self._blocks: dict[tuple[int, int], Array] = {}

    @classmethod
    def of(cls, parts: Iterable[BlockConfusions], classes: int) -> BlockConfusions:
        """Return the sum of several, block by block."""
        summed = cls(classes)
        for part in parts:
            for block, confusion in part._blocks.items():
                summed._blocks[block] = summed._blocks.get(block, 0) + confusion
        return summed

    def add(self, places: Sequence[Place], reference: Array, mapped: Array) -> None:
        """Add tested blocks.

        Args:
            places: n blocks in weeks.
            reference: uint8 (n, y, x): 0 = no reference.
            mapped: uint8 (n, y, x): 0 = not mapped.
        """
        for i, place in enumerate(places):
            block = place.row, place.col
            before = self._blocks.get(block, 0)
            self._blocks[block] = before + confuse(reference[i], mapped[i], self._classes)

    def counts(self) -> dict[str, Array]:
        """Return what was counted, for `restore`: int64 `places` (block, 2) and `confusions` (block, class, class)."""
        classes = self._classes
        return {
            "places": np.array(list(self._blocks), np.int64).reshape(-1, 2),
            "confusions": np.array(list(self._blocks.values()), np.int64).reshape(-1, classes, classes),
        }

    def restore(self, counts: Mapping[str, Array]) -> None:
        """Go on from what another one of the same classes had counted."""
        places = [(int(row), int(col)) for row, col in counts["places"]]
        self._blocks = dict(zip(places, counts["confusions"], strict=True))

    @property
    def total(self) -> Array:
        """Over all blocks: int64 (classes, classes), rows reference, columns map."""
        total: Array = self.blocks.sum(axis=0)
        return total

    def wrong(self, shape: tuple[int, ...]) -> Array:
        """Return the share of wrong pixels of each block: float64 (block row, block col), NaN where none is tested.

        Args:
            shape: block rows and columns of the area.
        """
        shares = np.full(shape, np.nan)
        for block, confusion in self._blocks.items():
            if confusion.any():
                shares[block] = 1 - np.trace(confusion) / confusion.sum()
        return shares

    @property
    def blocks(self) -> Array:
        """Of the blocks with a reference, by row and column: int64 (block, classes, classes)."""
        kept = [self._blocks[block] for block in sorted(self._blocks) if self._blocks[block].any()]
        return np.array(kept, np.int64).reshape(-1, self._classes, self._classes)


def accuracies(confusions: Array) -> Array:
    """Return the share of right pixels of each confusion matrix: (n, classes, classes) -> float64 (n,)."""
    hits = np.trace(confusions, axis1=1, axis2=2)
    share: Array = hits / np.maximum(confusions.sum(axis=(1, 2)), 1)
    return share


def mean_ious(confusions: Array) -> Array:
    """Return the mean IoU of the classes in the reference of each matrix: (n, classes, classes) -> float64 (n,)."""
    hits = np.diagonal(confusions, axis1=1, axis2=2).astype(np.float64)
    reference, mapped = confusions.sum(axis=2), confusions.sum(axis=1)
    ious = hits / np.maximum(reference + mapped - hits, 1)
    present = reference > 0
    mean: Array = (ious * present).sum(axis=1) / np.maximum(present.sum(axis=1), 1)
    return mean


STATISTICS: dict[str, Callable[[Array], Array]] = {"accuracy": accuracies, "miou": mean_ious}


def intervals(
    blocks: Array, beside: Array | None = None, seed: int = 0, percent: float = LEVEL_PERCENT
) -> dict[str, list[float]]:
    """Return the interval of each statistic, or of its gain over another method's on the same draws of blocks.

    Args:
        blocks: int64 (block, classes, classes) of a method.
        beside: the same of another method, on the same blocks.
        seed: of the draws.
        percent: of the draws that lie within an interval.

    Returns:
        `accuracy`, `miou`: [low, high], the middle of 1,000 draws; empty where there is no block.
    """
    if not len(blocks):
        return {}
    mine, other = draw_blocks(blocks, seed), None if beside is None else draw_blocks(beside, seed)
    found = {}
    for name, statistic in STATISTICS.items():
        values = statistic(mine) if other is None else statistic(mine) - statistic(other)
        found[name] = interval_of(values, percent)
    return found


def draw_blocks(blocks: Array, seed: int = 0) -> Array:
    """Draw as many blocks as there are, with repetition, and sum each draw: the same blocks for the same seed.

    Args:
        blocks: int64 (block, ...), at least one block; counts.
        seed: of the draws.

    Returns:
        int64 (DRAWS, ...).
    """
    weights = np.random.default_rng(seed).multinomial(len(blocks), np.full(len(blocks), 1 / len(blocks)), DRAWS)
    summed: Array = (weights @ blocks.reshape(len(blocks), -1)).reshape(DRAWS, *blocks.shape[1:])
    return summed


def interval_of(values: Array, percent: float = LEVEL_PERCENT) -> list[float]:
    """Return [low, high], the middle `percent` of the values of the draws: float (DRAWS,)."""
    tail = (100 - percent) / 2
    return [round(float(v), 6) for v in np.percentile(values, [tail, 100 - tail])]
