"""The area of applicability of training points: a worked example, brute force, and ground that a score is told of."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.trainer.applicability import (
    MOST_POINTS,
    ApplicabilityScore,
    dissimilarities,
    fit_applicability,
    upper_whisker,
)
from services.trainer.places import Place
from services.trainer.windows import Windows
from shared.area.training import TrainingSettings
from shared.raster.applicability import PREDICTORS, write_applicability

SETTINGS = TrainingSettings()


def windows_of(levels: list[int], spread: int = 100, seed: int = 0) -> Windows:
    """A window for each level of stored values, in a row of blocks; the left half is class 1, the right one class 2."""
    rng = np.random.default_rng(seed)
    fine = rng.integers(0, spread, (len(levels), 192, 192, 4)) + np.array(levels)[:, None, None, None]
    coarse = rng.integers(0, spread, (len(levels), 96, 96, 6)) + np.array(levels)[:, None, None, None]
    fine[:, :, 96:, 0] += 1000  # what tells the classes apart
    labels = np.ones((len(levels), 192, 192), np.uint8)
    labels[:, :, 96:] = 2
    places = tuple(Place("2018-W25", 0, col) for col in range(len(levels)))
    return Windows(places, fine.astype(np.uint16), coarse.astype(np.uint16), labels, 32)


def test_a_worked_example() -> None:
    # On a line at 0 and 1 in block 7, at 3 and 7 in block 8. Distances of the six pairs: 1, 3, 7, 2, 6, 4.
    distance, index = dissimilarities(np.array([[0.0], [1], [3], [7]]), np.array([7, 7, 8, 8]))
    assert distance == pytest.approx(23 / 6)
    # The nearest points of the other block are 3, 2, 2 and 6 away.
    np.testing.assert_allclose(index, np.array([3, 2, 2, 6]) * 6 / 23)
    assert upper_whisker(np.array([3.0, 2, 2, 6])) == 6, "quartiles 2 and 3.75: all lie below 6.375"
    assert upper_whisker(np.array([3.0, 2, 2, 60])) == pytest.approx(17.25 + 1.5 * 15.25)
    assert upper_whisker(np.array([1.0, 2, 3, 4, 60])) == 7, "quartiles 2 and 4"


@given(st.integers(0, 999), st.integers(2, 700), st.integers(1, 4))
@settings(max_examples=10, deadline=None)
def test_as_by_brute_force(seed: int, count: int, predictors: int) -> None:
    rng = np.random.default_rng(seed)
    points, block = rng.random((count, predictors)), rng.permutation(np.arange(count) % 3)
    apart = np.sqrt(((points[:, None] - points) ** 2).sum(axis=-1))
    distance, index = dissimilarities(points, block)
    assert distance == pytest.approx(apart[~np.eye(count, dtype=bool)].mean())
    other = np.where(block[:, None] != block, apart, np.inf).min(axis=1)
    np.testing.assert_allclose(index, other / distance)


def test_what_it_is_fitted_on() -> None:
    windows = windows_of([2000, 2100, 2200])
    found = fit_applicability(windows, windows.labels, SETTINGS)
    assert found is not None
    assert len(found.points) <= MOST_POINTS
    assert len(np.unique(found.points, axis=0)) > 0.5 * len(found.points), "each cell once"
    assert found.weight.sum() == pytest.approx(1, abs=1e-4)
    assert PREDICTORS[int(found.weight.argmax())] == "B02 mean", "the band that tells the classes apart"
    again = fit_applicability(windows, windows.labels, SETTINGS)
    assert again is not None
    assert write_applicability(again) == write_applicability(found)
    visible = fit_applicability(windows, windows.labels, TrainingSettings(inputs=("msi_10m",)))
    assert visible is not None
    assert [PREDICTORS[i] for i in np.flatnonzero(visible.weight == 0)] == [
        name for name in PREDICTORS if name[:3] not in ("B02", "B03", "B04", "B08")
    ]


def test_what_is_not_learned_from_is_no_training_point() -> None:
    windows = windows_of([2000, 2100, 2200, 9000])
    targets = windows.labels.copy()
    targets[3] = 0
    targets[:, 32:100, 32:100] = 0
    found = fit_applicability(windows, targets, SETTINGS)
    assert found is not None
    assert found.points[:, 0].max() < 4000


def test_points_of_a_single_block_tell_nothing() -> None:
    windows = windows_of([2000, 9000])
    targets = windows.labels.copy()
    targets[1] = 0
    assert fit_applicability(windows, targets, SETTINGS) is None
    alike = windows_of([2000, 2000], spread=1)
    alike.msi_10m[:] = 2000
    assert fit_applicability(alike, alike.labels, SETTINGS) is None, "all the same"
    assert fit_applicability(windows, targets * 0, SETTINGS) is None, "labels beside the blocks alone"


def test_held_out_ground_is_scored_inside_and_outside() -> None:
    windows = windows_of([2000, 2050, 2100, 2150])
    found = fit_applicability(windows, windows.labels, SETTINGS)
    assert found is not None
    tested = windows_of([2075, 6000], seed=1)
    tested.labels[:, :64] = 0
    mapped = tested.inner(tested.labels).copy()
    mapped[1] = 1  # half of what lies outside is wrong
    score = ApplicabilityScore(found, 2)
    for i in range(2):
        score.add(tested.at([i]), mapped[i : i + 1])
    facts = score.facts()
    assert facts["threshold"] == pytest.approx(found.threshold, abs=1e-6)
    assert 45 < facts["inside_percent"] <= 50
    assert facts["inside"]["accuracy"] > 0.99
    assert facts["outside"]["accuracy"] == pytest.approx(0.5, abs=0.05)
    assert facts["inside"]["pixels"] + facts["outside"]["pixels"] == np.count_nonzero(tested.inner(tested.labels))
    assert facts["outside"]["blocks"] in (1, 2)
    few = ApplicabilityScore(found, 2)
    few.add(tested.at([0]), mapped[:1] * 0)
    assert set(few.facts()) == {"threshold", "inside_percent"}, "nothing is said of parts without pixels enough"
