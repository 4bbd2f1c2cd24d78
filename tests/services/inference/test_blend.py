"""Laws of laying and blending windows."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.inference.blend import WINDOW_PX, blend, lay_windows, ramp
from shared.raster.grid import Window

OVERLAPS = (8, 64, 128)


def run(extent: Window, observed: np.ndarray, field: np.ndarray, overlap: int) -> tuple[np.ndarray, np.ndarray]:
    """Map an extent where the probabilities of a pixel are those of `field`, plus something that each window adds."""

    def predict(row: list[tuple[int, int]]) -> Iterator[np.ndarray]:
        for y, x in row:
            share = np.zeros((WINDOW_PX, WINDOW_PX, field.shape[2]), np.uint8)
            top, left = max(y, 0), max(x, 0)
            part = field[top : y + WINDOW_PX, left : x + WINDOW_PX]
            share[top - y : top - y + part.shape[0], left - x : left - x + part.shape[1]] = part
            noise = np.random.default_rng((y + 999, x + 999)).integers(0, 60, share.shape)
            yield np.where(share > 0, np.clip(share.astype(int) + noise, 0, 255), 0).astype(np.uint8)

    values = np.zeros((extent.ny, extent.nx), np.uint8)
    confidence = np.full((extent.ny, extent.nx), 255, np.uint8)
    end = 0
    for strip in blend(lay_windows(extent, observed, overlap), predict, extent, field.shape[2], overlap):
        assert strip.top >= end, "strips follow each other and never overlap"
        end = strip.top + len(strip.values)
        values[strip.top : end], confidence[strip.top : end] = strip.values, strip.confidence
    return values, confidence


@pytest.mark.parametrize("overlap", OVERLAPS)
def test_weights_of_two_windows_sum_to_the_flat_value(overlap: int) -> None:
    weight = ramp(overlap)
    assert (weight[-overlap:] + weight[:overlap] == weight.max()).all()
    assert not weight[: overlap // 4].any()
    assert (weight == weight[::-1]).all()


@pytest.mark.parametrize("overlap", OVERLAPS)
@pytest.mark.parametrize(("rows", "cols"), [(1, 1), (2, 3)])
def test_each_pixel_lies_well_inside_a_window(overlap: int, rows: int, cols: int) -> None:
    extent = Window(0, 0, rows * 256, cols * 256)
    covered = np.zeros((extent.ny, extent.nx), int)
    inner = overlap // 2
    for row in lay_windows(extent, np.ones((rows, cols), bool), overlap):
        for y, x in row:
            middle = [slice(max(s + inner, 0), max(s + WINDOW_PX - inner, 0)) for s in (y, x)]
            covered[tuple(middle)] += 1
    assert (covered == 1).all(), "the middles of the windows tile the grid"


@given(st.integers(0, 254), st.sampled_from(OVERLAPS))
@settings(max_examples=5, deadline=None)
def test_a_constant_stays_constant(share: int, overlap: int) -> None:
    extent = Window(0, 0, 512, 512)

    def predict(row: list[tuple[int, int]]) -> Iterator[np.ndarray]:
        for _ in row:
            yield np.broadcast_to(np.array([share, 255 - share, 0], np.uint8), (WINDOW_PX, WINDOW_PX, 3))

    for strip in blend(lay_windows(extent, np.ones((2, 2), bool), overlap), predict, extent, 3, overlap):
        assert (strip.values == (1 if share >= 255 - share else 2)).all()
        assert (strip.confidence == round(100 * max(share, 255 - share) / 255)).all()


def test_two_sheets_meet_without_a_seam() -> None:
    """A map of the whole equals the maps of its halves: windows and weights belong to the area, not to the sheet."""
    rng = np.random.default_rng(0)
    field = rng.integers(0, 150, (1024, 768, 4)).astype(np.uint8)
    observed = np.ones((4, 3), bool)
    whole = run(Window(0, 0, 1024, 768), observed, field, 64)
    north = run(Window(0, 0, 512, 768), observed, field, 64)
    south = run(Window(512, 0, 512, 768), observed, field, 64)
    for full, upper, lower in zip(whole, north, south, strict=True):
        assert (full == np.concatenate([upper, lower])).all()


def test_blend_equals_a_weighted_mean() -> None:
    """Beside a naive oracle over the whole extent in floating point."""
    rng = np.random.default_rng(1)
    answers: dict[tuple[int, int], np.ndarray] = {}
    extent, overlap = Window(0, 0, 512, 768), 64

    def predict(row: list[tuple[int, int]]) -> Iterator[np.ndarray]:
        for corner in row:
            answers[corner] = rng.integers(1, 255, (WINDOW_PX, WINDOW_PX, 3)).astype(np.uint8)
            yield answers[corner]

    strips = list(blend(lay_windows(extent, np.ones((2, 3), bool), overlap), predict, extent, 3, overlap))
    total, weights = np.zeros((1536, 1536, 3)), np.zeros((1536, 1536))
    edge = ramp(overlap).astype(float)
    for (y, x), share in answers.items():
        place = slice(y + 256, y + 512), slice(x + 256, x + 512)
        total[place] += edge[:, None, None] * edge[None, :, None] * share
        weights[place] += edge[:, None] * edge[None, :]
    mean = total[256:768, 256:1024] / weights[256:768, 256:1024, None]
    values = np.concatenate([s.values for s in strips])
    confidence = np.concatenate([s.confidence for s in strips])
    assert (values == mean.argmax(axis=-1) + 1).all()
    assert np.abs(confidence - mean.max(axis=-1) * 100 / 255).max() <= 0.5 + 1e-9


def test_what_is_not_observed_stays_empty() -> None:
    field = np.full((1024, 512, 2), 100, np.uint8)
    field[:600] = 0
    observed = np.array([[False, False], [False, False], [True, True], [True, True]])
    rows = lay_windows(Window(0, 0, 1024, 512), observed, 64)
    assert min(row[0][0] for row in rows) + WINDOW_PX > 512, "windows without an observed tile are not predicted"
    values, confidence = run(Window(0, 0, 1024, 512), observed, field, 64)
    assert not values[:600].any()
    assert (confidence[:600] == 255).all()
    assert values[600:].all()
    assert (confidence[600:] <= 100).all()
    assert lay_windows(Window(0, 0, 512, 512), observed, 64) == []
