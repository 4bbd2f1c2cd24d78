"""The baseline: a random forest on single pixels, trained and tested on the same split as the networks."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import RandomForestClassifier

from services.trainer.score import confuse
from services.trainer.windows import Windows, sample_pixels, spectra

TREES = 100
SHARE = 0.25
"""Of the training pixels that each tree sees: a third of the time, and on real ground no lower score."""

MOST_PIXELS = 60_000
"""Training pixels are drawn down to this; more did not raise its score on real ground."""


def train_forest(windows: Windows, targets: npt.NDArray[Any], seed: int) -> RandomForestClassifier:
    """Train a forest.

    Args:
        windows: n windows.
        targets: uint8 (n, y, x): 0 = not trained on.
        seed: of the draw and of the trees.
    """
    chosen = sample_pixels(targets, MOST_PIXELS, np.random.default_rng(seed))
    forest = RandomForestClassifier(TREES, min_samples_leaf=3, max_samples=SHARE, n_jobs=2, random_state=seed)
    forest.fit(spectra(windows, chosen), targets[chosen])
    # Threads add up the trees' answers in the order in which they end, and a rounding decides a tie.
    return forest.set_params(n_jobs=1)


def confuse_forest(forest: RandomForestClassifier, windows: Windows, classes: int) -> npt.NDArray[Any]:
    """Confusion matrix of a forest over the labelled pixels of the blocks: int64 (classes, classes)."""
    blocks = np.zeros_like(windows.labels)
    windows.inner(blocks)[:] = windows.inner(windows.labels)
    chosen = sample_pixels(blocks, blocks.size, np.random.default_rng(0))
    if not len(chosen[0]):
        return np.zeros((classes, classes), np.int64)
    return confuse(blocks[chosen], forest.predict(spectra(windows, chosen)), classes)
