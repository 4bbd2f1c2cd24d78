"""ISO weeks, the folders that items lie in, and times as STAC writes them."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta

_MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)


class BadKey(ValueError):
    """Raised when a key breaks the rules: empty or dot segments, not printable ASCII, too long."""


STATIC = "static"
_WEEK = re.compile(r"^\d{4}-W(0[1-9]|[1-4]\d|5[0-3])\Z")


def check_week(week: str) -> str:
    """Return `week` if it is `static` or an ISO week such as 2018-W23.

    Raises:
        BadKey: it is neither.
    """
    if week != STATIC and not _WEEK.match(week):
        raise BadKey(f"{week!r} is neither 'static' nor an ISO week such as 2018-W23")
    return week


def iso_week(moment: datetime) -> str:
    """ISO week in UTC of a datatake or frame start: `2018-W23`."""
    year, week, _ = moment.astimezone(UTC).isocalendar()
    return f"{year:04d}-W{week:02d}"


def later_week(week: str, count: int) -> str:
    """Return the week so many weeks after `2018-W23`; before it where `count` is below 0."""
    year, number, _ = (_thursday(week) + timedelta(weeks=count)).isocalendar()
    return f"{year:04d}-W{number:02d}"


def weeks_apart(week: str, other: str) -> int:
    """Return how many weeks lie between two, at least 0."""
    return abs(_thursday(week).toordinal() - _thursday(other).toordinal()) // 7


def day_of_year(week: str) -> int:
    """Return the day of the year of a week's Thursday, which lies in its ISO year: 1 to 366."""
    return _thursday(week).timetuple().tm_yday


def _thursday(week: str) -> date:
    return date.fromisocalendar(int(week[:4]), int(week[6:]), 4)


def week_bounds(week: str) -> tuple[datetime, datetime]:
    """Return Monday 00:00:00 UTC and the last second of Sunday of an ISO week."""
    check_week(week)
    year, number = int(week[:4]), int(week[6:])
    monday, sunday = date.fromisocalendar(year, number, 1), date.fromisocalendar(year, number, 7)
    return (
        datetime(monday.year, monday.month, monday.day, tzinfo=UTC),
        datetime(sunday.year, sunday.month, sunday.day, 23, 59, 59, tzinfo=UTC),
    )


def spell_week(week: str) -> str:
    """Return the days of an ISO week in words, `18 to 24 June 2018`; always in English."""
    first, last = week_bounds(week)
    end = f"{last.day} {_MONTHS[last.month - 1]} {last.year}"
    start = str(first.day)
    if first.month != last.month:
        start += f" {_MONTHS[first.month - 1]}"
    if first.year != last.year:
        start += f" {first.year}"
    return f"{start} to {end}"


def rfc3339(moment: datetime) -> str:
    """Return UTC time as STAC writes it, microseconds only where there are any."""
    text = (
        moment.astimezone(UTC)
        .replace(tzinfo=None)
        .isoformat(timespec="microseconds" if moment.microsecond else "seconds")
    )
    return text + "Z"


def span_properties(first: str, last: str) -> dict[str, str | None]:
    """Return STAC's times of what is of several weeks: from the first one's start to the last one's end."""
    start, end = week_bounds(first)[0], week_bounds(last)[1]
    return {"datetime": None, "start_datetime": rfc3339(start), "end_datetime": rfc3339(end)}
