"""The area of applicability of a model: which cells of the cube are like the ground that it learned from.

After Meyer and Pebesma (2021), https://doi.org/10.1111/2041-210X.13650. The dissimilarity index of a cell is the
distance to the nearest training point, over the mean distance among training points, in the space of predictors that
are standardised and weighted by what they say of the classes. A cell applies where the index is at most what training
points have to those of other blocks, outliers left out. The trainer fits it, inference maps it.

A cell is 40 m: each band's mean over it, and its deviation over 3 x 3 cells. Networks read texture, and spectra alone
did not tell ground that is mapped well from ground that is not; single pixels would take 16 times as long.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from shared.sensors import CUBE_BANDS

CELL_PX: Final = 4
"""Side of a cell in 10 m px."""

SQUARE_CELLS: Final = 3
"""Side of the square, in cells, that a deviation is taken over."""

BANDS: Final = CUBE_BANDS["10m"] + CUBE_BANDS["20m"]
PREDICTORS: Final = tuple(f"{band} {what}" for what in ("mean", "deviation") for band in BANDS)
"""Names of the predictors, in order; of stored values."""

THRESHOLD: Final = 100
"""Percent at which the area of applicability ends; it is inside."""

MOST_UNLIKE: Final = 254
"""Percent that larger ones are told as."""

DISSIMILARITY_NODATA: Final = 255

Array = npt.NDArray[Any]


class BadApplicability(ValueError):
    """Raised when bytes are not an area of applicability, or one of other predictors; one line says why."""


@dataclass(frozen=True, eq=False)
class Applicability:
    """What a model learned from, as points in the space of predictors.

    Attributes:
        mean: float64 (predictor,), in stored values.
        deviation: float64 (predictor,), above 0.
        weight: float64 (predictor,), at least 0; 0 = networks do not see it.
        points: int64 (point, predictor), stored values.
        distance: mean distance among the points, scaled and weighted.
        threshold: dissimilarity index at which the area of applicability ends.
    """

    mean: Array
    deviation: Array
    weight: Array
    points: Array
    distance: float
    threshold: float

    def percent(self, predictors: Array, seen: Array) -> npt.NDArray[np.uint8]:
        """Return the dissimilarity index in percent of its threshold.

        Args:
            predictors: float64 (..., predictor), as of `cell_predictors`.
            seen: bool (...): cells that were observed.

        Returns:
            uint8 (...), rounded up: at most 100 inside the area of applicability, 254 = 254 or more, 255 = not seen.
        """
        edge = self.distance * self.threshold
        scaled = scale(predictors[seen], self.mean, self.deviation, self.weight)
        # What is far away needs no nearest point: the search gives up at the largest percentage.
        nearest, _ = self._tree.query(scaled, distance_upper_bound=edge * MOST_UNLIKE / THRESHOLD)
        percent = np.full(seen.shape, DISSIMILARITY_NODATA, np.uint8)
        percent[seen] = np.minimum(np.ceil(nearest / edge * THRESHOLD), MOST_UNLIKE)
        return percent

    @cached_property
    def _tree(self) -> Any:
        from scipy.spatial import cKDTree  # here: most who read a map have no use for it

        return cKDTree(scale(self.points, self.mean, self.deviation, self.weight))


def scale(predictors: Array, mean: Array, deviation: Array, weight: Array) -> Array:
    """Return predictors (..., predictor) standardised and weighted: distances are taken between these."""
    scaled: Array = (predictors - mean) / deviation * weight
    return scaled


def cell_predictors(fine: Array, coarse: Array) -> tuple[Array, npt.NDArray[np.bool_]]:
    """Compute the predictors of cells, of what was observed in all bands.

    Args:
        fine: uint16 (y, x, 4), stored values at 10 m, 0 = not observed; whole cells, and a ring of one cell around
            those that are asked for.
        coarse: uint16 (y/2, x/2, 6), of the same extent at 20 m.

    Returns:
        float64 (y/4 - 2, x/4 - 2, predictor), and bool (y/4 - 2, x/4 - 2): whether any of a cell was observed. Sums
        are of integers, so that a cell is the same whatever extent it is read with.
    """
    present = np.logical_and((coarse > 0).all(axis=-1), _in_blocks(fine > 0, 2).all(axis=(1, 3, 4)))
    cells = _sum_cells(present.astype(np.int64), 2)
    seen, around = _middle(cells) > 0, _sum_squares(cells)
    means, deviations = [], []
    for values, side in ((fine, CELL_PX), (coarse, CELL_PX // 2)):
        pixels = (side // 2) ** 2  # of a 20 m cell
        mask = present.repeat(side // 2, axis=0).repeat(side // 2, axis=1)
        for band in range(values.shape[-1]):
            one = np.where(mask, values[..., band], 0).astype(np.int64)
            total, squares = _sum_cells(one, side), _sum_cells(one * one, side)
            count = np.maximum(pixels * around, 1)
            mean = _sum_squares(total) / count
            variance = _sum_squares(squares) / count - mean * mean
            means.append(_middle(total) / np.maximum(pixels * _middle(cells), 1))
            deviations.append(np.sqrt(np.maximum(variance, 0)))
    return np.stack([*means, *deviations], axis=-1), seen


def _in_blocks(values: Array, side: int) -> Array:
    """View an array (y, x, ...) as its blocks: (y / side, side, x / side, side, ...)."""
    ny, nx = values.shape[:2]
    return values.reshape(ny // side, side, nx // side, side, *values.shape[2:])


def _sum_cells(values: Array, side: int) -> Array:
    summed: Array = _in_blocks(values, side).sum(axis=(1, 3))
    return summed


def _sum_squares(cells: Array) -> Array:
    """Sum over the square around each cell (y, x) that has a whole one."""
    summed: Array = sliding_window_view(cells, (SQUARE_CELLS, SQUARE_CELLS)).sum(axis=(2, 3))
    return summed


def _middle(cells: Array) -> Array:
    ring = SQUARE_CELLS // 2
    return cells[ring:-ring, ring:-ring]


def write_applicability(found: Applicability) -> bytes:
    """Write it as JSON; the same one gives the same bytes."""
    scaling = zip(PREDICTORS, found.mean, found.deviation, found.weight, strict=True)
    written = {
        "method": "Meyer and Pebesma 2021, https://doi.org/10.1111/2041-210X.13650",
        "cell_m": CELL_PX * 10,
        "square_cells": SQUARE_CELLS,
        "predictors": [
            {"name": name, "mean": float(mean), "deviation": float(deviation), "weight": float(weight)}
            for name, mean, deviation, weight in scaling
        ],
        "mean_distance": found.distance,
        "threshold": found.threshold,
        "points": found.points.tolist(),
    }
    return json.dumps(written, allow_nan=False, separators=(",", ":")).encode() + b"\n"


def read_applicability(data: bytes) -> Applicability:
    """Read what `write_applicability` wrote.

    Raises:
        BadApplicability: it is something else.
    """
    try:
        said = json.loads(data)
        names = tuple(predictor["name"] for predictor in said["predictors"])
        if (names, said["cell_m"], said["square_cells"]) != (PREDICTORS, CELL_PX * 10, SQUARE_CELLS):
            raise BadApplicability(f"its predictors are others: {', '.join(names)[:200]}")
        mean, deviation, weight = (
            np.array([predictor[name] for predictor in said["predictors"]], np.float64)
            for name in ("mean", "deviation", "weight")
        )
        points = np.array(said["points"], np.int64)
        found = Applicability(mean, deviation, weight, points, float(said["mean_distance"]), float(said["threshold"]))
    except BadApplicability:
        raise
    except (ValueError, TypeError, KeyError) as error:
        raise BadApplicability(f"not an area of applicability: {type(error).__name__} {str(error)[:200]}") from error
    positive = (*deviation, found.distance, found.threshold)
    if points.ndim != 2 or points.shape[1] != len(PREDICTORS) or not len(points):
        raise BadApplicability(f"its points have the shape {points.shape}")
    if not np.isfinite((*mean, *weight, *positive)).all() or min(positive) <= 0 or weight.min() < 0:
        raise BadApplicability("its scaling is not one: not finite, or not above 0")
    return found
