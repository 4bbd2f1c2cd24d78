"""The baseline: a random forest on single pixels, trained and tested on the same split as the networks."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import RandomForestClassifier

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


def map_labelled(forest: RandomForestClassifier, windows: Windows) -> npt.NDArray[Any]:
    """Map the labelled pixels of the blocks of windows: uint8 (n, y, x) of the blocks, 0 elsewhere."""
    blocks = np.zeros_like(windows.labels)
    windows.inner(blocks)[:] = windows.inner(windows.labels)
    chosen = sample_pixels(blocks, blocks.size, np.random.default_rng(0))
    mapped = np.zeros_like(blocks)
    if len(chosen[0]):
        mapped[chosen] = forest.predict(spectra(windows, chosen))
    return windows.inner(mapped)
