"""Calibration, beside numbers worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from services.trainer.calibration import Reliability, calibration_errors, count_confidences, overconfidences
from services.trainer.places import Place

REFERENCE = np.array([[1, 1, 2, 2, 0, 1]], np.uint8)
MAPPED = np.array([[1, 2, 2, 2, 2, 0]], np.uint8)
CONFIDENCE = np.array([[100, 90, 55, 59, 70, 0]], np.uint8)
"""Four pixels count: 100 % right, 90 % wrong, 55 % and 59 % right."""


def test_pixels_are_counted_by_mapped_class_and_tenth() -> None:
    counts = count_confidences(REFERENCE, MAPPED, CONFIDENCE, 2)
    assert counts.shape == (2, 10, 3)
    assert counts[0, 9].tolist() == [1, 1, 100]
    assert counts[1, 9].tolist() == [1, 0, 90]
    assert counts[1, 5].tolist() == [2, 2, 114]
    assert counts.sum(axis=(0, 1)).tolist() == [4, 3, 304]


def test_errors_are_the_mean_gap_of_the_bins() -> None:
    bins = count_confidences(REFERENCE, MAPPED, CONFIDENCE, 2).sum(axis=0)
    # The last bin: 2 pixels, 1.9 expected right, 1 is. The sixth: 1.14 expected, 2 are. Of 4 pixels.
    assert calibration_errors(bins) == pytest.approx((0.9 + 0.86) / 4)
    assert overconfidences(bins) == pytest.approx((3.04 - 3) / 4)
    assert calibration_errors(np.zeros((10, 3), np.int64)) == 0


def test_facts_of_blocks() -> None:
    reliability = Reliability(2)
    places = [Place("2018-W20", 0, 0), Place("2018-W21", 0, 0), Place("2018-W20", 0, 1)]
    one = [np.repeat(a, 3, axis=0)[:, None] for a in (REFERENCE, MAPPED, CONFIDENCE)]
    one[0][2] = 0
    reliability.add(places[:2], *(a[:2] for a in one))
    reliability.add(places[2:], *(a[2:] for a in one))
    assert len(reliability.blocks) == 1, "weeks of a block are one block, and a block without a reference is none"
    facts = reliability.facts()
    assert facts["ece"] == pytest.approx(0.44)
    assert facts["mce"] == pytest.approx(0.45), "the last bin: .95 confident, .50 right"
    assert facts["overconfidence"] == pytest.approx(0.01)
    assert facts["interval_95"] == {"ece": [0.44, 0.44], "overconfidence": [0.01, 0.01]}, "one block has no spread"
    assert facts["bins"][9] == {"from": 0.9, "to": 1.0, "pixels": 4, "confidence": 0.95, "accuracy": 0.5}
    assert facts["bins"][0] == {"from": 0.0, "to": 0.1, "pixels": 0, "confidence": None, "accuracy": None}
    assert facts["ece_per_class"] == {"1": 0.0, "2": pytest.approx((0.9 + 0.86) / 3, abs=1e-6)}
    assert Reliability(2).facts() == {}


def test_a_bin_of_a_few_pixels_is_not_the_worst() -> None:
    reference, mapped = np.ones((1, 1, 1000), np.uint8), np.ones((1, 1, 1000), np.uint8)
    confidence = np.full((1, 1, 1000), 98, np.uint8)
    confidence[..., :9] = 5
    reliability = Reliability(1)
    reliability.add([Place("2018-W20", 0, 0)], reference, mapped, confidence)
    assert reliability.facts()["mce"] == pytest.approx(0.02)
    confidence[..., :11] = 5
    reliability.add([Place("2018-W20", 9, 9)], reference, mapped, confidence)
    assert reliability.facts()["mce"] == pytest.approx(0.95), "20 of 2,000 pixels are a hundredth"


def test_intervals_draw_blocks() -> None:
    """One sure and wrong block among nine right ones is drawn between never and four times."""
    reliability = Reliability(2)
    for col in range(10):
        reference = np.full((1, 4, 4), 1 + (col == 0), np.uint8)
        full = np.full((1, 4, 4), 100, np.uint8)
        reliability.add([Place("2018-W20", 0, col)], reference, np.ones_like(reference), full)
    low, high = reliability.facts()["interval_95"]["overconfidence"]
    assert (low, high) == (0.0, 0.3)
