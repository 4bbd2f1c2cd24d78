"""Reads a product of the Copernicus Data Space's OData as an offer, and a deleted one as a deletion."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from services.ingest.fetch.provider import Deletion, Offer
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

_CAUSE = re.compile(r"[^A-Za-z0-9 .,_-]+")


def offer_of_product(product: Mapping[str, Any], download_url: str) -> Offer:
    """Read a product.

    Args:
        product: as OData gives it, with its attributes.
        download_url: OData of the host that archives are fetched from; addresses in the product are not trusted.

    Raises:
        BrokenProduct: what an offer needs is absent or wrong.
    """
    uuid, name = uuid_of(product.get("Id")), product_name(product.get("Name"))
    attributes = _attributes(product.get("Attributes"))
    product_type = attributes.get("productType")
    if not isinstance(product_type, str) or not product_type.isprintable() or not 0 < len(product_type) <= 40:
        raise BrokenProduct("productType is absent or not a type")
    sensed = product.get("ContentDate")
    online = product.get("Online")
    return Offer(
        name=name,
        id=uuid,
        product_type=product_type,
        sensed=time_of(sensed if isinstance(sensed, dict) else {}, "Start"),
        published=time_of(product, "PublicationDate"),
        size=size_of(product.get("ContentLength")),
        checksums=_checksums(product.get("Checksum")),
        online=online if isinstance(online, bool) else None,
        cloud_percent=percent_of(attributes.get("cloudCover")),
        platform=platform_of(name),
        mgrs_tile=tile_of(name),
        quicklook=_quicklook(product.get("Assets")),
        places={"archive": f"{download_url}/Products({uuid})/$value"} | prefix_of(product.get("S3Path")),
    )


def deletion_of_product(product: Mapping[str, Any]) -> Deletion:
    """Read a deleted product.

    Raises:
        BrokenProduct: what a deletion needs is absent or wrong.
    """
    cause = product.get("DeletionCause")
    return Deletion(
        name=product_name(product.get("Name")),
        id=uuid_of(product.get("Id")),
        deleted=time_of(product, "DeletionDate"),
        cause=_CAUSE.sub(" ", cause)[:100] if isinstance(cause, str) else "",
    )


def _attributes(values: Any) -> dict[str, Any]:
    pairs = values if isinstance(values, list) else ()
    return {each["Name"]: each.get("Value") for each in pairs if isinstance(each, dict) and _named(each)}


def _named(attribute: Mapping[str, Any]) -> bool:
    return isinstance(attribute.get("Name"), str)


def _checksums(values: Any) -> dict[str, str]:
    found: dict[str, str] = {}
    for each in values if isinstance(values, list) else ():
        if isinstance(each, dict):
            found |= hash_of(str(each.get("Algorithm")).lower(), each.get("Value"))
    return found


def _quicklook(assets: Any) -> str:
    for asset in assets if isinstance(assets, list) else ():
        if isinstance(asset, dict) and asset.get("Type") == "QUICKLOOK":
            link = asset.get("DownloadLink")
            return link if isinstance(link, str) and re.match(r"https?://[\x21-\x7e]{1,500}\Z", link) else ""
    return ""
