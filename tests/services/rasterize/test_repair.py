"""Outlines that cross themselves, made valid with all the area that they enclose."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from services.rasterize.burn import burn, reproject
from services.rasterize.repair import repair

GRID, SAME_PLACE = "EPSG:32634", "EPSG:25834"  # WGS 84 and ETRS89: alike to the decimetre
LATTICE = (10.0, 0.0, 698_000.0, 0.0, -10.0, 5_092_000.0)
BOX = shapely.box(0, 0, 10, 10)
EIGHT = [(-1500, -1500), (1500, -1500), (1500, 0), (-1500, 100), (-1500, 1500), (1500, 1500), (1500, 100), (-1500, 0)]


def place(points: list[tuple[float, float]]) -> shapely.Polygon:
    return shapely.Polygon([(700_000 + x, 5_090_000 + y) for x, y in points])


def pixels(geometry: shapely.Geometry, source: str) -> np.ndarray:
    moved = reproject(np.array([geometry], dtype=object), source, GRID)
    return np.concatenate([s for _, s in burn(moved, np.array([1], np.uint32), LATTICE, (400, 400))])


@pytest.mark.parametrize(
    ("drawn", "area"),
    [
        (shapely.Polygon([(0, 0), (10, 10), (10, 0), (0, 10)]), 50),  # two lobes
        (shapely.Polygon([(0, 0), (10, 0), (10, 6), (4, 6), (4, 4), (6, 4), (6, 10), (0, 10)]), 84),  # a loop
        (shapely.Polygon([*BOX.exterior.coords, *BOX.exterior.coords[1:-1]]), 100),  # gone around twice
        (shapely.MultiPolygon([BOX, shapely.box(5, 0, 15, 10)]), 150),  # parts that overlap
        (shapely.MultiPolygon([BOX, shapely.box(2, 2, 4, 4)]), 100),  # a part within another
        (shapely.Polygon(BOX.exterior, [shapely.box(0, 2, 5, 5).exterior]), 85),  # a hole at the rim
        (shapely.Polygon([(0, 0), (10, 0), (10, 10), (10, 20), (10, 10), (0, 10)]), 100),  # a spike
        (shapely.GeometryCollection([shapely.Point(50, 50), BOX]), 100),
    ],
)
def test_no_area_is_lost(drawn: shapely.Geometry, area: float) -> None:
    (mended,), count = repair(np.array([drawn], dtype=object))
    assert mended.area == pytest.approx(area)
    assert mended.is_valid
    assert mended.geom_type in {"Polygon", "MultiPolygon"}
    assert count == (not drawn.is_valid)


def test_what_is_sound_stays_and_what_has_no_area_goes() -> None:
    flat = shapely.Polygon([(0, 0), (10, 0), (5, 0)])
    given_ = np.array([BOX, None, shapely.Point(1, 1), shapely.LineString([(0, 0), (1, 1)]), flat, BOX], dtype=object)
    mended, count = repair(given_)
    assert mended[0] is BOX
    assert mended.tolist()[1:5] == [None, None, None, None]
    assert count == 1, "the flat one"
    assert repair(given_[:0])[1] == 0


def test_a_figure_of_eight_keeps_both_lobes_in_another_crs() -> None:
    eight = place(EIGHT)
    here, there = pixels(eight, GRID), pixels(eight, SAME_PLACE)
    assert here.sum() == pytest.approx(88_500, abs=300)
    assert (here != there).sum() <= 600, "a decimetre along the outline"


@given(st.lists(st.tuples(st.integers(-90, 90), st.integers(-90, 90)), min_size=4, max_size=8))
def test_all_that_an_outline_encloses_is_burned(points: list[tuple[int, int]]) -> None:
    """A pixel whose centre an outline goes around an odd number of times is burned, whatever crosses."""
    outline = place([(20 * x + 0.123, 20 * y + 0.777) for x, y in points])
    mended = pixels(outline, GRID)
    plain = next(burn(np.array([outline], dtype=object), np.array([1], np.uint32), LATTICE, (400, 400), 400))[1]
    # On the rim itself rounding decides.
    lost = (plain > 0) & (mended == 0)
    assert lost.sum() <= 2 * len(points)
