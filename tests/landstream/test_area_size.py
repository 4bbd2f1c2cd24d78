"""What an area takes follows from measured rates, and those are the ones that the documents state."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from shapely.geometry import box

from landstream import area_size
from landstream.area_size import frames_over, hours, scenes_of_tile, size_of
from shared.area.area import default_grid
from tests.conftest import ROOT

BOTH = ("s2", "olci")


def test_rates_are_those_of_the_documents() -> None:
    readme = (ROOT / "README.md").read_text()
    assert f"ingest + mask + merge, CPU time / peak memory of a worker | {area_size.SCENE_CPU_S} s" in readme
    assert f"ingest + reprojection + merge | {area_size.FRAME_CPU_S} s" in readme
    benchmarks = (ROOT / "benchmarks" / "README.md").read_text()
    assert f"those that `merge.py` makes itself hold {area_size.BITS_A_PIXEL}" in benchmarks
    assert f"21.4 MB ({area_size.USED_OF_DELIVERED})" in benchmarks
    assert f"1.81 MB ({area_size.GRID_OF_FRAME})" in benchmarks
    assert f"({area_size.MAP_BYTES_A_TILE // 1000} kB a tile)" in benchmarks


def test_known_rates_of_arrival() -> None:
    assert scenes_of_tile(0.0) == pytest.approx(104, abs=1)
    assert scenes_of_tile(45.7) == pytest.approx(149, abs=1)
    # OLCI sees a place of middle latitudes some 1.3 times a day.
    assert frames_over((24.0, 45.9, 24.1, 46.0)) / 365 == pytest.approx(1.3, abs=0.1)


def test_full_products_have_the_size_that_they_have() -> None:
    assert 0.8e9 < area_size.SCENE_BYTES < 1.1e9
    assert 0.5e9 < area_size.FRAME_BYTES < 0.8e9


PLACES = st.tuples(st.integers(-170, 160), st.integers(-75, 75), st.integers(1, 40), st.integers(1, 40))


@given(PLACES)
def test_a_sum_of_parts_that_grow_with_the_area(place: tuple[int, int, int, int]) -> None:
    west, south, width, height = place
    aoi = box(west, south, west + width / 20, south + height / 20)
    larger = box(west, south, west + width / 10, south + height / 10)
    size, more = (size_of(a, default_grid(a), BOTH) for a in (aoi, larger))
    assert set(size.mgrs_tiles) <= set(more.mgrs_tiles)
    assert size.cube_bytes <= more.cube_bytes
    alone = [size_of(aoi, default_grid(aoi), (sensor,)) for sensor in BOTH]
    assert sum(s.landing_bytes for s in alone) == pytest.approx(size.landing_bytes)
    assert sum(s.hours for s in alone) == pytest.approx(size.hours)
    assert not alone[0].frames
    assert not alone[1].scenes


def test_a_country_is_large_and_a_county_is_not() -> None:
    romania, county = box(20.2, 43.6, 29.8, 48.3), box(23.9, 45.7, 24.3, 45.9)
    assert size_of(romania, default_grid(romania), BOTH).large
    assert not size_of(county, default_grid(county), BOTH).large


def test_words_for_people() -> None:
    assert (hours(3.14), hours(240.4)) == ("3.1 h", "240 h")
