"""How much each member of a committee counts, told by pixels that none of them learned from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

ROUNDS, SETTLED = 500, 1e-7


def vote_weights(shares: Sequence[Array]) -> tuple[float, ...]:
    """Return the weights under which the vote gives the right classes the greatest likelihood.

    They are the weights of a mixture whose parts are known, found by expectation-maximisation from equal ones: the
    likelihood has one summit.

    Args:
        shares: of each member float (pixel,), its probability of the right class at the same pixels; at least one.

    Returns:
        One weight for each member, at least 0, sums to 1; equal ones where no member knows anything.
    """
    right = np.maximum(np.stack(shares, axis=1).astype(np.float64), 1e-6)
    weights = np.full(right.shape[1], 1 / right.shape[1])
    for _ in range(ROUNDS):
        parts = right * weights
        after = (parts / parts.sum(axis=1, keepdims=True)).mean(axis=0)
        moved = float(np.abs(after - weights).max())
        weights = after
        if moved < SETTLED:
            break
    rounded = np.round(weights, 4)
    return tuple(float(w) for w in rounded / rounded.sum())
