"""Outlines on the globe."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from shared.geo.outline import bbox, polygon, project_polygon


def test_over_the_antimeridian() -> None:
    drawn = polygon(np.array([179.0, -179.0, -179.0, 179.0]), np.array([10.0, 10.0, 11.0, 11.0]))
    assert drawn.area == pytest.approx(2.0)
    assert drawn.intersects(shapely.Point(-179.5, 10.5))
    assert not drawn.intersects(shapely.Point(0, 10.5))
    assert bbox(drawn) == (179.0, 10.0, -179.0, 11.0)


def test_around_a_pole() -> None:
    drawn = polygon(np.arange(-180.0, 180.0, 30.0), np.full(12, -75.0))
    assert drawn.contains(shapely.Point(17, -89))
    assert not drawn.intersects(shapely.Point(17, -70))


@given(st.floats(-180, 179), st.floats(-80, 79), st.floats(0.1, 20))
def test_an_outline_keeps_its_area(west: float, south: float, side: float) -> None:
    south = min(south, 89 - side)
    longitudes = (np.array([west, west + side, west + side, west]) + 180) % 360 - 180
    drawn = polygon(longitudes, np.array([south, south, south + side, south + side]))
    assert drawn.is_valid
    assert drawn.area == pytest.approx(side * side, rel=1e-6)


def test_a_parallel_bends_on_its_way_into_utm() -> None:
    drawn = project_polygon(shapely.box(23, 45, 24.9, 46), "EPSG:32634")
    straight = shapely.Polygon(shapely.get_coordinates(drawn.convex_hull))
    assert len(shapely.get_coordinates(drawn)) > 400
    assert drawn.is_valid
    assert straight.area > drawn.area * 1.001, "the northern edge sags towards the equator's side"
