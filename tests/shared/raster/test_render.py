"""Values as colours: thinned by majority, hatched where nothing was observed, dark land still visible."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from shared.raster.render import enlarge, render_classes, render_true_colour, thin_by_mode

SMALL = arrays.arrays(np.uint8, arrays.array_shapes(min_dims=2, max_dims=2, max_side=13), elements=st.integers(0, 4))


def mode(block: np.ndarray) -> int:
    """The most frequent value; the lowest above 0 among equals."""
    values, counts = np.unique(block, return_counts=True)
    return min((v for v in values[counts == counts.max()].tolist()), key=lambda v: (v == 0, v))


@given(SMALL, st.integers(1, 6))
def test_blocks_are_thinned_by_majority(values: np.ndarray, step: int) -> None:
    thin = thin_by_mode(values, step)
    ny, nx = values.shape
    assert thin.shape == (-(-ny // step), -(-nx // step))
    for row, col in np.ndindex(thin.shape):
        assert thin[row, col] == mode(values[row * step : (row + 1) * step, col * step : (col + 1) * step])


def test_the_highest_values_are_thinned_too() -> None:
    values = np.array([[255, 255], [254, 0]], np.uint8)
    assert thin_by_mode(values, 2).tolist() == [[255]]
    assert thin_by_mode(np.zeros((5, 5), np.uint8), 2).tolist() == [[0] * 3] * 3


@given(arrays.arrays(np.uint16, (3, 4, 4), elements=st.integers(0, 65535)))
def test_true_colour_tells_what_was_observed(stored: np.ndarray) -> None:
    picture = render_true_colour(stored)
    seen = (stored[..., :3] > 0).all(axis=-1)
    assert (picture.any(axis=-1) == seen).all()
    assert (picture[seen] >= 1).all()


def test_true_colour_is_red_green_blue_and_never_darker_for_more_light() -> None:
    stored = np.zeros((1, 5, 4), np.uint16)
    stored[0, :, 0], stored[0, :, 1], stored[0, :, 2] = 1200, 1600, [1000, 1300, 2500, 4000, 60000]
    picture = render_true_colour(stored)
    red, green, blue = picture[0].T.astype(int)
    assert (np.diff(red) >= 0).all()
    assert red[0] == 1, "no reflectance is black, and still observed"
    assert red[3] == red[4] == 255
    assert (green > blue).all()
    assert red[1] > 50, "3 percent, as of forest, is to be seen"


def test_what_was_not_observed_looks_like_no_class() -> None:
    values = np.zeros((40, 40), np.uint8)
    values[:20] = 1
    picture = render_classes(values, {1: "#ff0000"})
    assert (picture[:20] == (255, 0, 0)).all()
    assert len(np.unique(picture[20:].reshape(-1, 3), axis=0)) == 2, "two greys"
    assert (picture[20:] < 230).all()
    assert enlarge(picture, 2).shape == (80, 80, 3)
