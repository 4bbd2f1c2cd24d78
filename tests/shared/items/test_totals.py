"""What the maps of a week amount to."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyproj import Geod

from shared.items.item import Item
from shared.items.properties import MapFacts
from shared.items.totals import aoi_hectares, week_totals
from tests.catalogues import AREA

PIXELS = st.integers(0, 8192 * 8192)


def map_of(number: int, pixels: tuple[int, int], empty: int = 0, **more: Any) -> Item:
    """A map of two classes."""
    facts = MapFacts(
        sheet=(0, number),
        ledger="x",
        model="m",
        aoi_ha=round((sum(pixels) + empty) / 100, 2),
        observed_ha=round(sum(pixels) / 100, 2),
        observed_percent=0,
        classes={
            str(v): {"code": f"{v}0", "name": f"class {v}", "pixels": n, "area_km2": round(n * 1e-4, 4)}
            for v, n in enumerate(pixels, start=1)
        },
        attribution="",
    )
    properties = {**facts.properties(), **more}
    kept = {name: value for name, value in properties.items() if value is not None}
    return Item({"id": f"small_{number}--v2-0000000a", "collection": "m", "properties": kept}, "2018-W23")


@given(st.lists(st.tuples(PIXELS, PIXELS), min_size=1, max_size=5))
def test_sheets_are_added_up(sheets: list[tuple[int, int]]) -> None:
    total = week_totals([map_of(n, pixels) for n, pixels in enumerate(sheets)], 1e9)
    assert total.sheets == len(sheets)
    assert total.observed_ha == pytest.approx(sum(map(sum, sheets)) / 100)
    assert [c.ha for c in total.classes] == pytest.approx([sum(column) / 100 for column in zip(*sheets, strict=True)])
    assert sum(c.ha for c in total.classes) == pytest.approx(total.observed_ha)
    assert [(c.value, c.code, c.name) for c in total.classes] == [(1, "10", "class 1"), (2, "20", "class 2")]


def test_what_was_not_mapped_counts_as_not_observed() -> None:
    total = week_totals([map_of(0, (300, 200), empty=500)], aoi_ha=40.0)
    assert (total.observed_ha, total.observed_percent) == (5.0, 12.5)
    assert week_totals([], 40.0).observed_percent == 0
    assert week_totals([], 0.0).observed_percent == 0


def test_maps_that_counted_whole_sheets_are_left_out() -> None:
    older = map_of(1, (9, 9), **{"landstream:observed_ha": None, "landstream:aoi_ha": None})
    total = week_totals([map_of(0, (300, 200)), older], 40.0)
    assert (total.sheets, total.left_out, total.observed_ha) == (1, 1, 5.0)


def test_the_hectares_of_an_aoi() -> None:
    on_the_ellipsoid = abs(Geod(ellps="WGS84").geometry_area_perimeter(AREA.polygon)[0]) / 10_000
    assert aoi_hectares(AREA) == pytest.approx(on_the_ellipsoid, rel=3e-3)
