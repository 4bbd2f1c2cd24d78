"""What people ask becomes what a catalogue is asked."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
from shapely import box

from landstream.arrivals.queries import BadQuery, Limits, queries, source_of
from shared.area.source import CdseSource, FolderSource, StacSource
from tests.catalogues import AREA

AOI = box(23.9, 45.7, 24.3, 45.9)
CDSE = CdseSource(kind="cdse")
TODAY = date(2024, 6, 30)


def first(**given: Any) -> Any:
    return queries(AOI, None, CDSE, Limits(**given), TODAY)[0]


def test_an_area_says_what_and_when() -> None:
    source = CDSE.model_copy(update={"max_cloud_percent": 60.0})
    msi, olci = queries(AREA.polygon, AREA, source, Limits(), TODAY)
    assert (msi.product_type, olci.product_type) == ("S2MSI2A", "OL_1_EFR___")
    assert msi.sensed == (datetime(2018, 1, 1, tzinfo=UTC), datetime(2018, 12, 30, 23, 59, 59, 999999, UTC))
    assert msi.max_cloud_percent == 60
    (one,) = queries(AOI, AREA, source, Limits(("S2MSI1C",), max_cloud_percent=0.0, start=date(2018, 6, 4)), TODAY)
    assert (one.product_type, one.aoi, one.max_cloud_percent) == ("S2MSI1C", AOI, 0)
    assert one.sensed[0] == datetime(2018, 6, 4, tzinfo=UTC)


def test_an_outline_alone_means_the_last_days_of_l2a() -> None:
    (asked,) = queries(AOI, None, CDSE, Limits(), TODAY)
    assert asked.product_type == "S2MSI2A"
    assert asked.sensed == (datetime(2024, 6, 1, tzinfo=UTC), datetime(2024, 6, 30, 23, 59, 59, 999999, UTC))
    past = first(end=date(2020, 1, 31))
    assert past.sensed[0] == datetime(2020, 1, 2, tzinfo=UTC)


@pytest.mark.parametrize(("text", "platform"), [("S2A", "sentinel-2a"), ("sentinel-3b", "sentinel-3b"), ("", "")])
def test_a_satellite_is_called_as_people_call_it(text: str, platform: str) -> None:
    assert first(platform=text).platform == platform


def test_a_tile_goes_with_or_without_its_t() -> None:
    assert first(tile="34tgr").mgrs_tile == first(tile="T34TGR").mgrs_tile == "T34TGR"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"types": ("S2MSI3",)}, "--type S2MSI3: is not one of S2MSI2A, S2MSI1C, OL_1_EFR___"),
        ({"platform": "Landsat"}, "--platform Landsat: is not a satellite"),
        ({"tile": "Berlin"}, "--tile: 'BERLIN' is not an MGRS tile"),
        ({"start": date(2024, 6, 2), "end": date(2024, 6, 1)}, "2024-06-02 is after 2024-06-01"),
    ],
)
def test_what_is_not_to_be_asked_is_said(given: dict[str, Any], said: str) -> None:
    with pytest.raises(BadQuery, match=said):
        first(**given)


def test_the_source_of_an_area_is_asked() -> None:
    earth = StacSource(kind="stac")
    assert source_of(None, "") == source_of(AREA, "") == CDSE
    assert source_of(AREA.model_copy(update={"source": earth}), "") == earth
    with pytest.raises(BadQuery, match=r"is a folder, .*: do this"):
        source_of(AREA.model_copy(update={"source": FolderSource(kind="folder", path="/data")}), "do this")
