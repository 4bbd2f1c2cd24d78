"""Where an area may lie: one side of the antimeridian, not polar."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.area.extent import check_extent


@pytest.mark.parametrize(
    ("bounds", "fault"),
    [
        ((175.0, -20.0, -175.0, -10.0), "west 175 is not west of east -175.*antimeridian"),
        ((175.0, -20.0, 185.0, -10.0), "pass 180 degrees.*antimeridian"),
        ((-185.0, -20.0, -175.0, -10.0), "pass 180 degrees.*antimeridian"),
        ((-100.0, -20.0, 100.0, -10.0), "200 degrees of longitude.*antimeridian"),
        ((10.0, 80.0, 20.0, 84.5), "polar"),
        ((10.0, -81.0, 20.0, -60.0), "polar"),
        ((10.0, 50.0, 20.0, 40.0), "south 50 is not south of north 40"),
        ((10.0, 40.0, 10.0, 50.0), "west 10 not west of east 10"),
        ((500_000.0, 4e6, 600_000.0, 4.1e6), "not west, south, east, north in degrees"),
        ((float("nan"), 40.0, 10.0, 50.0), "not west, south, east, north in degrees"),
        ((10.0, 40.0, float("inf"), 50.0), "not west, south, east, north in degrees"),
    ],
)
def test_what_is_refused(bounds: tuple[float, float, float, float], fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        check_extent(bounds)


@given(st.floats(-180, 179), st.floats(-80, 83), st.floats(0.01, 1), st.floats(0.01, 1))
def test_the_rest_of_the_globe_is_good(west: float, south: float, width: float, height: float) -> None:
    check_extent((west, south, west + width, south + height))
