"""UTM zones: the rule of six degrees and the hemispheres."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from shared.geo.mgrs import MgrsTile, utm_epsg, utm_zone, zone_bounds_deg


@given(st.integers(-180 * 10**7, 180 * 10**7))
def test_a_longitude_lies_in_its_zone(tenth_microdegrees: int) -> None:
    longitude_deg = tenth_microdegrees / 10**7
    west, east = zone_bounds_deg(utm_zone(longitude_deg))
    assert east - west == 6
    assert west <= longitude_deg <= east
    assert longitude_deg < east or longitude_deg == 180


def test_known_places() -> None:
    assert utm_epsg(24.0, 46.0) == 32635
    assert utm_epsg(23.9, 46.0) == 32634
    assert utm_epsg(179.9, -20.0) == 32760
    assert utm_epsg(180.0, -20.0) == 32760
    assert utm_epsg(-180.0, 0.0) == 32601
    assert MgrsTile.parse("T34TFR").epsg == 32634
    assert MgrsTile.parse("T22HBD").epsg == 32722
