"""Areas and times, as queries give them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import shapely
from shapely import box
from shapely.affinity import translate
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry


def parse_time(text: str) -> datetime:
    """Read an RFC 3339 time; one without a zone is UTC.

    Raises:
        ValueError: it is no time.
    """
    time = datetime.fromisoformat(text.strip().replace("Z", "+00:00"))
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


def parse_interval(text: str) -> tuple[datetime | None, datetime | None]:
    """Read STAC's `datetime`: an instant, or an interval whose ends may be open.

    Raises:
        ValueError: it is neither.
    """
    first, slash, last = text.partition("/")
    ends = [None if end in {"", ".."} else parse_time(end) for end in (first, last if slash else first)]
    return ends[0], ends[1]


def parse_area(body: dict[str, Any]) -> BaseGeometry | None:
    """Read STAC's `bbox` or `intersects`; None = everywhere.

    Raises:
        ValueError: it is not an area.
    """
    if body.get("intersects"):
        return shape(body["intersects"])
    numbers = [float(number) for number in body.get("bbox") or ()]
    if not numbers:
        return None
    if len(numbers) not in {4, 6}:
        raise ValueError("bbox has 4 or 6 numbers")
    half = len(numbers) // 2
    return box(numbers[0], numbers[1], numbers[half], numbers[half + 1])


def area_within(longitudes: Sequence[float], latitudes: Sequence[float]) -> BaseGeometry:
    """Return the area within a ring (degrees); one over the date line is split there, and has several parts."""
    if max(longitudes) - min(longitudes) <= 180:
        return shapely.make_valid(shapely.Polygon(list(zip(longitudes, latitudes, strict=True))))
    eastern = [longitude % 360 for longitude in longitudes]
    whole = shapely.make_valid(shapely.Polygon(list(zip(eastern, latitudes, strict=True))))
    beyond = translate(whole.intersection(box(180, -90, 360, 90)), xoff=-360)
    return shapely.union(whole.intersection(box(0, -90, 180, 90)), beyond)


def meets(area: BaseGeometry | None, footprints: Sequence[BaseGeometry]) -> Iterable[bool]:
    """Tell for each footprint whether it meets an area."""
    if area is None or not footprints:
        return [True] * len(footprints)
    return [bool(met) for met in shapely.intersects(area, footprints)]
