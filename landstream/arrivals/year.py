"""What a year of an area is in a catalogue: how many products of which size, by type."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Final

from landstream.arrivals.asking import asking
from landstream.arrivals.offers import total_of
from landstream.arrivals.queries import BadQuery, Limits, queries, source_of
from landstream.commands.opening import fail
from shared.area import Area

INSTEAD: Final = "name a catalogue in `source:`, or leave `source:` out to ask the Data Space"


def year_lines(area: Area) -> Iterator[str]:
    """Yield what a year of an area is in its catalogue, see `last_whole_year`; a line for each product type.

    A catalogue that does not answer, or a source that is none, ends the command with one line.
    """
    today = datetime.now(UTC).date()
    try:
        source, days = source_of(area, INSTEAD), last_whole_year(area, today)
        asked = queries(area.polygon, area, source, Limits(start=days[0], end=days[1]), today)
    except BadQuery as error:
        fail(error)
    with asking(source, for_search=True) as provider:
        for query in asked:
            yield f"{query.product_type} in {days[1].year}: {total_of(provider.search(query))}"


def last_whole_year(area: Area, today: date) -> tuple[date, date]:
    """Return the first and the last day of the newest calendar year of an area's that is over; else of last year."""
    year = max((year for year in area.years if year < today.year), default=today.year - 1)
    return date(year, 1, 1), date(year, 12, 31)
