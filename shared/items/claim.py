"""What a model claims of itself: the score on the strictest split that its hold-out allows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

FEWEST_BLOCKS: Final = 10
"""With fewer blocks an interval says little: of two equal models one would win in a quarter of all comparisons."""

HOLD_OUT: Final = "hold-out"
UNSEEN: Final = "hold-out's unseen polygons"


class Claim(NamedTuple):
    """A score and what it is of.

    Attributes:
        split: for people, after "on the".
        metrics: `accuracy`, `miou`, `majority_accuracy`, `pixels` and what else was measured on it; empty where the
            model was not scored.
    """

    split: str
    metrics: Mapping[str, Any]


def claim(metrics: Mapping[str, Any]) -> Claim:
    """Return what a model claims, of `landstream:metrics`.

    A network remembers the label polygons that it has seen, so held-out pixels of polygons that reach into training
    blocks score a little too well. Where enough blocks are left without these, what is left is claimed.
    """
    unseen = metrics.get("unseen_polygons", {})
    if unseen.get("blocks", 0) >= FEWEST_BLOCKS:
        return Claim(UNSEEN, unseen)
    return Claim(HOLD_OUT, metrics)
