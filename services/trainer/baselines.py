"""The baselines beside a network: a forest of single pixels, and boosting on multi-scale features."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt
from sklearn.ensemble import RandomForestClassifier

from services.trainer.boosting import Boosting, map_cells, train_boosting
from services.trainer.bootstrap import BlockConfusions, intervals
from services.trainer.forest import map_labelled, train_forest
from services.trainer.places import Place
from services.trainer.score import measure
from services.trainer.windows import Windows

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Baselines:
    """What a network is compared with, trained on the same pixels.

    Attributes:
        forest: without context; scored on all pixels.
        boosting: with context; scored on each 20 m cell of each block in one of its weeks.
    """

    forest: RandomForestClassifier
    boosting: Boosting

    def map(self, windows: Windows, chosen: Collection[Place]) -> Mapped:
        """Map the labelled pixels of the blocks of windows.

        Args:
            windows: n windows.
            chosen: the blocks in weeks that boosting maps.
        """
        return Mapped(map_labelled(self.forest, windows), map_cells(self.boosting, windows.of(chosen)))


@dataclass(frozen=True)
class Mapped:
    """What the baselines say of the blocks of windows.

    Attributes:
        forest: uint8 (n, y, x), 0 where not labelled.
        boosting: uint8 (m, y, x), of those that it maps, 0 but for a labelled pixel of each 20 m cell.
    """

    forest: Array
    boosting: Array


def train_baselines(windows: Windows, targets: Array, seed: int) -> Baselines:
    """Train both.

    Args:
        windows: n windows.
        targets: uint8 (n, y, x): 0 = not trained on; at least one pixel is above 0.
        seed: of draws and trees.
    """
    return Baselines(train_forest(windows, targets, seed), train_boosting(windows, targets, seed))


class Beside:
    """Scores of a network and of its baselines on the same pixels, a few windows at a time.

    Args:
        classes: number of classes.
        chosen: the blocks in weeks that boosting is scored on.
    """

    def __init__(self, classes: int, chosen: Collection[Place]) -> None:
        self._chosen = chosen
        self.network, self._forest = BlockConfusions(classes), BlockConfusions(classes)
        self._cells, self._boosting = BlockConfusions(classes), BlockConfusions(classes)

    def add(self, windows: Windows, mapped: Mapped, found: Array, asked: Array | None = None) -> None:
        """Take windows into account.

        Args:
            windows: n windows.
            mapped: what the baselines of this network say.
            found: uint8 (n, y, x) of their blocks, as the network maps them.
            asked: bool (n, y, x) of their blocks: pixels that count; None = all that are labelled.
        """
        reference = windows.inner(windows.labels)
        if asked is not None:
            reference = reference * asked
        self.network.add(windows.places, reference, found)
        self._forest.add(windows.places, reference, mapped.forest)
        here = [i for i, place in enumerate(windows.places) if place in self._chosen]
        places, cells = [windows.places[i] for i in here], reference[here] * (mapped.boosting > 0)
        self._cells.add(places, cells, found[here])
        self._boosting.add(places, cells, mapped.boosting)

    def counts(self) -> dict[str, Array]:
        """Return what was counted so far, for `restore`."""
        return {f"{name}-{key}": a for name, c in self._counted().items() for key, a in c.counts().items()}

    def restore(self, counts: Mapping[str, Array]) -> None:
        """Go on from what another one, of the same classes and blocks, had counted; nothing where it is empty."""
        if counts:
            for name, counted in self._counted().items():
                counted.restore({key: counts[f"{name}-{key}"] for key in counted.counts()})

    def _counted(self) -> dict[str, BlockConfusions]:
        return {
            "network": self.network,
            "forest": self._forest,
            "cells": self._cells,
            "boosting": self._boosting,
        }

    def facts(self) -> dict[str, Any]:
        """Return the intervals of the network, both baselines, and the network's gain over each, on shared blocks."""
        blocks, cells = self.network.blocks, self._cells
        return {
            "blocks": len(blocks),
            "interval_95": intervals(blocks),
            "gain_95": intervals(blocks, self._forest.blocks),
            "forest": _baseline(self._forest),
            "boosting": {
                **_baseline(self._boosting),
                "gain_95": intervals(cells.blocks, self._boosting.blocks),
                "model": {name: measure(cells.total)[name] for name in ("accuracy", "miou", "pixels")},
            },
        }


def _baseline(scored: BlockConfusions) -> dict[str, Any]:
    measures = measure(scored.total)
    return {
        "accuracy": measures["accuracy"],
        "miou": measures["miou"],
        "iou": {value: row["iou"] for value, row in measures["per_class"].items()},
        "interval_95": intervals(scored.blocks),
    }
