"""The weights of a committee: the best ones by likelihood, whatever the members know."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.trainer.vote import vote_weights


@given(st.integers(0, 2**32 - 1), st.integers(1, 4), st.integers(1, 300))
def test_weights_are_shares(seed: int, members: int, pixels: int) -> None:
    shares = np.random.default_rng(seed).random((members, pixels))
    weights = vote_weights(list(shares))
    assert min(weights) >= 0
    assert sum(weights) == pytest.approx(1)
    assert weights == vote_weights(list(shares))


def test_who_knows_more_counts_more() -> None:
    knows, guesses = np.full(100, 0.9), np.full(100, 0.2)
    assert vote_weights([knows, guesses]) == pytest.approx((1, 0), abs=1e-3)
    assert vote_weights([knows, knows]) == pytest.approx((0.5, 0.5))


def test_who_is_right_elsewhere_counts() -> None:
    """Each is right on its own half, one half is larger: by hand, w = 2/3 of the pixels for exact members."""
    first = np.array([1.0] * 60 + [0.0] * 30)
    weights = vote_weights([first, 1 - first])
    assert weights == pytest.approx((2 / 3, 1 / 3), abs=1e-3)


@given(st.integers(0, 2**32 - 1))
def test_no_other_weights_are_likelier(seed: int) -> None:
    rng = np.random.default_rng(seed)
    shares = rng.random((2, 200)) ** rng.uniform(0.3, 3, (2, 1))
    best = vote_weights(list(shares))

    def likelihood(weight: float) -> float:
        return float(np.log(weight * shares[0] + (1 - weight) * shares[1]).mean())

    assert likelihood(best[0]) >= max(likelihood(w) for w in np.linspace(0.001, 0.999, 200)) - 1e-5
