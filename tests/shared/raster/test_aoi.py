"""The pixels of an AOI: by their centres, whatever part of the lattice is burned."""

from __future__ import annotations

import numpy as np
import shapely
from hypothesis import given
from hypothesis import strategies as st
from shapely.geometry import Polygon

from shared.raster.aoi import burn_aoi
from shared.raster.grid import Lattice, Window

WHOLE = Lattice("EPSG:32634", 600_000, 5_000_040, 10, (60, 80))
CORNERS = st.lists(st.tuples(st.floats(-50, 900), st.floats(-700, 100)), min_size=3, max_size=9)


def centres(lattice: Lattice) -> tuple[np.ndarray, np.ndarray]:
    ny, nx = lattice.shape
    x = lattice.x + (np.arange(nx) + 0.5) * lattice.pixel
    y = lattice.y - (np.arange(ny) + 0.5) * lattice.pixel
    return np.meshgrid(x, y)


@given(CORNERS)
def test_a_pixel_is_inside_if_its_centre_is(corners: list[tuple[float, float]]) -> None:
    aoi = shapely.convex_hull(shapely.MultiPoint([(WHOLE.x + x, WHOLE.y + y) for x, y in corners]))
    if not isinstance(aoi, Polygon):
        return
    x, y = centres(WHOLE)
    clear = shapely.distance(shapely.points(x, y), aoi.exterior) > 1e-6  # rounding decides of what lies on the outline
    assert (burn_aoi(aoi, WHOLE) == shapely.contains_xy(aoi, x, y))[clear].all()


def test_parts_are_burned_as_the_whole() -> None:
    ring = shapely.Point(600_400, 4_999_740).buffer(333.3).difference(shapely.Point(600_300, 4_999_700).buffer(90))
    whole = burn_aoi(ring, WHOLE)
    assert whole.any()
    assert not whole.all()
    for window in (Window(0, 0, 31, 80), Window(31, 0, 29, 80), Window(7, 13, 20, 30)):
        assert (burn_aoi(ring, WHOLE.window(window)) == whole[window.slices]).all()


def test_far_away_is_nothing_and_all_around_is_everything() -> None:
    assert not burn_aoi(shapely.box(0, 0, 10, 10), WHOLE).any()
    assert burn_aoi(shapely.box(500_000, 4_900_000, 700_000, 5_100_000), WHOLE).all()
