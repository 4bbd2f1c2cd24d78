"""Scores beside a naive oracle."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from services.trainer.score import confuse, measure

pixels = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=0, max_size=60)


@given(pixels)
def test_measures_equal_their_definition(pairs: list[tuple[int, int]]) -> None:
    reference = np.array([r for r, _ in pairs], np.uint8)
    mapped = np.array([m for _, m in pairs], np.uint8)
    result = measure(confuse(reference, mapped, 4))
    scored = [(r, m) for r, m in pairs if r and m]
    assert result["pixels"] == len(scored)
    if not scored:
        assert result["accuracy"] == result["miou"] == result["majority_accuracy"] == 0
        return
    assert result["accuracy"] == round(sum(r == m for r, m in scored) / len(scored), 6)
    ious, f1s = [], []
    for value in range(1, 5):
        hit = sum(r == m == value for r, m in scored)
        either = sum(value in (r, m) for r, m in scored)
        reference_count = sum(r == value for r, _ in scored)
        map_count = sum(m == value for _, m in scored)
        row = result["per_class"][str(value)]
        assert row["support"] == reference_count
        assert row["iou"] == round(hit / either, 6) if either else row["iou"] == 0
        assert row["precision"] == (round(hit / map_count, 6) if map_count else 0)
        assert row["recall"] == (round(hit / reference_count, 6) if reference_count else 0)
        if reference_count:
            ious.append(hit / either)
            f1s.append(2 * hit / (reference_count + map_count))
    assert abs(result["miou"] - sum(ious) / len(ious)) < 1e-5
    assert abs(result["f1_macro"] - sum(f1s) / len(f1s)) < 1e-5
    counts = [sum(r == v for r, _ in scored) for v in range(1, 5)]
    assert result["majority_accuracy"] == round(max(counts) / len(scored), 6)


def test_confusion_has_the_reference_in_rows() -> None:
    matrix = confuse(np.array([[1, 1, 0]], np.uint8), np.array([[2, 2, 1]], np.uint8), 2)
    assert matrix.tolist() == [[0, 2], [0, 0]]
