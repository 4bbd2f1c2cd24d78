"""Distances to the edge of a class: the definition, and strips that give what the whole grid gives."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from scipy.ndimage import distance_transform_cdt

from services.rasterize import distance
from services.rasterize.distance import CAP_PX, edge_distance, edge_distances

RASTERS = npst.arrays(
    np.uint8, npst.array_shapes(min_dims=2, max_dims=2, max_side=9), elements=st.sampled_from([0, 1, 2])
)


def by_definition(classes: np.ndarray, cap: int = CAP_PX) -> np.ndarray:
    """Every pixel against every other."""
    result = np.zeros(classes.shape, np.uint8)
    for (y, x), value in np.ndenumerate(classes):
        others = np.argwhere(classes != value)
        distance = np.abs(others - (y, x)).max(axis=1).min(initial=cap) if value else 0
        result[y, x] = min(distance, cap)
    return result


@given(RASTERS)
def test_the_nearest_pixel_of_another_class(classes: np.ndarray) -> None:
    assert np.array_equal(edge_distance(classes), by_definition(classes))


@given(RASTERS, st.integers(1, 4), st.integers(1, 5))
def test_strips_do_not_show(classes: np.ndarray, cap: int, strip_px: int) -> None:
    asked: list[tuple[int, int]] = []

    def read(top: int, bottom: int) -> np.ndarray:
        asked.append((top, bottom))
        return classes[top:bottom].copy()

    strips = list(edge_distances(read, len(classes), strip_px, cap))
    assert [top for top, _ in strips] == list(range(0, len(classes), strip_px))
    assert np.array_equal(np.concatenate([values for _, values in strips]), by_definition(classes, cap))
    assert max(bottom - top for top, bottom in asked) <= strip_px + 2 * cap


def test_columns_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    classes = np.random.default_rng(2).integers(0, 3, (30, 40)).repeat(9, axis=0).repeat(11, axis=1).astype(np.uint8)
    whole = edge_distance(classes, 9)
    monkeypatch.setattr(distance, "COLUMNS_PX", 37)
    assert np.array_equal(edge_distance(classes, 9), whole)
    assert set(np.unique(whole)) > {0, 1, 5}


def test_the_rim_of_the_grid_is_no_edge_and_far_is_capped() -> None:
    classes = np.full((600, 3), 4, np.uint8)
    assert (edge_distance(classes) == CAP_PX).all()
    classes[0] = 0
    column = edge_distance(classes)[:, 1]
    assert column.tolist() == [0, *range(1, 255), *[255] * 345]


def test_patches_of_many_classes_over_the_cap() -> None:
    rng = np.random.default_rng(5)
    classes = rng.integers(0, 4, (3, 2)).repeat(300, axis=0).repeat(290, axis=1).astype(np.uint8)
    expected = np.zeros(classes.shape, int)
    for value in (1, 2, 3):
        inside = classes == value
        if inside.any():
            expected += distance_transform_cdt(inside, "chessboard").clip(0, CAP_PX) * inside
    assert len(np.unique(classes)) > 2
    strips = [v for _, v in edge_distances(lambda top, bottom: classes[top:bottom], len(classes), 100)]
    assert np.array_equal(np.concatenate(strips), expected)
