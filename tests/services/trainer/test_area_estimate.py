"""Adjusted areas, beside the worked example of Olofsson et al. 2014 and numbers worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from services.trainer.area_estimate import (
    Z_95,
    MappedArea,
    estimate_areas,
    estimate_shares,
    measure_shares,
    textbook_errors,
)
from services.trainer.places import Place

EXAMPLE = np.array([[66, 0, 5, 4], [0, 55, 8, 12], [1, 0, 153, 11], [2, 1, 9, 313]]).T
"""Deforestation, forest gain, stable forest, stable non-forest; the paper has the map in rows."""

PIXELS = np.array([200_000.0, 150_000, 3_200_000, 6_450_000])
"""Mapped pixels of 30 m."""


def test_the_worked_example_of_the_paper() -> None:
    found = measure_shares(estimate_shares(EXAMPLE, PIXELS))
    error = textbook_errors(EXAMPLE, PIXELS)
    assert found["accuracy"] == pytest.approx(0.95, abs=0.005)
    assert Z_95 * error["accuracy"] == pytest.approx(0.02, abs=0.005)
    np.testing.assert_allclose(found["users"], [0.88, 0.73, 0.93, 0.96], atol=0.005)
    np.testing.assert_allclose(Z_95 * error["users"], [0.07, 0.10, 0.04, 0.02], atol=0.005)
    np.testing.assert_allclose(found["producers"], [0.75, 0.85, 0.93, 0.96], atol=0.005)
    np.testing.assert_allclose(Z_95 * error["producers"], [0.21, 0.25, 0.03, 0.02], atol=0.005)
    # The paper: 235,086 +- 68,418 pixels, which are 21,158 +- 6,158 ha.
    assert found["area"][0] * 10_000_000 == pytest.approx(235_086, abs=1)
    assert Z_95 * error["area"][0] * 10_000_000 == pytest.approx(68_418, abs=2)
    assert found["area"][0] * 10_000_000 * 0.09 == pytest.approx(21_158, abs=1)


def test_a_stratum_without_a_sample_is_left_out() -> None:
    confusion = np.array([[8, 0], [2, 0]])
    facts = estimate_areas(confusion[None], np.array([30.0, 10.0]))
    assert facts["ground_ha"] == 40.0
    assert facts["unassessed_ha"] == 10.0
    assert facts["accuracy"] == 0.8
    assert [facts["classes"][v]["adjusted_ha"] for v in "12"] == [24.0, 6.0]
    assert facts["classes"]["1"]["users"] == 0.8
    assert facts["classes"]["1"]["producers"] == 1.0
    assert facts["classes"]["2"]["producers"] == 0.0
    assert estimate_areas(np.zeros((3, 2, 2), np.int64), np.array([1.0, 1.0])) == {}
    assert estimate_areas(np.zeros((0, 2, 2), np.int64), np.array([1.0, 1.0])) == {}


def test_one_sampled_pixel_says_nothing_of_its_spread() -> None:
    facts = estimate_areas(np.array([[[5, 0], [1, 1]]]), np.array([10.0, 10.0]))
    assert facts["accuracy_if_independent_95"] is None
    assert facts["accuracy_95"] == [facts["accuracy"]] * 2


def test_blocks_make_wider_intervals_than_independent_pixels() -> None:
    """In each block all pixels are right or all are wrong, so there are 20 facts and not 20,000."""
    blocks = np.array([[[800, 200], [0, 0]]] * 4 + [[[1000, 0], [0, 0]]] * 8 + [[[0, 0], [0, 1000]]] * 8)
    facts = estimate_areas(blocks, np.array([100.0, 100.0]))
    middle = facts["classes"]["1"]
    low, high = middle["adjusted_ha_95"]
    near_low, near_high = middle["adjusted_ha_if_independent_95"]
    assert low < near_low < middle["adjusted_ha"] < near_high < high
    assert middle["adjusted_ha"] == pytest.approx(100 + 100 * 800 / 8800, abs=0.01)
    assert sum(row["adjusted_ha"] for row in facts["classes"].values()) == pytest.approx(200, abs=0.02)


def test_more_weeks_are_no_more_ground() -> None:
    ground = MappedArea(2)
    clear = np.ones((1, 10, 10), np.uint8)
    clouded = clear.copy()
    clouded[:, 5:] = 0
    other = clear * 2
    ground.add([Place("2018-W20", 0, 0)], clear)
    ground.add([Place("2018-W21", 0, 0), Place("2018-W20", 3, 1)], np.concatenate([clouded, other]))
    assert ground.hectares().tolist() == [1.0, 1.0]
    ground.add([Place("2018-W22", 0, 0)], other)
    # 250 looks at the first block, 150 of them class 1: of its hectare .6 are class 1.
    np.testing.assert_allclose(ground.hectares(), [0.6, 1.4])
    assert MappedArea(2).hectares().tolist() == [0.0, 0.0]
