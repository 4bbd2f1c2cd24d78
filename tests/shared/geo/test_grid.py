"""The grid of an area: what covers a box, which tiles meet it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.geo import TILE_M, Grid, TileIndex
from tests.tiles import bounds_m

GRID = Grid(32634, 600_000, 5_100_000, 3, 4)
METRES = st.floats(-20_000, 20_000)


@given(st.floats(2e5, 8e5), st.floats(1e5, 9e6), st.floats(1, 40_000), st.floats(1, 40_000))
def test_it_covers_a_box_and_is_the_smallest(west: float, south: float, width: float, height: float) -> None:
    grid = Grid.covering(32634, (west, south, west + width, south + height))
    w, s, e, n = grid.bounds_m
    assert w <= west < w + 60
    assert n - 60 < south + height <= n
    assert s <= south < s + TILE_M or grid.rows == 1
    assert e - TILE_M < west + width <= e or grid.cols == 1
    assert (grid.origin_x_m % 60, grid.origin_y_m % 60) == (0, 0)


@given(METRES, METRES, st.floats(1, 9_000), st.floats(1, 9_000))
def test_tiles_within_are_those_that_share_area(dx: float, dy: float, width: float, height: float) -> None:
    west, south = GRID.origin_x_m + dx, GRID.origin_y_m + dy
    box = west, south, west + width, south + height

    def meets(tile: TileIndex) -> bool:
        w, s, e, n = bounds_m(GRID, tile)
        return w < box[2] and box[0] < e and s < box[3] and box[1] < n

    tiles = [TileIndex(row, col) for row in range(3) for col in range(4)]
    assert list(GRID.tiles_within(box)) == [t for t in tiles if meets(t)]


def test_edges_belong_to_one_tile() -> None:
    assert list(GRID.tiles_within(bounds_m(GRID, TileIndex(1, 2)))) == [TileIndex(1, 2)]
    assert len(list(GRID.tiles_within(GRID.bounds_m))) == 12


def test_rasters() -> None:
    assert [GRID.shape_px(m) for m in (10, 20)] == [(768, 1024), (384, 512)]
    assert GRID.shape_px(60) == (128, 171), "a last partly covered pixel counts"
    assert GRID.shape_px(300) == (26, 35)
    assert GRID.transform(20) == (20.0, 0.0, 600_000.0, 0.0, -20.0, 5_100_000.0)


@pytest.mark.parametrize(
    ("given", "fault"),
    [((600_010, 0, 1, 1), "multiple of 60"), ((0, 30, 1, 1), "multiple of 60"), ((0, 0, 0, 1), "at least one tile")],
)
def test_what_is_no_grid_is_refused(given: tuple[int, int, int, int], fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        Grid(32634, *given)
