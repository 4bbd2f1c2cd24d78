"""A product as a DHuS node describes it: in feeds of OpenSearch, and in OData of version 1."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import shapely

from tools.servers.catalogue.product import Product, iso
from tools.servers.catalogue.shelf import Shelf


def fields(product: Product) -> dict[str, Any]:
    """Return what a query may name; times are `datetime`, the footprint is a geometry."""
    named: dict[str, Any] = {
        "uuid": product.id,
        "identifier": product.name,
        "filename": product.folder,
        "platformname": f"Sentinel-{product.parts['platform'][1]}",
        "platformserialidentifier": f"Sentinel-{product.parts['platform'][1:]}",
        "producttype": product.product_type,
        "instrumentshortname": product.instrument.upper(),
        "processinglevel": f"Level-{product.parts['level'][1:]}" if product.is_safe else "1",
        "relativeorbitnumber": int(product.parts["orbit"]),
        "beginposition": product.sensed,
        "endposition": product.ended,
        "ingestiondate": product.published,
        "footprint": product.footprint,
    }
    if product.is_safe:
        cloud = {} if product.cloud_percent is None else {"cloudcoverpercentage": product.cloud_percent}
        return named | {"tileid": product.tile, "processingbaseline": product.baseline} | cloud
    return named | {"timeliness": {"NR": "Near Real Time", "NT": "Non Time Critical"}.get(product.parts["timeliness"])}


def feed(
    shelf: Shelf, page: Sequence[Product], total: int, start: int, rows: int, address: str, text: str
) -> dict[str, Any]:
    """Make a page of OpenSearch.

    Args:
        shelf: whose archives are stated.
        page: what it lists.
        total: what fits in all.
        start: products before the page.
        rows: that were asked for.
        address: of the node.
        text: the query.
    """
    entries = [_entry(shelf, product, address) for product in page]
    value: dict[str, Any] = {
        "xmlns:opensearch": "http://a9.com/-/spec/opensearch/1.1/",
        "xmlns": "http://www.w3.org/2005/Atom",
        "title": f"Data hub search results for: {text}",
        "opensearch:totalResults": str(total),
        "opensearch:startIndex": str(start),
        "opensearch:itemsPerPage": str(rows),
        "opensearch:Query": {"role": "request", "searchTerms": text, "startPage": "1"},
        "link": [],
    }
    # As the real service: one entry is no list, and none is absent.
    return {"feed": value | ({} if not entries else {"entry": entries if len(entries) > 1 else entries[0]})}


def described(shelf: Shelf, product: Product, address: str, full: bool) -> dict[str, Any]:
    """Make a product's record in OData of version 1; `full` = with its attributes."""
    where = _where(product, address)
    digests = shelf.digests(product)
    attributes = [{"Name": name, "Value": value} for name, value in _attributes(product).items()]
    return {
        "d": {
            "__metadata": {
                "id": where,
                "uri": where,
                "type": "DHuS.Product",
                "content_type": "application/octet-stream",
                "media_src": f"{where}/$value",
                "edit_media": f"{where}/$value",
            },
            "Id": product.id,
            "Name": product.name,
            "ContentType": "application/octet-stream",
            "ContentLength": str(digests.size),
            "ChildrenNumber": "1",
            "CreationDate": _milliseconds(product.published),
            "IngestionDate": _milliseconds(product.published),
            "ModificationDate": _milliseconds(product.modified),
            "EvictionDate": None,
            "Online": product.online,
            "OnDemand": False,
            "ContentDate": {"Start": _milliseconds(product.sensed), "End": _milliseconds(product.ended)},
            "Checksum": {"Algorithm": "MD5", "Value": digests.md5},
            "ContentGeometry": _gml(product),
            "Attributes": {"results": attributes} if full else {"__deferred": {"uri": f"{where}/Attributes"}},
        }
    }


def _entry(shelf: Shelf, product: Product, address: str) -> dict[str, Any]:
    known, where = fields(product), _where(product, address)
    size = f"{shelf.digests(product).size / 2**20:.2f} MB"
    texts = {name: value for name, value in known.items() if isinstance(value, str)}
    texts |= {"footprint": product.footprint.wkt, "gmlfootprint": _gml(product), "format": "SAFE", "size": size}
    entry: dict[str, Any] = {
        "title": product.name,
        "link": [
            {"href": f"{where}/$value"},
            {"rel": "alternative", "href": f"{where}/"},
            {"rel": "icon", "href": f"{where}/Products('Quicklook')/$value"},
        ],
        "id": product.id,
        "summary": f"Date: {iso(product.sensed, 3)}, Satellite: {known['platformname']}, Size: {size}",
        "ondemand": "false",
        "date": [{"name": name, "content": iso(v, 3)} for name, v in known.items() if isinstance(v, datetime)],
        "int": {"name": "relativeorbitnumber", "content": str(known["relativeorbitnumber"])},
        "str": [{"name": name, "content": value} for name, value in texts.items()],
    }
    if "cloudcoverpercentage" in known:
        entry["double"] = {"name": "cloudcoverpercentage", "content": str(known["cloudcoverpercentage"])}
    return entry


def _attributes(product: Product) -> dict[str, str]:
    known = fields(product)
    named = {
        "Identifier": product.name,
        "Filename": product.folder,
        "Format": "SAFE",
        "Satellite name": known["platformname"],
        "Satellite number": product.parts["platform"][2],
        "Product type": product.product_type,
        "Sensing start": iso(product.sensed, 3),
        "Sensing stop": iso(product.ended, 3),
        "Ingestion Date": iso(product.published, 3),
        "JTS footprint": product.footprint.wkt,
    }
    if product.is_safe:
        cloud = {} if product.cloud_percent is None else {"Cloud cover percentage": str(product.cloud_percent)}
        return named | {"Tile Identifier": product.tile, "Processing baseline": product.baseline} | cloud
    return named | {"Timeliness Category": str(known["timeliness"])}


def _where(product: Product, address: str) -> str:
    return f"{address}/odata/v1/Products('{product.id}')"


def _milliseconds(time: datetime) -> str:
    return f"/Date({round(time.timestamp() * 1000)})/"


def _gml(product: Product) -> str:
    # GML of a node knows no parts: where the footprint has several, their hull stands for it.
    whole = product.footprint if isinstance(product.footprint, shapely.Polygon) else product.footprint.convex_hull
    corners = shapely.get_coordinates(shapely.get_exterior_ring(whole))
    ring = " ".join(f"{y:g},{x:g}" for x, y in corners)
    return (
        '<gml:Polygon srsName="http://www.opengis.net/gml/srs/epsg.xml#4326" xmlns:gml="http://www.opengis.net/gml">'
        f"<gml:outerBoundaryIs><gml:LinearRing><gml:coordinates>{ring}</gml:coordinates></gml:LinearRing>"
        "</gml:outerBoundaryIs></gml:Polygon>"
    )
