"""UTM zones and MGRS tiles: the rule of six degrees, its exceptions in Norway and Svalbard, names and extents."""

from __future__ import annotations

import pytest
import utm
from hypothesis import given
from hypothesis import strategies as st
from pyproj import Transformer
from shapely.geometry import Point, box

from shared.area.area import default_grid
from shared.geo.mgrs import (
    BANDS,
    SQUARE_M,
    MgrsTile,
    tiles_over,
    utm_epsg,
    utm_zone,
    utm_zone_epsg,
    zone_bounds_deg,
    zone_extent,
)

LONGITUDES = st.integers(-180 * 10**7, 180 * 10**7 - 1).map(lambda n: n / 10**7)
LATITUDES = st.integers(-80 * 10**7, 84 * 10**7).map(lambda n: n / 10**7)
# Where the rule has exceptions, and just beyond.
NORTH = st.tuples(st.integers(-20, 500).map(lambda n: n / 10), st.integers(540, 840).map(lambda n: n / 10))


@given(LONGITUDES, LATITUDES)
def test_a_point_lies_in_its_zone(longitude_deg: float, latitude_deg: float) -> None:
    west, east = zone_bounds_deg(utm_zone(longitude_deg, latitude_deg), latitude_deg)
    assert west <= longitude_deg < east
    assert east - west == 6 or latitude_deg >= 56


@given(st.one_of(NORTH, st.tuples(LONGITUDES, LATITUDES)))
def test_zones_are_those_of_another_implementation(point: tuple[float, float]) -> None:
    longitude_deg, latitude_deg = point
    zone = utm_zone(longitude_deg, latitude_deg)
    assert zone == utm.latlon_to_zone_number(latitude_deg, longitude_deg)
    assert zone_extent(zone, latitude_deg >= 0).intersects(Point(longitude_deg, latitude_deg))


def test_the_zones_cover_the_globe_once() -> None:
    whole = [zone_extent(zone, north) for north in (True, False) for zone in range(1, 61)]
    assert sum(z.area for z in whole) == pytest.approx(360 * 164)


def test_known_places() -> None:
    assert utm_epsg(24.0, 46.0) == 32635
    assert utm_epsg(23.9, 46.0) == 32634
    assert utm_epsg(179.9, -20.0) == 32760
    assert utm_epsg(180.0, -20.0) == 32760
    assert utm_epsg(-180.0, 0.0) == 32601
    assert utm_epsg(5.3, 60.4) == 32632  # Bergen
    assert utm_epsg(2.0, 60.4) == 32631
    assert utm_epsg(15.6, 78.2) == 32633  # Longyearbyen
    assert utm_epsg(20.0, 79.0) == 32633
    assert utm_epsg(22.0, 79.0) == 32635
    assert MgrsTile.parse("T34TFR").epsg == 32634
    assert MgrsTile.parse("T22HBD").epsg == 32722


@pytest.mark.parametrize("zone", [32, 34, 36])
def test_zones_that_svalbard_does_not_have(zone: int) -> None:
    with pytest.raises(ValueError, match=f"no UTM zone {zone}X"):
        zone_bounds_deg(zone, 78.0)
    with pytest.raises(ValueError, match=f"31X, 33X, 35X, 37X; there is no {zone}X"):
        MgrsTile.parse(f"T{zone}XMG")
    assert zone_bounds_deg(zone, 60.0)


# Names of ESA's tiling grid: of Norway and Svalbard, and on both sides of borders of latitude bands, where the square
# that reaches into two bands has one name. With a place on each, and the easting and northing of its square.
@pytest.mark.parametrize(
    ("name", "place", "square"),
    [
        ("T32VKM", (5.0, 60.0), (2, 66)),
        ("T32VKL", (5.0, 59.2), (2, 65)),
        ("T32VKN", (5.0, 60.9), (2, 67)),
        ("T32VLR", (5.9, 63.5), (3, 70)),
        ("T33XVG", (13.8, 77.9), (4, 86)),
        ("T33XWG", (15.6, 78.2), (5, 86)),
        ("T31VCG", (0.5, 60.0), (3, 66)),
        ("T32UPU", (11.0, 47.9), (6, 53)),
        ("T32TPT", (11.0, 47.5), (6, 52)),
        ("T30TVK", (-3.9, 39.9), (4, 44)),
        ("T30SVJ", (-3.9, 39.6), (4, 43)),
        ("T28SCA", (-16.5, 31.98), (3, 35)),
        ("T32UNG", (9.5, 55.9), (5, 61)),
        ("T32VNH", (9.5, 55.99), (5, 62)),
        ("T27WVM", (-22.0, 64.5), (4, 71)),
        ("T22NBL", (-53.0, 5.0), (2, 5)),
        ("T18TWL", (-74.006, 40.7128), (5, 45)),
        ("T56HLH", (151.2093, -33.8688), (3, 62)),
        ("T37NEA", (39.5, 0.5), (5, 0)),
    ],
)
def test_names_of_real_tiles(name: str, place: tuple[float, float], square: tuple[int, int]) -> None:
    tile = MgrsTile.parse(name)
    assert (tile.name, tile.square) == (name, square)
    assert tile.outline.contains(Point(place))
    x, y = place
    assert [t.name for t, _ in tiles_over(box(x - 1e-4, y - 1e-4, x + 1e-4, y + 1e-4))] == [name]


@given(LONGITUDES, LATITUDES)
def test_each_place_has_a_tile_that_holds_it(longitude_deg: float, latitude_deg: float) -> None:
    x, y = min(max(longitude_deg, -179.9), 179.9), min(max(latitude_deg, -79.9), 83.9)
    around = box(x - 1e-5, y - 1e-5, x + 1e-5, y + 1e-5)
    found = list(tiles_over(around))
    assert 1 <= len(found) <= 8
    assert any(tile.outline.intersects(around) for tile, _ in found)
    for tile, bounds_m in found:
        assert MgrsTile.parse(tile.name) == tile
        assert bounds_m == tile.bounds_m


@given(st.integers(1, 60), st.sampled_from(BANDS), st.integers(0, 23), st.integers(0, 19))
def test_a_name_that_is_accepted_is_that_of_a_square_in_its_band(zone: int, band: str, column: int, row: int) -> None:
    name = f"T{zone:02d}{band}{'ABCDEFGHJKLMNPQRSTUVWXYZ'[column]}{'ABCDEFGHJKLMNPQRSTUV'[row]}"
    try:
        tile = MgrsTile.parse(name)
    except ValueError as error:
        assert name in str(error)  # noqa: PT017
        return
    easting, northing = tile.square
    middle = ((easting + 0.5) * SQUARE_M, (northing + 0.5) * SQUARE_M)
    _, latitude_deg = Transformer.from_crs(tile.epsg, 4326, always_xy=True).transform(*middle)
    south = -80 + 8 * BANDS.index(band)
    assert south - 1.6 <= latitude_deg <= south + (12 if band == "X" else 8) + 1.6


def test_an_area_of_norway_lies_in_its_wide_zone() -> None:
    bergen = box(5.2, 60.2, 5.6, 60.5)
    assert default_grid(bergen).epsg == 32632
    assert sorted(t.name for t, _ in tiles_over(bergen)) == ["T32VKM", "T32VKN", "T32VLM", "T32VLN"]
    assert default_grid(box(12.0, 78.0, 20.9, 78.5)).epsg == 32633


def test_an_area_across_the_equator_has_tiles_of_both_hemispheres() -> None:
    found = {t.name: (t.epsg, bounds) for t, bounds in tiles_over(box(36.0, -0.1, 36.1, 0.1))}
    assert {epsg for epsg, _ in found.values()} == {utm_zone_epsg(37, True), utm_zone_epsg(37, False)}
    assert all(MgrsTile.parse(name).outline.bounds[1] < 0.1 for name in found)
