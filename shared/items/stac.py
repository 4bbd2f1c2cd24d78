"""Write STAC items, as STAC 1.1 with relative links."""

from __future__ import annotations

import os.path
from collections.abc import Iterable, Mapping
from typing import Any

import pystac

from shared.items.item import Item
from shared.items.keys import item_key

_SCHEMAS = "https://stac-extensions.github.io"
CLASSIFICATION_EXTENSION = f"{_SCHEMAS}/classification/v2.0.0/schema.json"
EO_EXTENSION = f"{_SCHEMAS}/eo/v1.1.0/schema.json"
FILE_EXTENSION = f"{_SCHEMAS}/file/v2.1.0/schema.json"
MLM_EXTENSION = f"{_SCHEMAS}/mlm/v1.4.0/schema.json"
PROCESSING_EXTENSION = f"{_SCHEMAS}/processing/v1.2.0/schema.json"
PROJECTION_EXTENSION = f"{_SCHEMAS}/projection/v2.0.0/schema.json"
SAT_EXTENSION = f"{_SCHEMAS}/sat/v1.0.0/schema.json"

COG = "image/tiff; application=geotiff; profile=cloud-optimized"
GEOTIFF = "image/tiff; application=geotiff"
CSV = "text/csv"
GEOPACKAGE = "application/geopackage+sqlite3"
HTML = "text/html"
JP2 = "image/jp2"
JSON = "application/json"
NETCDF = "application/x-netcdf"
PNG = "image/png"
TAR = "application/x-tar"
XML = "application/xml"
ZIP = "application/zip"

CATALOG = "catalog.json"


def attribution(years: Iterable[int | str], *further: str, modified: bool = True) -> str:
    """Return the line that the Sentinel data terms ask for.

    Args:
        years: when the data were acquired.
        further: lines of other sources that entered, such as the labels'; empty ones are left out.
        modified: whether the data were processed, or are as delivered.
    """
    acquired = ", ".join(sorted({str(year) for year in years}))
    what = "Contains modified" if modified else "Contains"
    return "; ".join([f"{what} Copernicus Sentinel data [{acquired}]", *filter(None, further)])


def multihash(sha256: str) -> str:
    """Return a sha256 as the `file:checksum` multihash."""
    return "1220" + sha256


def sha256_of(asset: Mapping[str, Any]) -> str | None:
    """Return the sha256 of an asset's `file:checksum`."""
    checksum = asset.get("file:checksum")
    return str(checksum)[4:] if checksum and str(checksum).startswith("1220") else None


def asset_key(item: Item, name: str) -> str:
    """Return the key of an asset in the store, from its relative href."""
    folder = os.path.dirname(item.key)
    return os.path.normpath(os.path.join(folder, str(item.assets[name]["href"])))


def asset_href(collection: str, week: str, item_id: str, key: str) -> str:
    """Return an artifact's href, relative to its item."""
    return os.path.relpath(key, os.path.dirname(item_key(collection, week, item_id)))


def make_item(
    *,
    collection: str,
    week: str,
    item_id: str,
    geometry: Mapping[str, Any],
    bbox: Iterable[float],
    properties: Mapping[str, Any],
    assets: Mapping[str, Mapping[str, Any]],
    inputs: Iterable[Item],
    stage: str,
    stage_version: int,
    extensions: Iterable[str] = (),
) -> dict[str, Any]:
    """Return the JSON of an item; it holds no wall-clock time.

    Args:
        collection: collection id.
        week: folder of the item.
        item_id: id.
        geometry: GeoJSON, longitude and latitude in degrees.
        bbox: west, south, east, north in degrees.
        properties: STAC properties; see `shared.stage.NewItem`.
        assets: name -> asset JSON with `href` relative to the item.
        inputs: what it was derived from.
        stage: the service that made it.
        stage_version: version of that stage.
        extensions: schema URIs beyond `file` and `processing`.
    """
    folder = os.path.dirname(item_key(collection, week, item_id))
    parent = os.path.relpath(f"{collection}/collection.json", folder)
    sources = list(inputs)
    links: list[dict[str, Any]] = [
        {"rel": "root", "href": os.path.relpath(CATALOG, folder), "type": "application/json"},
        {"rel": "parent", "href": parent, "type": "application/json"},
        {"rel": "collection", "href": parent, "type": "application/json"},
    ]
    links += [
        {"rel": "derived_from", "href": os.path.relpath(s.key, folder), "type": "application/geo+json", "title": s.id}
        for s in sources
    ]
    result = {
        "type": "Feature",
        "stac_version": pystac.get_stac_version(),
        "stac_extensions": sorted({FILE_EXTENSION, PROCESSING_EXTENSION, *extensions}),
        "id": item_id,
        "geometry": dict(geometry),
        "bbox": list(bbox),
        "collection": collection,
        "properties": {
            **properties,
            "datetime": properties.get("datetime"),
            "processing:software": {f"landstream-{stage}": str(stage_version)},
            "landstream:inputs": [[s.collection, s.id] for s in sources],
        },
        "links": links,
        "assets": {name: dict(asset) for name, asset in assets.items()},
    }
    pystac.Item.from_dict(result)  # refuses what is not an item, before anybody reads it
    return result
