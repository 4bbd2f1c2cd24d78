"""The baseline with context: gradient boosting on the perceptron's multi-scale features, on the same split.

Spectral texture over several scales is worth more than depth on real ground, so a network that does not beat this one
has learned no shapes. What it costs is bounded, whatever the area: a network's training must not wait for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf
from sklearn.ensemble import HistGradientBoostingClassifier
from threadpoolctl import threadpool_limits

from services.trainer.fit import scaling_of
from services.trainer.networks.multiscale import TEXTURE_PX, build_texture
from services.trainer.places import Place
from services.trainer.windows import Windows, sample_pixels
from shared.items.model_inputs import ModelInputs

ROUNDS = 30
LEAVES = 31
LEARNING_RATE = 0.2
SHARE = 0.3
"""Of the features that each split chooses from: neighbours among them say the same, and it is three times as fast."""

LEVELS = 63
"""Steps that a feature is cut to."""

MOST_PIXELS = 30_000
"""Training pixels are drawn down to this: three seconds of one core for five classes."""

SQUARES = 256
"""Squares of ground that the training pixels are drawn from, all over the windows: pixels of one patch say the same.
Their features take two seconds."""

SQUARE_PX = 64
"""Side of a square; the features of its middle need all of it."""

RIM_PX = max(TEXTURE_PX) // 2
"""Width of the rim whose features would see an edge that is none."""

SQUARES_AT_ONCE = 16
"""Squares in one computation of features."""

STEP_PX = 2
"""Of the held-out pixels each second one of each second row is scored: one for each 20 m cell."""

Array = npt.NDArray[Any]
Features = Callable[[Array, Array], Array]
"""(msi_10m, msi_20m) of n windows -> float32 (n, y, x, feature)."""


@dataclass(frozen=True)
class Boosting:
    """A trained ensemble.

    Attributes:
        features: those that it reads.
        trees: from features to classes.
    """

    features: Features
    trees: HistGradientBoostingClassifier


def train_boosting(windows: Windows, targets: Array, seed: int) -> Boosting:
    """Train it.

    Args:
        windows: n windows.
        targets: uint8 (n, y, x): 0 = not trained on; at least one pixel is above 0.
        seed: of the draws and of the trees.

    Returns:
        The same bits for the same arguments, whatever runs beside it.
    """
    rng = np.random.default_rng(seed)
    features = _features_of(windows, targets)
    values, classes = _draw(features, windows, targets, rng)
    trees = HistGradientBoostingClassifier(
        learning_rate=LEARNING_RATE,
        max_iter=ROUNDS,
        max_leaf_nodes=LEAVES,
        max_features=SHARE,
        max_bins=LEVELS,
        early_stopping=False,
        random_state=seed,
    )
    # More threads than free cores wait for each other, a hundred times as long as they compute.
    with threadpool_limits(1, user_api="openmp"):
        trees.fit(values, classes)
    return Boosting(features, trees)


def map_cells(boosting: Boosting, windows: Windows) -> Array:
    """Map a labelled pixel of each 20 m cell in the blocks of windows: uint8 (n, y, x) of the blocks, 0 elsewhere."""
    labels = windows.inner(windows.labels)
    mapped = np.zeros_like(labels)
    with threadpool_limits(1, user_api="openmp"):
        for i in range(len(windows.places)):
            y, x = (STEP_PX * at for at in np.nonzero(labels[i, ::STEP_PX, ::STEP_PX]))
            if len(y):
                features = windows.inner(boosting.features(windows.msi_10m[i : i + 1], windows.msi_20m[i : i + 1]))
                mapped[i, y, x] = boosting.trees.predict(features[0, y, x])
    return mapped


def choose_weeks(places: Iterable[Place], seed: int) -> frozenset[Place]:
    """Choose a week of each block: more weeks of the same ground say little more, and cost as much each."""
    found: dict[tuple[int, int], list[Place]] = {}
    for place in places:
        found.setdefault((place.row, place.col), []).append(place)
    rng = np.random.default_rng(seed)
    return frozenset(found[block][int(rng.integers(len(found[block])))] for block in sorted(found))


def _features_of(windows: Windows, targets: Array) -> Features:
    texture = build_texture(ModelInputs(), scaling_of(windows, targets))
    compute = tf.function(
        lambda fine, coarse: texture([fine, coarse], training=False), autograph=False, reduce_retracing=True
    )

    def features(fine: Array, coarse: Array) -> Array:
        found: Array = compute(tf.constant(fine), tf.constant(coarse)).numpy()
        return found

    return features


def _draw(features: Features, windows: Windows, targets: Array, rng: np.random.Generator) -> tuple[Array, Array]:
    """Features and classes of drawn training pixels: float32 (m, feature), uint8 (m,), at most `MOST_PIXELS`."""
    centres = np.stack(sample_pixels(targets, SQUARES, rng), axis=1)
    most = -(-MOST_PIXELS // len(centres))
    values, classes = [], []
    for start in range(0, len(centres), SQUARES_AT_ONCE):
        squares = [_square(windows, targets, *map(int, c)) for c in centres[start : start + SQUARES_AT_ONCE]]
        fine, coarse, wanted = (np.stack(part) for part in zip(*squares, strict=True))
        found = features(fine, coarse)
        for i in range(len(wanted)):
            chosen = sample_pixels(wanted[i : i + 1], most, rng)
            values.append(found[i : i + 1][chosen])
            classes.append(wanted[i : i + 1][chosen])
    return np.concatenate(values), np.concatenate(classes)


def _square(windows: Windows, targets: Array, window: int, y: int, x: int) -> tuple[Array, Array, Array]:
    """Cut the square around a pixel, moved into the window and onto whole 20 m cells.

    Returns:
        msi_10m, msi_20m and targets of the square; the last are 0 on its rim, but where that is the window's own edge.
    """
    limit = targets.shape[1] - SQUARE_PX
    (top, rows), (left, cols) = (_around(at, limit) for at in (y, x))
    fine = slice(top, top + SQUARE_PX), slice(left, left + SQUARE_PX)
    coarse = slice(top // 2, (top + SQUARE_PX) // 2), slice(left // 2, (left + SQUARE_PX) // 2)
    wanted = np.zeros((SQUARE_PX, SQUARE_PX), targets.dtype)
    wanted[rows, cols] = targets[window][fine][rows, cols]
    return windows.msi_10m[window][fine], windows.msi_20m[window][coarse], wanted


def _around(at: int, limit: int) -> tuple[int, slice]:
    """Return where a square around a row or column begins, and which of its own see no edge that is none."""
    first = min(max(at - SQUARE_PX // 2, 0), limit) // 2 * 2
    return first, slice(RIM_PX if first > 0 else 0, SQUARE_PX - RIM_PX if first < limit else SQUARE_PX)
