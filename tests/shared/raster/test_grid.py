"""The lattice of pixels: windows, bounds and outlines."""

from __future__ import annotations

import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from pyproj import Transformer

from shared.geo import Grid
from shared.geo.outline import bbox
from shared.raster.grid import Lattice, Window, outline

GRID = Grid(32634, 600_000, 5_000_040, 2, 3)


def test_the_lattice_of_an_area() -> None:
    lattice = Lattice.of_area(GRID, 10)
    assert lattice.shape == (512, 768)
    assert lattice.transform == GRID.transform(10)
    assert lattice.bounds == GRID.bounds_m
    assert Lattice.of_asset(lattice.projection) == lattice


@given(st.integers(-50, 50), st.integers(-50, 50), st.integers(1, 99), st.integers(1, 99), st.integers(-9, 9))
def test_a_window_of_a_window(y: int, x: int, ny: int, nx: int, step: int) -> None:
    whole = Lattice.of_area(GRID, 20)
    twice = whole.window(Window(y, x, ny, nx)).window(Window(step, -step, 5, 6))
    assert twice == whole.window(Window(y + step, x - step, 5, 6))
    assert twice.bounds[0] == GRID.origin_x_m + 20 * (x - step)
    assert twice.bounds[3] == GRID.origin_y_m - 20 * (y + step)


def test_sides_are_bent_in_degrees() -> None:
    """The middle of a side of 100 km lies on the outline, not on the chord between its corners."""
    bounds = (600_000.0, 5_000_000.0, 700_000.0, 5_100_000.0)
    drawn = outline("EPSG:32634", bounds)
    to_degrees = Transformer.from_crs(32634, 4326, always_xy=True)
    middle = shapely.Point(*to_degrees.transform(650_000, 5_100_000))
    assert drawn.exterior.distance(middle) < 1e-6
    chord = shapely.LineString([to_degrees.transform(x, 5_100_000) for x in (600_000, 700_000)])
    assert chord.distance(middle) > 1e-4
    assert drawn.exterior.is_ccw
    assert bbox(drawn) == pytest.approx(to_degrees.transform_bounds(*bounds, densify_pts=99), abs=1e-6)


def test_an_outline_over_the_antimeridian() -> None:
    west, _, east, _ = bbox(outline("EPSG:32601", (250_000.0, 7_000_000.0, 350_000.0, 7_100_000.0)))
    assert west > 170
    assert east < -170


def test_what_no_crs_can_say() -> None:
    with pytest.raises(ValueError, match="lie outside"):
        outline("EPSG:3035", (1e9, 1e9, 2e9, 2e9))
    with pytest.raises(ValueError, match="positive pixel"):
        Lattice("EPSG:4326", 0, 0, 0, (1, 1))
