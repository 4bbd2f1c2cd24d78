"""Which days a source is asked for, in spans of weeks: pure functions of the area and its source."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta

from services.ingest.fetch.queue import Lane
from shared.area import Area
from shared.area.source import CdseSource, DhusSource, ProductType, StacSource
from shared.items.weeks import iso_week

Catalogue = CdseSource | DhusSource | StacSource
"""A source that is asked, not watched."""

SPAN_WEEKS = 4
"""Weeks of one question: their products fit into a few pages, and an answer that breaks off loses little."""

Span = tuple[datetime, datetime]
"""From, to (UTC), both included."""


def wanted_types(area: Area, source: Catalogue) -> tuple[ProductType, ...]:
    """Return the product types to fetch: those that the source names, or those that the area reads."""
    if source.products:
        return source.products
    msi: ProductType = "S2MSI2A" if area.level == "l2a" else "S2MSI1C"
    found: list[ProductType] = [msi] if "s2" in area.sensors else []
    if "olci" in area.sensors and not isinstance(source, StacSource):
        found.append("OL_1_EFR___")
    return tuple(found)


def wanted_days(area: Area, source: Catalogue) -> tuple[date, date]:
    """Return the first and the last day that are wanted, UTC: of the source, within the area's years."""
    first, last = date.fromisocalendar(min(area.years), 1, 1), _last_day(max(area.years))
    return max(first, source.start or first), min(last, source.end or last)


def spans(area: Area, source: Catalogue, since: date, today: date) -> Iterator[Span]:
    """Yield whole ISO weeks, four at a time, newest first, from `since` to today; only those that are wanted."""
    first, last = wanted_days(area, source)
    first, last = max(first, since), min(last, today)
    end = last + timedelta(days=6 - last.weekday())
    while end >= first:
        begin = end - timedelta(days=7 * SPAN_WEEKS - 1)
        asked = max(begin, first), min(end, last)
        if any(day.isocalendar().year in area.years for day in asked):
            yield whole_days(*asked)
        end = begin - timedelta(days=1)


def whole_days(first: date, last: date) -> Span:
    """Return the first and the last moment of some days, UTC."""
    return datetime.combine(first, time.min, UTC), datetime.combine(last, time.max, UTC)


def weeks_in(span: Span) -> Iterator[str]:
    """Yield the ISO weeks that a span touches, ascending."""
    day, end = span
    last = ""
    while day <= end:
        if (week := iso_week(day)) != last:
            yield (last := week)
        day += timedelta(days=1)


def lane_of(sensed: datetime, published: datetime, first_look: datetime, forward_days: float) -> Lane:
    """Return the lane of a product: forward, if it was published since the first look, soon after it was sensed.

    So what a reprocessing publishes today, of years ago, never delays today's scene.
    """
    is_new = published >= first_look and published - sensed <= timedelta(days=forward_days)
    return "forward" if is_new else "backfill"


def _last_day(year: int) -> date:
    return date.fromisocalendar(year + 1, 1, 1) - timedelta(days=1)
