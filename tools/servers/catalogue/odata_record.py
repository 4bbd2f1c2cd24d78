"""A product as CDSE's OData catalogue describes it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from shapely.geometry import mapping

from tools.servers.catalogue.product import Product, iso
from tools.servers.catalogue.shelf import Removed, Shelf

_NEVER = "9999-12-31T23:59:59.999999Z"


def facts(there: Removed) -> dict[str, Any]:
    """Return what conditions and order may name, times as `datetime`."""
    product = there.product
    return {
        "Id": product.id,
        "Name": product.folder,
        "Online": product.online,
        "Collection/Name": product.mission,
        "ContentDate/Start": product.sensed,
        "ContentDate/End": product.ended,
        "PublicationDate": product.published,
        "ModificationDate": product.modified,
        "OriginDate": product.published,
        "DeletionDate": there.deleted,
        "DeletionCause": there.cause,
        "area": product.footprint,
        "attributes": attributes(product),
    }


def attributes(product: Product) -> dict[str, str | float | int]:
    """Return a product's attributes by name."""
    named: dict[str, str | float | int] = {
        "productType": product.product_type,
        "platformShortName": product.mission,
        "platformSerialIdentifier": product.platform[-1].upper(),
        "instrumentShortName": product.instrument.upper(),
        "processorVersion": product.baseline,
        "relativeOrbitNumber": int(product.parts["orbit"]),
        "beginningDateTime": iso(product.sensed),
        "endingDateTime": iso(product.ended),
    }
    if product.is_safe:
        cloud = {} if product.cloud_percent is None else {"cloudCover": product.cloud_percent}
        return named | {"tileId": product.tile, "processingLevel": product.product_type} | cloud
    return named | {"timeliness": product.parts["timeliness"], "processingLevel": "1"}


def record(shelf: Shelf, product: Product, base: str, expand: Collection[str]) -> dict[str, Any]:
    """Make a product's record.

    Args:
        shelf: whose archive is stated.
        product: that is described.
        base: address of the server.
        expand: which of `Attributes`, `Assets` and `Locations` it holds.
    """
    checksums, size = _checksums(shelf, product)
    value: dict[str, Any] = {
        "@odata.mediaContentType": "application/octet-stream",
        "Id": product.id,
        "Name": product.folder,
        "ContentType": "application/octet-stream",
        "ContentLength": size,
        "OriginDate": iso(product.published),
        "PublicationDate": iso(product.published),
        "ModificationDate": iso(product.modified),
        "Online": product.online,
        "EvictionDate": _NEVER,
        "S3Path": f"/eodata/{product.key}",
        "Checksum": checksums,
        "ContentDate": {"Start": iso(product.sensed), "End": iso(product.ended)},
        "Footprint": f"geography'SRID=4326;{product.footprint.wkt}'",
        "GeoFootprint": mapping(product.footprint),
    }
    if "Attributes" in expand:
        value["Attributes"] = [_attribute(name, content) for name, content in attributes(product).items()]
    if "Assets" in expand:
        link = f"{base}/odata/v1/Assets({product.id})/$value"
        value["Assets"] = [
            {"Type": "QUICKLOOK", "Id": product.id, "DownloadLink": link, "S3Path": f"/eodata/{product.key}"}
        ]
    if "Locations" in expand:
        value["Locations"] = [
            {
                "FormatType": "Compressed",
                "DownloadLink": f"{base}/download/odata/v1/Products({product.id})/$value",
                "ContentLength": size,
                "Checksum": checksums,
                "S3Path": f"/eodata/{product.key}",
            }
        ]
    return value


def deletion(there: Removed) -> dict[str, Any]:
    """Make the record of a product that was taken away."""
    product = there.product
    return {
        "Id": product.id,
        "Name": product.folder,
        "ContentType": "application/octet-stream",
        "OriginDate": iso(product.published),
        "PublicationDate": iso(product.published),
        "ModificationDate": iso(product.modified),
        "ContentDate": {"Start": iso(product.sensed), "End": iso(product.ended)},
        "Footprint": f"geography'SRID=4326;{product.footprint.wkt}'",
        "DeletionDate": iso(there.deleted),
        "DeletionCause": there.cause,
    }


def _checksums(shelf: Shelf, product: Product) -> tuple[list[dict[str, str]], int]:
    if not product.stated:
        return [], 0
    digests = shelf.digests(product)
    date = iso(product.modified)
    return [
        {"Value": digests.md5, "Algorithm": "MD5", "ChecksumDate": date},
        {"Value": digests.blake3, "Algorithm": "BLAKE3", "ChecksumDate": date},
    ], digests.size


def _attribute(name: str, value: str | float | int) -> dict[str, Any]:
    kind = {str: "String", float: "Double", int: "Integer"}[type(value)]
    kind = "DateTimeOffset" if name.endswith("DateTime") else kind
    return {"@odata.type": f"#OData.CSC.{kind}Attribute", "Name": name, "Value": value, "ValueType": kind}
