"""Fit the area of applicability of a model, and score the held-out pixels inside and outside of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.spatial.distance import cdist
from sklearn.ensemble import RandomForestClassifier

from services.trainer.bootstrap import BlockConfusions, intervals
from services.trainer.score import measure
from services.trainer.split import BLOCK_PX
from services.trainer.windows import Windows, sample_pixels
from shared.area.training import TrainingSettings
from shared.raster.applicability import (
    BANDS,
    CELL_PX,
    PREDICTORS,
    THRESHOLD,
    Applicability,
    cell_predictors,
    scale,
)
from shared.sensors import CUBE_BANDS

MOST_POINTS = 5_000
"""Training points are drawn down to this: all distances among them take a second, and a map twelve microseconds of one
core for each cell of 40 m, a minute for a full sheet."""

TREES = 50
"""Of the forest that tells the importance of predictors, a second of one core."""

FEWEST_PIXELS = 1_000
"""Held-out pixels inside, or outside, that are scored by themselves; fewer say little."""

ROWS = 500
"""Points whose distances to all others are in memory at a time: 20 MB."""

DECIMALS = 6

Array = npt.NDArray[Any]


def fit_applicability(windows: Windows, targets: Array, settings: TrainingSettings) -> Applicability | None:
    """Fit the area of applicability of what networks learn from.

    Args:
        windows: n windows.
        targets: uint8 (n, y, x): 0 = not learned from.
        settings: the seed of the draw, and the bands that networks see.

    Returns:
        The same bits for the same arguments; None where training points lie in fewer than two blocks, or are all the
        same.
    """
    points, classes, block = _draw_points(windows, targets, np.random.default_rng(settings.seed))
    if len(np.unique(block)) < 2:
        return None
    mean = points.mean(axis=0).round(DECIMALS)
    deviation = np.maximum(points.std(axis=0), 1.0).round(DECIMALS)
    bands = BANDS if "msi_20m" in settings.inputs else CUBE_BANDS["10m"]
    used = np.array([name.split()[0] in bands for name in PREDICTORS])
    weight = _importance(points * used, classes, settings.seed).round(DECIMALS) * used
    distance, index = dissimilarities(scale(points, mean, deviation, weight), block)
    threshold = upper_whisker(index)
    if not distance * threshold:
        return None
    return Applicability(mean, deviation, weight, points, distance, threshold)


def dissimilarities(points: Array, block: Array) -> tuple[float, Array]:
    """Compare training points with those of other blocks.

    Args:
        points: float64 (point, predictor), scaled and weighted.
        block: int (point,): number of the block that each lies in; at least two.

    Returns:
        Mean distance among all pairs of points, and the dissimilarity index of each, float64 (point,): the distance to
        the nearest point of another block over that mean; 0 where the mean is.
    """
    total, nearest = 0.0, np.empty(len(points))
    for start in range(0, len(points), ROWS):
        rows = slice(start, start + ROWS)
        found = cdist(points[rows], points)
        total += float(found.sum())
        nearest[rows] = np.where(block[rows, None] == block, np.inf, found).min(axis=1)
    distance = total / (len(points) * (len(points) - 1))
    return distance, nearest / (distance or 1.0)


def upper_whisker(values: Array) -> float:
    """Return the third quartile of values (n,) + 1.5 times the distance of quartiles, at most the maximum."""
    low, high = np.percentile(values, (25, 75))
    return float(min(high + 1.5 * (high - low), values.max()))


def _draw_points(windows: Windows, targets: Array, rng: np.random.Generator) -> tuple[Array, Array, Array]:
    """Draw training pixels, and take the cells that they lie in, each once.

    Returns:
        Predictors int64 (point, predictor), classes uint8 (point,), number of the block int64 (point,).
    """
    blocks = windows.inner(targets)
    window, y, x = sample_pixels(blocks, MOST_POINTS, rng)
    cell = np.stack([window, y // CELL_PX, x // CELL_PX], axis=1)
    cells, first = np.unique(cell, axis=0, return_index=True)
    points = np.zeros((len(cells), len(PREDICTORS)), np.int64)
    for i in np.unique(cells[:, 0]):
        here = cells[:, 0] == i
        points[here] = np.rint(_block_predictors(windows, int(i))[0][cells[here, 1], cells[here, 2]])
    corners = np.array([(windows.places[i].row, windows.places[i].col) for i in cells[:, 0]]).reshape(-1, 2)
    _, number = np.unique(corners, axis=0, return_inverse=True)
    return points, blocks[window[first], y[first], x[first]], number.ravel()


def _block_predictors(windows: Windows, i: int) -> tuple[Array, Array]:
    """Predictors of the cells of a window's block, and which were observed; see `cell_predictors`."""
    fine, coarse = (
        slice((windows.margin - CELL_PX) // step, (windows.margin + BLOCK_PX + CELL_PX) // step) for step in (1, 2)
    )
    return cell_predictors(windows.msi_10m[i, fine, fine], windows.msi_20m[i, coarse, coarse])


def _importance(points: Array, classes: Array, seed: int) -> Array:
    """Return what each predictor says of the classes, float64 (predictor,): 1 in all; all alike where none does."""
    forest = RandomForestClassifier(TREES, min_samples_leaf=3, n_jobs=1, random_state=seed).fit(points, classes)
    importance: Array = forest.feature_importances_
    return importance if importance.any() else np.full(len(PREDICTORS), 1 / len(PREDICTORS))


class ApplicabilityScore:
    """Scores of a network on held-out pixels inside and outside of its area of applicability.

    Args:
        applicability: the network's.
        classes: number of classes.
    """

    def __init__(self, applicability: Applicability, classes: int) -> None:
        self._applicability = applicability
        self._inside, self._outside = BlockConfusions(classes), BlockConfusions(classes)

    def add(self, windows: Windows, found: Array) -> None:
        """Take windows into account: found uint8 (n, y, x) of their blocks, as the network maps them."""
        reference = windows.inner(windows.labels)
        for i, place in enumerate(windows.places):
            inside = self._is_inside(windows, i)
            self._inside.add([place], reference[i : i + 1] * inside, found[i : i + 1])
            self._outside.add([place], reference[i : i + 1] * ~inside, found[i : i + 1])

    def facts(self) -> dict[str, Any]:
        """`applicability` of `landstream:metrics`.

        The `threshold` of the dissimilarity index, the share of the held-out pixels inside, `inside_percent`, and the
        scores `inside` and `outside`, where either has a thousand pixels.
        """
        parts = {"inside": self._inside, "outside": self._outside}
        pixels = {name: int(part.total.sum()) for name, part in parts.items()}
        share = pixels["inside"] / max(sum(pixels.values()), 1)
        scored = {name: _scores(part) for name, part in parts.items() if pixels[name] >= FEWEST_PIXELS}
        return {
            "threshold": round(self._applicability.threshold, DECIMALS),
            "inside_percent": round(100 * share, 3),
            **scored,
        }

    def _is_inside(self, windows: Windows, i: int) -> Array:
        """Which pixels of a window's block are inside: bool (y, x)."""
        percent = self._applicability.percent(*_block_predictors(windows, i))
        return (percent <= THRESHOLD).repeat(CELL_PX, axis=0).repeat(CELL_PX, axis=1)


def _scores(part: BlockConfusions) -> dict[str, Any]:
    measures = measure(part.total)
    kept = {name: measures[name] for name in ("accuracy", "miou", "majority_accuracy", "pixels")}
    return {**kept, "blocks": len(part.blocks), "interval_95": intervals(part.blocks)}
