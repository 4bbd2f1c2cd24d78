"""Reads an item of the Copernicus Data Space's STAC as an offer."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from services.ingest.fetch.provider import Offer
from services.ingest.fetch.providers.described import (
    BrokenProduct,
    hash_of,
    percent_of,
    platform_of,
    prefix_of,
    product_name,
    size_of,
    tile_of,
    time_of,
    uuid_of,
)

_PRODUCT: Final = re.compile(r"/Products\(([0-9A-Fa-f-]{36})\)/\$value\Z")
_MULTIHASHES: Final = {"d50110": "md5", "1620": "sha3-256"}


def offer_of_item(item: Mapping[str, Any], download_url: str) -> Offer:
    """Read an item.

    Args:
        item: as the API gives it.
        download_url: OData of the host that archives are fetched from; addresses in the item are not trusted.

    Raises:
        BrokenProduct: what an offer needs is absent or wrong.
    """
    name = product_name(item.get("id"))
    properties = _object(item.get("properties"), "properties")
    assets = _object(item.get("assets"), "assets")
    archive = _object(assets.get("Product") or assets.get("product") or {}, "the asset of the archive")
    match = _PRODUCT.search(href) if isinstance(href := archive.get("href"), str) else None
    uuid = uuid_of(match[1]) if match else ""
    product_type = properties.get("product:type")
    if not isinstance(product_type, str) or not product_type.isprintable() or not 0 < len(product_type) <= 40:
        raise BrokenProduct("product:type is absent or not a type")
    return Offer(
        name=name,
        id=uuid or name,
        product_type=product_type,
        sensed=time_of(properties, "start_datetime", "datetime"),
        published=time_of(properties, "published"),
        size=size_of(archive.get("file:size")),
        checksums=_checksum(archive.get("file:checksum")),
        cloud_percent=percent_of(properties.get("eo:cloud_cover")),
        platform=platform_of(name),
        mgrs_tile=tile_of(name),
        quicklook=_quicklook(assets.get("thumbnail")),
        places=({"archive": f"{download_url}/Products({uuid})/$value"} if uuid else {}) | _folder(item.get("links")),
    )


def _object(value: Any, what: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise BrokenProduct(f"{what} is not an object")
    return value


def _checksum(value: Any) -> dict[str, str]:
    """Read a multihash; the digest's length decides, since some prefixes are known to be wrong."""
    if isinstance(value, str):
        for prefix, algorithm in _MULTIHASHES.items():
            if value.startswith(prefix):
                return hash_of(algorithm, value.removeprefix(prefix))
    return {}


def _quicklook(asset: Any) -> str:
    href = asset.get("href") if isinstance(asset, dict) else None
    return href if isinstance(href, str) and re.match(r"https?://[\x21-\x7e]{1,500}\Z", href) else ""


def _folder(links: Any) -> dict[str, str]:
    for link in links if isinstance(links, list) else ():
        if isinstance(link, dict) and link.get("rel") == "enclosure" and (place := prefix_of(link.get("href"))):
            return place
    return {}
