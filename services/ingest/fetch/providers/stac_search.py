"""Searches the STAC of the Copernicus Data Space with pystac-client, whose requests all go through our own client."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, Literal

from pystac_client import ItemSearch
from pystac_client.stac_api_io import StacApiIO
from shapely.geometry import mapping

from services.ingest.fetch.errors import Refused, Unavailable
from services.ingest.fetch.network.bounded import parse_json
from services.ingest.fetch.network.hosts import Hosts
from services.ingest.fetch.network.http import Http
from services.ingest.fetch.provider import Offer, Query
from services.ingest.fetch.providers.described import KINDS, BrokenProduct, write_time
from services.ingest.fetch.providers.stac_item import offer_of_item
from shared.observe.logs import get_logger

PAGE: Final = 100
PAGES_LIMIT: Final = 2500
"""Pages of one search: a quarter of a million products, more than a year of Europe's."""
STALE_PAGES_LIMIT: Final = 3
"""Pages in a row that hold nothing new, after which a list is called endless."""

_log = get_logger(service="fetch")


class PoliteStacIO(StacApiIO):
    """How pystac-client asks, for one search: bounded, from one host, and never a page twice."""

    def __init__(self, http: Http, address: str) -> None:
        """Ask nothing yet.

        Args:
            http: what is asked through.
            address: of the API, whose host all pages come from.
        """
        super().__init__(max_retries=None)
        self._http = http
        self._hosts = Hosts([address])
        self._asked: set[str] = set()

    def request(
        self,
        href: str,
        method: str | None = None,
        headers: dict[str, str] | None = None,
        parameters: dict[str, Any] | None = None,
    ) -> str:
        """Ask for a page; headers that a link wants are not sent.

        Raises:
            Refused: the page was asked for before, there are too many, or it lies on another host.
            FetchError: as `Http.fetch`.
        """
        verb = _verb(method)
        self._hosts.check(href)
        page = json.dumps([verb, href, parameters], sort_keys=True)
        if page in self._asked:
            raise Refused("the list of products does not end: a page leads to one that came before")
        if len(self._asked) >= PAGES_LIMIT:
            raise Refused(f"the list of products does not end: {PAGES_LIMIT} pages came")
        self._asked.add(page)
        if verb == "POST":
            reply = self._http.fetch(verb, href, body=parameters, is_json=True)
        else:
            params = {key: str(value) for key, value in (parameters or {}).items()}
            reply = self._http.fetch(verb, href, params=params, is_json=True)
        return reply.body.decode(errors="replace")

    def read_text(self, source: Any, *args: Any, **kwargs: Any) -> str:
        """Return what an address or a link leads to; never a file."""
        if isinstance(source, str):
            return self.request(source, *args, **kwargs)
        return super().read_text(source, *args, **kwargs)

    def json_loads(self, txt: str, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Return a page whose parts are of the types that pystac-client takes them for.

        Raises:
            Refused: it is a bomb, or not a page.
            Unavailable: it is not JSON.
        """
        return _page(parse_json(txt))


def search_stac(http: Http, stac_url: str, query: Query, make: Callable[[Mapping[str, Any]], Offer]) -> Iterator[Offer]:
    """Yield the products that fit, each once, newest publication first.

    Args:
        http: what is asked through.
        stac_url: of the API.
        query: what is searched for.
        make: reads an item.

    Raises:
        Unavailable: the service does not answer well.
        Refused: the list does not end, or is a bomb.
        Misconfigured: the service does not take the request.
        Gone: the address is not that of a service.
    """
    search = ItemSearch(
        f"{stac_url}/search",
        method="POST",
        stac_io=PoliteStacIO(http, stac_url),
        limit=PAGE,
        collections=list(KINDS[query.product_type].collections),
        intersects=mapping(query.aoi),
        datetime=_interval(query),
        query=_conditions(query),
        sortby=[{"field": "properties.published", "direction": "desc"}],
    )
    seen: set[str] = set()
    stale = 0
    for page in search.pages_as_dicts():
        before = len(seen)
        for item in page["features"]:
            offer = _offer(item, make, seen)
            if offer and (not query.mgrs_tile or offer.mgrs_tile == query.mgrs_tile):
                yield offer
        stale = 0 if len(seen) > before else stale + 1
        if stale >= STALE_PAGES_LIMIT:
            raise Refused("the list of products does not end: pages come that hold nothing new")


def search_cdse_stac(http: Http, stac_url: str, download_url: str, query: Query) -> Iterator[Offer]:
    """Yield the Copernicus Data Space's products; arguments and errors are those of `search_stac`."""
    return search_stac(http, stac_url, query, lambda item: offer_of_item(item, download_url))


def _offer(item: Mapping[str, Any], make: Callable[[Mapping[str, Any]], Offer], seen: set[str]) -> Offer | None:
    """Read an item, unless it was seen; what cannot be read is logged, and does not end the search."""
    key = str(item.get("id"))[:200]
    if key in seen:
        return None
    seen.add(key)
    try:
        return make(item)
    except (BrokenProduct, ValueError) as error:
        _log.warning("an item cannot be read", item=key, reason=str(error).splitlines()[0][:200])
        return None


def _verb(method: str | None) -> Literal["GET", "POST"]:
    verb = (method or "GET").upper()
    if verb == "GET":
        return "GET"
    if verb == "POST":
        return "POST"
    raise Refused("a link is to be asked in a way that no page is")


def _page(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Unavailable("an answer is not a page of products")
    features, links = value.get("features"), value.get("links", [])
    if not isinstance(features, list) or not all(isinstance(item, dict) for item in features):
        raise Unavailable("an answer is not a page of products")
    if not isinstance(links, list) or not all(map(_is_link, links)):
        raise Refused("a page's links are not links")
    return value


def _is_link(link: Any) -> bool:
    return (
        isinstance(link, dict)
        and isinstance(link.get("rel"), str)
        and isinstance(link.get("href"), str)
        and isinstance(link.get("method", ""), str)
        and isinstance(link.get("body", {}), dict)
    )


def _interval(query: Query) -> str | None:
    start, end = query.sensed
    if start is None and end is None:
        return None
    return f"{write_time(start) if start else '..'}/{write_time(end) if end else '..'}"


def _conditions(query: Query) -> dict[str, Any] | None:
    """Return the conditions beside place and time.

    A tile is compared here, and not there: catalogues write zones below 10 with and without a zero.
    """
    conditions: dict[str, dict[str, Any]] = {}
    published = {"gte": query.published[0], "lte": query.published[1]}
    if any(published.values()):
        conditions["published"] = {key: write_time(when) for key, when in published.items() if when}
    if query.max_cloud_percent is not None and query.product_type != "OL_1_EFR___":
        conditions["eo:cloud_cover"] = {"lte": query.max_cloud_percent}
    if query.platform:
        conditions["platform"] = {"eq": query.platform}
    return conditions or None
