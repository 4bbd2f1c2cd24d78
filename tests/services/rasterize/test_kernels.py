"""The pixels of GDAL, also where outlines run through pixels' centres; in whatever stripes."""

from __future__ import annotations

import numpy as np
import shapely
from hypothesis import given
from hypothesis import strategies as st
from rasterio.features import rasterize
from rasterio.transform import Affine

from services.rasterize.burn import burn
from services.rasterize.kernels import first_row, sort

TRANSFORM = (10.0, 0.0, 500_000.0, 0.0, -10.0, 4_600_300.0)
SHAPE = (30, 26)


def of_gdal(polygons: list[shapely.Geometry]) -> np.ndarray:
    """What rasterio burns: polygons numbered from 1."""
    numbered = zip(polygons, range(1, len(polygons) + 1), strict=True)
    burned: np.ndarray = rasterize(numbered, out_shape=SHAPE, transform=Affine(*TRANSFORM), dtype="uint32")
    return burned


def of_ours(polygons: list[shapely.Geometry], strip_px: int = 2048) -> np.ndarray:
    """What the stage burns."""
    numbers = np.arange(1, len(polygons) + 1, dtype=np.uint32)
    return np.concatenate([s for _, s in burn(np.array(polygons, object), numbers, TRANSFORM, SHAPE, strip_px)])


def rings(step_m: float) -> st.SearchStrategy[list[tuple[float, float]]]:
    """Rings, that cross themselves as they like, of vertices on a raster around the lattice."""
    place = st.integers(round(-60 / step_m), round(380 / step_m)).map(lambda n: n * step_m)
    point = st.tuples(place.map(lambda x: 500_000.0 + x), place.map(lambda y: 4_600_300.0 - y))
    return st.lists(point, min_size=3, max_size=40)


def areas(step_m: float, most_holes: int = 2) -> st.SearchStrategy[list[shapely.Geometry]]:
    """Polygons with holes or without, and several in one."""
    polygon = st.builds(shapely.Polygon, rings(step_m), st.lists(rings(step_m), max_size=most_holes))
    return st.lists(
        polygon | st.lists(polygon, min_size=1, max_size=3).map(shapely.MultiPolygon), min_size=1, max_size=4
    )


@given(areas(2.5))
def test_gdals_pixels_where_outlines_run_through_centres(polygons: list[shapely.Geometry]) -> None:
    assert np.array_equal(of_ours(polygons), of_gdal(polygons))


@given(areas(0.7318521))
def test_gdals_pixels(polygons: list[shapely.Geometry]) -> None:
    assert np.array_equal(of_ours(polygons), of_gdal(polygons))


@given(areas(2.5, most_holes=0), st.integers(1, 29))  # a hole that leaves its polygon would be no part of its bounds
def test_strips_do_not_show(polygons: list[shapely.Geometry], strip_px: int) -> None:
    assert np.array_equal(of_ours(polygons, strip_px), of_ours(polygons))


def test_a_country_of_many_parts_is_the_same_in_stripes() -> None:
    rng = np.random.default_rng(3)
    points = shapely.MultiPoint(rng.uniform(0, 9_000, (400, 2)))
    cells = shapely.get_parts(shapely.voronoi_polygons(points, extend_to=shapely.box(0, 0, 9_000, 9_000)))
    wavy = shapely.transform(shapely.segmentize(cells, 20.0), lambda xy: xy + 7 * np.sin(xy[:, ::-1] / 40))
    transform, numbers = (10.0, 0.0, 0.0, 0.0, -10.0, 9_000.0), np.arange(1, len(cells) + 1, dtype=np.uint32)
    (_, ours), *more = burn(np.asarray(wavy, object), numbers, transform, (900, 900))
    shapes = zip(wavy, numbers.tolist(), strict=True)
    assert not more
    assert np.array_equal(ours, rasterize(shapes, (900, 900), transform=Affine(*transform), dtype="uint32"))
    assert (np.bincount(ours.ravel())[1:] > 0).mean() > 0.95


def test_a_comb_whose_rows_are_crossed_often() -> None:
    teeth = [(500_000 + 2 * i, 4_600_290 - (i % 2) * 250) for i in range(120)]
    comb = shapely.Polygon([*teeth, (500_240, 4_600_010), (500_000, 4_600_010)])
    assert np.array_equal(of_ours([comb]), of_gdal([comb]))


@given(st.floats(-1e6, 1e6))
def test_the_first_row_at_or_below(y: float) -> None:
    row = first_row(y)
    assert row - 0.5 < y <= row + 0.5


@given(st.lists(st.integers(-5, 5) | st.integers(-(2**40), 2**40), max_size=90))
def test_sorted(values: list[int]) -> None:
    array = np.array(values, np.int64)
    sort(array)
    assert array.tolist() == sorted(values)
