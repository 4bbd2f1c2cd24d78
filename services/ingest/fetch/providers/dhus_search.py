"""Searches a DHuS node: page by page, newest publication first, by splitting the time where a node would stop."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Protocol, TypeVar

import shapely
from sentinelsat import SentinelAPI
from shapely.errors import GEOSException
from shapely.geometry.base import BaseGeometry

from services.ingest.fetch.errors import Refused, Unavailable
from services.ingest.fetch.provider import Offer, Query
from services.ingest.fetch.providers.described import BrokenProduct, size_of, write_time
from services.ingest.fetch.providers.dhus_product import offer_of_entry
from shared.area.source import ProductType
from shared.observe.logs import get_logger

PAGE: Final = 100
STOP: Final = 10_000
"""Results after which a node may stop: a total of this many may be a cap."""
SHORTEST: Final = timedelta(seconds=1)
"""Time of publication that is not split any more."""
FIRST: Final = datetime(2014, 1, 1, tzinfo=UTC)
"""No Sentinel product was published before."""
_MISSIONS: Final[Mapping[ProductType, str]] = {
    "S2MSI2A": "Sentinel-2",
    "S2MSI1C": "Sentinel-2",
    "OL_1_EFR___": "Sentinel-3",
}
_UNITS: Final = ("B", "KB", "MB", "GB", "TB")
"""Each 1024 times the one before."""
_SIZE: Final = re.compile(rf"(\d{{1,9}}(?:\.\d{{1,9}})?) ({'|'.join(_UNITS)})\Z", re.ASCII)
_T = TypeVar("_T")
_log = get_logger(service="fetch")


class Ask(Protocol):
    """Calls the client, and turns what it raises into an error of ours."""

    def __call__(self, call: Callable[[], _T], /) -> _T:
        """Return what the call returns."""


def search_node(api: SentinelAPI, ask: Ask, query: Query, today: datetime | None = None) -> Iterator[Offer]:
    """Yield the products that fit, each once, newest publication first.

    Args:
        api: sentinelsat's client of the node.
        ask: calls it.
        query: what is searched for.
        today: the end of time; the present where absent.

    Raises:
        FetchError: as `Provider.search`.
    """
    keywords = _keywords(api, query)
    start, end = query.published
    spans = [(start or FIRST, end or (today or datetime.now(UTC)) + timedelta(days=1))]
    seen: set[str] = set()
    while spans:
        span = spans.pop()
        between = {**keywords, "ingestiondate": (write_time(span[0]), write_time(span[1]))}
        total = ask(lambda between=between: int(api.count(**between)))  # type: ignore[misc]
        if total >= STOP:
            spans += _halves(span)
            continue
        for identity, entry in _pages(api, ask, between, total):
            if identity not in seen:
                seen.add(identity)
                if (offer := _offer(identity, entry)) and _fits(offer, entry, query):
                    yield offer


def _keywords(api: SentinelAPI, query: Query) -> dict[str, Any]:
    """Return what sentinelsat makes a query of.

    Satellite and tile are compared here, and not there: old products do not state them.
    """
    keywords: dict[str, Any] = {
        "platformname": _MISSIONS[query.product_type],
        "producttype": query.product_type,
        "area": _area(api, query.aoi),
    }
    if any(query.sensed):
        keywords["date"] = tuple(write_time(when) if when else None for when in query.sensed)
    if query.max_cloud_percent is not None and query.product_type != "OL_1_EFR___":
        keywords["cloudcoverpercentage"] = (0, query.max_cloud_percent)
    return keywords


def _area(api: SentinelAPI, aoi: BaseGeometry) -> str:
    """Write the area of interest as WKT; nodes take short texts, so a detailed one is made coarser, never smaller."""
    for shape in (aoi, aoi.convex_hull, shapely.box(*aoi.bounds)):
        text = shapely.to_wkt(shape, rounding_precision=5)
        if api.check_query_length(text) < 0.8:
            return text
    return text


def _halves(span: tuple[datetime, datetime]) -> list[tuple[datetime, datetime]]:
    """Return the older half and the newer one, which is searched first.

    Raises:
        Refused: it is too short to be split.
    """
    start, end = span
    if end - start < SHORTEST:
        raise Refused(f"the list of products does not end: {STOP} were published within a second")
    middle = start + (end - start) / 2
    return [(start, middle), (middle, end)]


def _pages(
    api: SentinelAPI, ask: Ask, between: Mapping[str, Any], total: int
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield entries, page by page.

    Raises:
        Unavailable: the list ended before its own total.
    """
    seen = 0
    for offset in range(0, total, PAGE):
        page = ask(
            lambda offset=offset: api.query(order_by="-ingestiondate", limit=PAGE, offset=offset, **between)  # type: ignore[misc]
        )
        yield from page.items()
        seen += len(page)
        if not page:
            break
    if seen < total:
        raise Unavailable(f"{seen} of {total} products came")


def _offer(identity: str, entry: Mapping[str, Any]) -> Offer | None:
    """Read an entry; what cannot be read is logged, and does not end the search."""
    try:
        return offer_of_entry(identity, entry).model_copy(update={"size": _size(entry.get("size"))})
    except (BrokenProduct, ValueError) as error:
        _log.warning("a product cannot be read", product=identity[:200], reason=str(error).splitlines()[0][:200])
        return None


def _size(value: Any) -> int | None:
    """Return a size that is written for people, `1.08 GB`, in bytes; None where it is not given."""
    match = _SIZE.match(value) if isinstance(value, str) else None
    return size_of(round(float(match[1]) * 1024 ** _UNITS.index(match[2]))) if match else None


def _fits(offer: Offer, entry: Mapping[str, Any], query: Query) -> bool:
    return (
        offer.product_type == query.product_type
        and query.platform in {"", offer.platform}
        and query.mgrs_tile in {"", offer.mgrs_tile}
        and _touches(entry.get("footprint"), query.aoi)
    )


def _touches(footprint: Any, aoi: BaseGeometry) -> bool:
    """Return whether a footprint meets the area of interest, or does not tell."""
    try:
        return not isinstance(footprint, str) or bool(shapely.from_wkt(footprint).intersects(aoi))
    except (GEOSException, ValueError):
        return True
