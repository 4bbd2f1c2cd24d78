"""A product as CDSE's STAC catalogue describes it."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

from shapely.geometry import mapping

from tools.servers.catalogue.content import files_of
from tools.servers.catalogue.product import Product, iso
from tools.servers.catalogue.shelf import Shelf
from tools.servers.catalogue.stac_search import GEOJSON, Entry

COLLECTIONS = (
    "sentinel-2-l1c",
    "sentinel-2-l2a",
    "sentinel-3-olci-1-efr-nrt",
    "sentinel-3-olci-1-efr-ntc",
    "sentinel-3-olci-1-err-nrt",
    "sentinel-3-olci-1-err-ntc",
)
_METADATA = {
    "MTD_MSIL1C.xml": "product_metadata",
    "MTD_MSIL2A.xml": "product_metadata",
    "manifest.safe": "safe_manifest",
}
_MD5 = "d50110"
"""How a multihash of 16 bytes of MD5 begins."""


def entry(shelf: Shelf, product: Product) -> Entry:
    """Return what a search looks at."""
    properties: dict[str, Any] = {
        "datetime": product.sensed,
        "published": product.published,
        "updated": product.modified,
        "created": product.published,
        "platform": product.platform,
        "product:type": product.product_type,
    }
    if product.is_safe:
        properties |= {"eo:cloud_cover": product.cloud_percent, "grid:code": f"MGRS-{product.tile}"}

    def make(address: str, base: str) -> dict[str, Any]:
        return item(shelf, product, address, base)

    return Entry(product.name, product.collection, product.footprint, properties, make)


def item(shelf: Shelf, product: Product, address: str, base: str) -> dict[str, Any]:
    """Make the item.

    Args:
        shelf: whose archive is stated.
        product: that is described.
        address: of the API.
        base: of the server.
    """
    collection = f"{address}/collections/{product.collection}"
    return {
        "type": "Feature",
        "stac_version": "1.1.0",
        "stac_extensions": [],
        "id": product.name,
        "collection": product.collection,
        "geometry": mapping(product.footprint),
        "bbox": list(product.footprint.bounds),
        "properties": _properties(product),
        "assets": _assets(shelf, product, base),
        "links": [
            {"rel": "self", "type": GEOJSON, "href": f"{collection}/items/{product.name}"},
            {"rel": "collection", "type": "application/json", "href": collection},
            {"rel": "parent", "type": "application/json", "href": collection},
            {"rel": "root", "type": "application/json", "href": address},
            {"rel": "enclosure", "href": f"s3://eodata/{product.key}/"},
        ],
    }


def _properties(product: Product) -> dict[str, Any]:
    shared = {
        "datetime": iso(product.sensed),
        "start_datetime": iso(product.sensed),
        "end_datetime": iso(product.ended),
        "published": iso(product.published),
        "updated": iso(product.modified),
        "created": iso(product.published),
        "expires": "9999-01-01T00:00:00Z",
        "platform": product.platform,
        "constellation": product.platform[:-1],
        "instruments": [product.instrument],
        "product:type": product.product_type,
        "processing:version": product.baseline,
        "sat:relative_orbit": int(product.parts["orbit"]),
    }
    if product.is_safe:
        level = {"processing:level": f"L{product.parts['level'][1]}", "grid:code": f"MGRS-{product.tile}", "gsd": 10}
        cloud = {} if product.cloud_percent is None else {"eo:cloud_cover": product.cloud_percent}
        return shared | level | cloud | {"product:timeliness": "PT24H", "product:timeliness_category": "NRT"}
    near = product.parts["timeliness"] == "NR"
    return shared | {
        "processing:level": "L1",
        "gsd": 300,
        "product:timeliness": "PT3H" if near else "P1M",
        "product:timeliness_category": "NR" if near else "NT",
    }


def _assets(shelf: Shelf, product: Product, base: str) -> dict[str, Any]:
    archive: dict[str, Any] = {
        "href": f"{base}/download/odata/v1/Products({product.id})/$value",
        "type": "application/zip",
        "title": "Zipped product",
        "auth:refs": ["oidc"],
        "roles": ["data", "metadata", "archive"],
    }
    if product.stated:
        digests = shelf.digests(product)
        archive |= {"file:size": digests.size, "file:checksum": _MD5 + digests.md5}
    files = files_of(product.path) if product.path else ()
    named = {_METADATA.get(file.name, PurePosixPath(file.name).stem): file for file in files}
    assets = {
        name: {
            "href": f"s3://eodata/{product.key}/{file.name}",
            "alternate:name": "S3",
            "auth:refs": ["s3"],
            "storage:refs": ["cdse-s3"],
            "file:size": file.size,
            "file:local_path": f"{product.folder}/{file.name}",
        }
        for name, file in named.items()
    }
    thumbnail = {"href": f"{base}/odata/v1/Assets({product.id})/$value", "type": "image/jpeg", "roles": ["thumbnail"]}
    return {**assets, "thumbnail": thumbnail, "Product" if product.is_safe else "product": archive}
