"""Intervals of scores, beside what they are by definition."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from services.trainer.bootstrap import BlockConfusions, accuracies, intervals, mean_ious
from services.trainer.places import Place
from services.trainer.score import confuse, measure

CLASSES = 3
confusions = arrays(np.int64, (4, CLASSES, CLASSES), elements=st.integers(0, 50))


@given(confusions)
def test_statistics_are_those_of_the_scores(matrices: np.ndarray) -> None:
    for matrix, accuracy, miou in zip(matrices, accuracies(matrices), mean_ious(matrices), strict=True):
        measures = measure(matrix)
        assert abs(accuracy - measures["accuracy"]) < 1e-6
        assert abs(miou - measures["miou"]) < 1e-6


@given(confusions)
def test_an_interval_lies_between_the_worst_and_the_best_block(matrices: np.ndarray) -> None:
    matrices[:, 0, 0] += 1  # no block without pixels
    low, high = intervals(matrices)["accuracy"]
    alone = accuracies(matrices)
    assert alone.min() - 1e-6 <= low <= high <= alone.max() + 1e-6


def test_blocks_are_drawn_and_not_pixels() -> None:
    """Nine blocks all right and one all wrong: one in three draws leaves the wrong one out."""
    right, wrong = np.diag([1000, 0, 0]), np.array([[0, 1000, 0], [0, 0, 0], [0, 0, 0]])
    low, high = intervals(np.array([right] * 9 + [wrong]))["accuracy"]
    assert (low, high) == (0.7, 1.0)
    low, high = intervals(np.array([right] * 90 + [wrong] * 10))["accuracy"]
    assert 0.82 <= low <= 0.86
    assert 0.94 <= high <= 0.97


def test_a_gain_is_taken_on_the_same_draws() -> None:
    rng = np.random.default_rng(3)
    worse = rng.integers(0, 100, (20, CLASSES, CLASSES))
    better = worse.copy()
    moved = better[:, 0, 1] // 2
    better[:, 0, 1] -= moved
    better[:, 0, 0] += moved
    gain = intervals(better, worse)
    assert 0 < gain["accuracy"][0] <= gain["accuracy"][1] < 0.2
    assert gain["miou"][0] > 0
    assert intervals(better, better) == {"accuracy": [0.0, 0.0], "miou": [0.0, 0.0]}
    assert intervals(worse, better) == {name: [-high, -low] for name, (low, high) in gain.items()}
    assert gain == intervals(better, worse)


def test_weeks_of_a_block_are_drawn_together() -> None:
    rng = np.random.default_rng(4)
    places = [Place("2018-W20", 0, 1), Place("2018-W21", 0, 1), Place("2018-W20", 5, 1), Place("2018-W20", 6, 1)]
    reference, mapped = (rng.integers(0, CLASSES + 1, (4, 8, 8)).astype(np.uint8) for _ in range(2))
    reference[3] = 0
    scored = BlockConfusions(CLASSES)
    scored.add(places[:2], reference[:2], mapped[:2])
    scored.add(places[2:], reference[2:], mapped[2:])
    assert len(scored.blocks) == 2, "one block without a reference is none"
    np.testing.assert_array_equal(scored.blocks[0], confuse(reference[:2], mapped[:2], CLASSES))
    np.testing.assert_array_equal(scored.total, confuse(reference, mapped, CLASSES))
    assert BlockConfusions(CLASSES).total.tolist() == np.zeros((CLASSES, CLASSES)).tolist()
    assert intervals(BlockConfusions(CLASSES).blocks) == {}


def test_counting_goes_on_where_another_left_off() -> None:
    rng = np.random.default_rng(5)
    places = [Place(f"2018-W{20 + i}", i % 3, 1) for i in range(6)]
    reference, mapped = rng.integers(0, CLASSES + 1, (2, 6, 8, 8)).astype(np.uint8)
    whole, first, then = (BlockConfusions(CLASSES) for _ in range(3))
    whole.add(places, reference, mapped)
    first.add(places[:4], reference[:4], mapped[:4])
    then.restore(first.counts())
    then.add(places[4:], reference[4:], mapped[4:])
    assert all((then.counts()[name] == counted).all() for name, counted in whole.counts().items())
    empty = BlockConfusions(CLASSES)
    empty.restore(BlockConfusions(CLASSES).counts())
    assert empty.blocks.shape == BlockConfusions(CLASSES).blocks.shape
