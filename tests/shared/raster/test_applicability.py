"""Dissimilarity of cells: by hand, against brute force, and as a file."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.raster.applicability import (
    CELL_PX,
    DISSIMILARITY_NODATA,
    PREDICTORS,
    Applicability,
    BadApplicability,
    cell_predictors,
    read_applicability,
    scale,
    write_applicability,
)

P = len(PREDICTORS)


def ground(seed: int, cells: tuple[int, int] = (6, 7), holes: float = 0.2) -> tuple[np.ndarray, np.ndarray]:
    """Stored values of cells at 10 and 20 m; some 20 m cells were not observed."""
    rng = np.random.default_rng(seed)
    ny, nx = (2 * n for n in cells)
    seen = rng.random((ny, nx)) >= holes
    fine = rng.integers(1, 65536, (2 * ny, 2 * nx, 4)) * seen.repeat(2, 0).repeat(2, 1)[..., None]
    return fine.astype(np.uint16), (rng.integers(1, 65536, (ny, nx, 6)) * seen[..., None]).astype(np.uint16)


def by_hand(fine: np.ndarray, coarse: np.ndarray, y: int, x: int) -> tuple[list[float], bool]:
    """The predictors of one cell, pixel by pixel."""
    means, deviations = [], []
    for values, side in ((fine, 4), (coarse, 2)):
        own = values[y * side : (y + 1) * side, x * side : (x + 1) * side]
        square = values[(y - 1) * side : (y + 2) * side, (x - 1) * side : (x + 2) * side]
        for band in range(values.shape[-1]):
            here, around = (v[..., band][v[..., band] > 0].astype(float) for v in (own, square))
            means.append(here.mean() if len(here) else 0.0)
            deviations.append(around.std() if len(around) else 0.0)
    return [*means, *deviations], bool((coarse[2 * y : 2 * y + 2, 2 * x : 2 * x + 2] > 0).any())


@given(st.integers(0, 99), st.sampled_from([0.0, 0.3, 0.95]))
@settings(max_examples=20, deadline=None)
def test_predictors_are_means_and_deviations_of_what_was_observed(seed: int, holes: float) -> None:
    fine, coarse = ground(seed, holes=holes)
    predictors, seen = cell_predictors(fine, coarse)
    assert predictors.shape == (4, 5, P)
    for y in range(4):
        for x in range(5):
            expected, observed = by_hand(fine, coarse, y + 1, x + 1)
            np.testing.assert_allclose(predictors[y, x], expected, rtol=1e-9, atol=1e-3)
            assert seen[y, x] == observed


def test_a_pixel_counts_where_all_bands_were_observed() -> None:
    fine, coarse = ground(1, holes=0.0)
    fine[8, 8, 2] = 0  # one band of one 10 m pixel: its cell of 20 m is not observed
    predictors, _ = cell_predictors(fine, coarse)
    expected = np.delete(coarse[4:6, 4:6, 0].ravel().astype(float), 0).mean()
    assert predictors[1, 1, 4] == pytest.approx(expected)


@given(st.integers(0, 3), st.integers(0, 4), st.integers(0, 9))
@settings(max_examples=20, deadline=None)
def test_a_cell_is_the_same_whatever_it_is_read_with(y: int, x: int, seed: int) -> None:
    fine, coarse = ground(seed)
    whole, seen = cell_predictors(fine, coarse)
    part, part_seen = cell_predictors(
        fine[y * CELL_PX : (y + 3) * CELL_PX, x * CELL_PX : (x + 3) * CELL_PX],
        coarse[2 * y : 2 * y + 6, 2 * x : 2 * x + 6],
    )
    assert (part[0, 0] == whole[y, x]).all()
    assert part_seen[0, 0] == seen[y, x]


def applicability(points: np.ndarray, threshold: float = 0.5, weight: np.ndarray | None = None) -> Applicability:
    deviation = np.maximum(points.std(axis=0), 1.0)
    weight = np.ones(P) if weight is None else weight
    return Applicability(points.mean(axis=0), deviation, weight, points, 2.0, threshold)


def test_by_hand() -> None:
    points = np.zeros((2, P), np.int64)
    points[1, 0] = 20  # mean 10, deviation 10: at -1 and 1
    found = applicability(points, threshold=0.25)  # the area of applicability ends 0.5 from a point, at 5
    predictors = np.zeros((7, P))
    predictors[:, 0] = (0, 24, 25, 25.07, 10, 32.7, 500)
    seen = np.array([True, True, True, True, True, True, False])
    # distances 0, 0.4, 0.5, 0.507, 1 and 1.27, of 0.5
    assert found.percent(predictors, seen).tolist() == [0, 80, 100, 102, 200, 254, DISSIMILARITY_NODATA]
    assert found.percent(predictors, np.zeros(7, bool)).tolist() == [DISSIMILARITY_NODATA] * 7


@given(st.integers(0, 999), st.integers(2, 60))
@settings(max_examples=25, deadline=None)
def test_the_nearest_point_is_the_nearest_of_all(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    points = rng.integers(1000, 5000, (count, P))
    found = applicability(points, 1.5, rng.random(P))
    cells = rng.integers(0, 9000, (5, 6, P)).astype(float)
    scaling = found.mean, found.deviation, found.weight
    apart = scale(cells, *scaling)[:, :, None] - scale(points, *scaling)
    nearest = np.sqrt((apart**2).sum(axis=-1)).min(axis=-1)
    expected = np.minimum(np.ceil(nearest / 3.0 * 100 - 1e-9), 254)
    assert (found.percent(cells, np.ones((5, 6), bool)) == expected).all()


def test_what_networks_do_not_see_makes_nothing_unlike() -> None:
    points = np.random.default_rng(0).integers(1000, 5000, (20, P))
    weight = np.ones(P)
    weight[5] = 0
    cells = points.astype(float)
    cells[:, 5] = 60_000
    assert not applicability(points, weight=weight).percent(cells, np.ones(20, bool)).any()


def test_it_is_read_as_it_was_written() -> None:
    found = applicability(np.random.default_rng(0).integers(1000, 5000, (20, P)))
    data = write_applicability(found)
    again = read_applicability(data)
    assert write_applicability(again) == data
    for field in dataclasses.fields(found):
        np.testing.assert_array_equal(getattr(again, field.name), getattr(found, field.name))
    assert json.loads(data)["predictors"][10]["name"] == "B02 deviation"


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"cell_m": 20}, "predictors are others"),
        ({"predictors": []}, "predictors are others"),
        ({"threshold": 0}, "scaling"),
        ({"mean_distance": float("nan")}, "scaling"),
        ({"points": []}, "shape"),
        ({"points": [[1, 2]]}, "shape"),
        ({"points": [["a"] * P]}, "not an area of applicability: ValueError"),
        ({"threshold": None}, "not an area of applicability: TypeError"),
    ],
)
def test_something_else_is_refused(change: dict[str, object], fault: str) -> None:
    said = json.loads(write_applicability(applicability(np.random.default_rng(0).integers(1000, 5000, (20, P)))))
    with pytest.raises(BadApplicability, match=fault):
        read_applicability(json.dumps({**said, **change}).encode())
    with pytest.raises(BadApplicability, match="not an area of applicability"):
        read_applicability(b"[]")
