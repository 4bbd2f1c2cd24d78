"""The sample of a tile-week: windows of all resolutions over one tile, in the far corner of a country, too."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.cube.sample import SIDES_PX, tile_window
from shared.geo import TILE_M


@given(st.integers(0, 214), st.integers(0, 290), st.sampled_from([10, 20, 60, 300]))
def test_windows_are_centred_on_their_tile(row: int, col: int, pixel_m: int) -> None:
    window = tile_window(row, col, pixel_m)
    assert (window.ny, window.nx) == (SIDES_PX[pixel_m],) * 2
    for start, index in ((window.y, row), (window.x, col)):
        middle = (start + SIDES_PX[pixel_m] / 2) * pixel_m
        assert abs(middle - (index + 0.5) * TILE_M) <= pixel_m / 2


@pytest.mark.parametrize("pixel_m", [10, 20])
def test_pixels_that_divide_a_tile_are_exactly_its_own(pixel_m: int) -> None:
    window = tile_window(214, 290, pixel_m)
    assert (window.y * pixel_m, window.x * pixel_m) == (214 * TILE_M, 290 * TILE_M)
    assert window.ny * pixel_m == TILE_M
