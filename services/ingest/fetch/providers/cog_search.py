"""Searches a STAC API for Sentinel-2 scenes of level 2A as COGs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from pystac_client import ItemSearch
from shapely.geometry import mapping

from services.ingest.cog_item import BadItem, read_item
from services.ingest.fetch.errors import Refused
from services.ingest.fetch.network.http import Http
from services.ingest.fetch.provider import Offer, Query
from services.ingest.fetch.providers.described import (
    BrokenProduct,
    percent_of,
    platform_of,
    product_name,
    size_of,
    tile_of,
    time_of,
    write_time,
)
from services.ingest.fetch.providers.stac_search import PAGE, STALE_PAGES_LIMIT, PoliteStacIO
from shared.area.source import StacSource
from shared.observe.logs import get_logger

_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}\Z", re.ASCII)
_ADDRESS: Final = re.compile(r"https?://[\x21-\x7e]{1,500}\Z")
_log = get_logger(service="fetch")


def search_cogs(http: Http, source: StacSource, query: Query) -> Iterator[Offer]:
    """Yield the products that fit, each once, the newest item first.

    An item that states no product's name is offered under its own, which no product has: whoever hears it refuses it.

    Args:
        http: what is asked through.
        source: the API and its collection.
        query: what is searched for.

    Raises:
        FetchError: as `Provider.search`.
    """
    if query.product_type != "S2MSI2A":
        return
    search = ItemSearch(
        f"{source.api_url}/search",
        method="POST",
        stac_io=PoliteStacIO(http, source.api_url),
        limit=PAGE,
        collections=[source.collection],
        intersects=mapping(query.aoi),
        datetime=_interval(query),
        query=_conditions(query),
        sortby=[{"field": "properties.created", "direction": "desc"}],
    )
    items: set[str] = set()
    products: set[str] = set()
    stale = 0
    for page in search.pages_as_dicts():
        before = len(items)
        for item in page["features"]:
            key = str(item.get("id"))[:200]
            if key in items:
                continue
            items.add(key)
            offer = _offer(item)
            if offer and offer.name not in products and _fits(offer, query):
                products.add(offer.name)
                yield offer
        stale = 0 if len(items) > before else stale + 1
        if stale >= STALE_PAGES_LIMIT:
            raise Refused("the list of products does not end: pages come that hold nothing new")


def offer_of_cogs(item: Mapping[str, Any]) -> Offer:
    """Read an item as an offer.

    Args:
        item: as the API gives it.

    Raises:
        BrokenProduct: what an offer needs is absent or wrong.
    """
    try:
        read = read_item(item)
    except BadItem as error:
        raise BrokenProduct(str(error)) from error
    if not _ID.match(read.id):
        raise BrokenProduct("its id holds characters that no id holds")
    try:
        name = read.name.product
    except BadItem:
        name = product_name(read.id.replace(".", "_"))
    properties, thumbnail = read.properties, read.assets.get("thumbnail")
    sizes = [size_of(read.assets[key].size) for key in read.images.values()]
    return Offer(
        name=name,
        id=read.id,
        product_type="S2MSI2A",
        sensed=time_of(properties, "start_datetime", "datetime"),
        published=time_of(properties, "created", "published", "updated"),  # what a search asks for comes first
        size=sum(size or 0 for size in sizes) if sizes and None not in sizes else None,
        online=True,
        cloud_percent=percent_of(properties.get("eo:cloud_cover")),
        platform=platform_of(name),
        mgrs_tile=tile_of(name),
        quicklook=thumbnail.href if thumbnail and _ADDRESS.match(thumbnail.href) else "",
    )


def _offer(item: Mapping[str, Any]) -> Offer | None:
    """Read an item; what cannot be read is logged, and does not end the search."""
    try:
        return offer_of_cogs(item)
    except (BrokenProduct, ValueError) as error:
        key, reason = str(item.get("id"))[:200], str(error).splitlines()[0][:200]
        _log.warning("an item cannot be read", item=key, reason=reason)
        return None


def _fits(offer: Offer, query: Query) -> bool:
    return query.platform in {"", offer.platform} and query.mgrs_tile in {"", offer.mgrs_tile}


def _interval(query: Query) -> str | None:
    start, end = (write_time(when) if when else ".." for when in query.sensed)
    return None if start == end == ".." else f"{start}/{end}"


def _conditions(query: Query) -> dict[str, Any] | None:
    start, end = query.published
    published = {key: write_time(when) for key, when in (("gte", start), ("lte", end)) if when}
    conditions: dict[str, dict[str, Any]] = {"created": published} if published else {}
    if query.max_cloud_percent is not None:
        conditions["eo:cloud_cover"] = {"lte": query.max_cloud_percent}
    return conditions or None
