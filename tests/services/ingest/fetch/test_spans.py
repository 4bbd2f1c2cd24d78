"""Spans of days: every wanted day is asked for exactly once, in whole weeks, newest first."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.fetch.spans import lane_of, spans, wanted_days, wanted_types, weeks_in, whole_days
from shared.area.source import CdseSource, StacSource
from shared.items.weeks import iso_week
from tests.catalogues import AREA

DAYS = st.dates(date(2016, 1, 1), date(2022, 12, 31))


def source(**given: Any) -> CdseSource:
    return CdseSource(kind="cdse", **given)


@given(st.sets(st.integers(2017, 2021), min_size=1), DAYS, DAYS, st.none() | DAYS, st.none() | DAYS)
def test_every_wanted_day_is_asked_for_exactly_once(
    years: set[int], since: date, today: date, start: date | None, end: date | None
) -> None:
    if start and end and start > end:
        start, end = end, start
    area = AREA.model_copy(update={"years": sorted(years)})
    asked: list[date] = []
    newest: date | None = None
    for begin, last in spans(area, source(start=start, end=end), since, today):
        assert begin.tzinfo is UTC
        assert (begin.hour, last.hour, last.microsecond) == (0, 23, 999_999)
        assert newest is None or last.date() < newest
        assert (last - begin) < timedelta(days=28)
        newest = begin.date()
        asked += [begin.date() + timedelta(days=n) for n in range((last.date() - begin.date()).days + 1)]
    assert len(asked) == len(set(asked))
    every = [date(2016, 1, 1) + timedelta(days=n) for n in range(7 * 366)]
    wanted = {
        day
        for day in every
        if day.isocalendar().year in years
        and since <= day <= today
        and (start is None or start <= day)
        and (end is None or day <= end)
    }
    assert wanted <= set(asked)
    assert all(since <= day <= today for day in asked)


def test_a_week_is_in_one_span_alone() -> None:
    found = list(spans(AREA, source(), date.min, date(2018, 12, 31)))
    weeks = [week for span in found for week in weeks_in(span)]
    assert len(weeks) == len(set(weeks)) == 52
    assert weeks[0] > weeks[-1]


def test_weeks_of_a_span_are_all_that_it_touches() -> None:
    span = whole_days(date(2018, 12, 30), date(2019, 1, 7))
    assert list(weeks_in(span)) == ["2018-W52", "2019-W01", "2019-W02"]
    assert iso_week(span[0]) == "2018-W52"
    assert iso_week(span[1]) == "2019-W02"


def test_wanted_days_are_those_of_the_source_within_the_area_s_years() -> None:
    assert wanted_days(AREA, source()) == (date(2018, 1, 1), date(2018, 12, 30))
    assert wanted_days(AREA, source(start=date(2010, 1, 1), end=date(2018, 6, 1))) == (
        date(2018, 1, 1),
        date(2018, 6, 1),
    )


def test_types_are_those_of_the_source_or_those_that_the_area_reads() -> None:
    both = AREA.model_copy(update={"sensors": ("s2", "olci")})
    assert wanted_types(both, source()) == ("S2MSI2A", "OL_1_EFR___")
    assert wanted_types(both.model_copy(update={"level": "l1c"}), source()) == ("S2MSI1C", "OL_1_EFR___")
    assert wanted_types(both, StacSource(kind="stac")) == ("S2MSI2A",)
    assert wanted_types(both, source(products=["S2MSI1C"])) == ("S2MSI1C",)


LOOK = datetime(2024, 5, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("sensed_days", "published_days", "lane"),
    [(0, 1, "forward"), (-9, 0.5, "forward"), (-11, 1, "backfill"), (-2, -1, "backfill"), (-2000, 1, "backfill")],
)
def test_only_what_was_published_since_and_soon_after_sensing_goes_forward(
    sensed_days: float, published_days: float, lane: str
) -> None:
    sensed, published = LOOK + timedelta(days=sensed_days), LOOK + timedelta(days=published_days)
    assert lane_of(sensed, published, LOOK, 10.0) == lane
