"""Reads what a DHuS node says of a product as an offer."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from services.ingest.fetch.provider import Offer
from services.ingest.fetch.providers.described import (
    BrokenProduct,
    hash_of,
    percent_of,
    platform_of,
    product_name,
    size_of,
    tile_of,
    uuid_of,
)

_DATE: Final = re.compile(r"/Date\((-?\d{1,15})\)/\Z", re.ASCII)
_ADDRESS: Final = re.compile(r"https?://[\x21-\x7e]{1,500}\Z")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def offer_of_entry(identity: str, entry: Mapping[str, Any]) -> Offer:
    """Read an entry of a search.

    Args:
        identity: the node's UUID of the product.
        entry: name -> value, as sentinelsat gives them.

    Raises:
        BrokenProduct: what an offer needs is absent or wrong.
    """
    name = product_name(entry.get("identifier", entry.get("title")))
    product_type = entry.get("producttype")
    if not isinstance(product_type, str) or not product_type.isprintable() or not 0 < len(product_type) <= 40:
        raise BrokenProduct("producttype is absent or not a type")
    icon = entry.get("link_icon")
    return Offer(
        name=name,
        id=uuid_of(identity),
        product_type=product_type,
        sensed=_time(entry, "beginposition"),
        published=_time(entry, "ingestiondate"),
        cloud_percent=percent_of(entry.get("cloudcoverpercentage")),
        platform=platform_of(name),
        mgrs_tile=tile_of(name),
        quicklook=icon if isinstance(icon, str) and _ADDRESS.match(icon) else "",
    )


def offer_of_record(answer: Any, offer: Offer) -> Offer:
    """Return an offer with what the node's OData says of the product.

    Args:
        answer: JSON.
        offer: as the search found it.

    Raises:
        BrokenProduct: it is no record, or that of another product.
    """
    record = answer.get("d") if isinstance(answer, dict) else None
    if not isinstance(record, dict):
        raise BrokenProduct("there is no record")
    if product_name(record.get("Name")) != offer.name or record.get("Id") != offer.id:
        raise BrokenProduct("the record is that of another product")
    length, checksum, online = record.get("ContentLength"), record.get("Checksum"), record.get("Online", True)
    size = int(length) if isinstance(length, str) and re.fullmatch(r"\d{1,15}", length, re.ASCII) else length
    stated = checksum if isinstance(checksum, dict) else {}
    return offer.model_copy(
        update={
            "size": size_of(size),
            "checksums": hash_of(str(stated.get("Algorithm")).lower(), stated.get("Value")),
            "online": online if isinstance(online, bool) else None,
            "published": _published(record.get("IngestionDate"), offer.published),
        }
    )


def _time(entry: Mapping[str, Any], key: str) -> datetime:
    value = entry.get(key)
    if not isinstance(value, datetime):
        raise BrokenProduct(f"{key} is absent")
    return value.replace(tzinfo=UTC)


def _published(value: Any, otherwise: datetime) -> datetime:
    match = _DATE.match(value) if isinstance(value, str) else None
    try:
        return _EPOCH + timedelta(milliseconds=int(match[1])) if match else otherwise
    except OverflowError:
        return otherwise
