"""Write STAC: items, collections and the catalogue, as STAC 1.1 with relative links."""

from __future__ import annotations

import os.path
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import pystac

from shared.items.item import Item
from shared.items.keys import item_key, rfc3339

_SCHEMAS = "https://stac-extensions.github.io"
CLASSIFICATION_EXTENSION = f"{_SCHEMAS}/classification/v2.0.0/schema.json"
EO_EXTENSION = f"{_SCHEMAS}/eo/v1.1.0/schema.json"
FILE_EXTENSION = f"{_SCHEMAS}/file/v2.1.0/schema.json"
MLM_EXTENSION = f"{_SCHEMAS}/mlm/v1.4.0/schema.json"
PROCESSING_EXTENSION = f"{_SCHEMAS}/processing/v1.2.0/schema.json"
PROJECTION_EXTENSION = f"{_SCHEMAS}/projection/v2.0.0/schema.json"
SAT_EXTENSION = f"{_SCHEMAS}/sat/v1.0.0/schema.json"

COG = "image/tiff; application=geotiff; profile=cloud-optimized"
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
LICENSE = "other"
SENTINEL_LICENSE = "https://sentinels.copernicus.eu/documents/247904/690755/Sentinel_Data_Legal_Notice"

TITLES: Mapping[str, tuple[str, str]] = {
    "sentinel-2-l2a": ("Sentinel-2 L2A", "Bottom-of-atmosphere scenes as delivered."),
    "sentinel-2-l1c": ("Sentinel-2 L1C", "Top-of-atmosphere scenes as delivered."),
    "sentinel-3-olci-l1b": ("Sentinel-3 OLCI L1B", "Top-of-atmosphere radiance frames as delivered."),
    "corine-land-cover": ("Label polygons", "Corine Land Cover and other label deliveries."),
    "olci-grid": ("OLCI on a lattice", "OLCI radiance on an EPSG:4326 lattice of 1/360 degree."),
    "land-cover-labels": ("Land-cover labels", "Label polygons burned at 10 m on the area's grid."),
    "cloud-masks": ("Cloud masks", "One mask a Sentinel-2 scene, with dilation."),
    "cube-updates": ("Cube updates", "Which scene touched which tiles of the cube."),
    "withdrawals": ("Withdrawals", "Products that are no longer valid."),
    "training-requests": ("Training requests", "Cube states to be trained on."),
    "models": ("Models", "Trained networks with their model cards."),
    "land-cover-maps": ("Land-cover maps", "Class and confidence of a sheet in a week."),
}


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
    """A sha256 as the `file:checksum` multihash."""
    return "1220" + sha256


def sha256_of(asset: Mapping[str, Any]) -> str | None:
    """The sha256 of an asset's `file:checksum`."""
    checksum = asset.get("file:checksum")
    return str(checksum)[4:] if checksum and str(checksum).startswith("1220") else None


def asset_key(item: Item, name: str) -> str:
    """Key of an asset in the store, from its relative href."""
    folder = os.path.dirname(item.key)
    return os.path.normpath(os.path.join(folder, str(item.assets[name]["href"])))


def asset_href(collection: str, week: str, item_id: str, key: str) -> str:
    """An artifact's href, relative to its item."""
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
    """The JSON of an item; it holds no wall-clock time.

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
    pystac.Item.from_dict(result)  # refuses what is no item, before anybody reads it
    return result


def make_collection(collection: str, items: list[Item], attributions: Iterable[str]) -> dict[str, Any]:
    """The JSON of a collection over its items, with what their assets are."""
    title, description = TITLES.get(collection, (collection, collection))
    boxes = [i.json["bbox"] for i in items] or [[-180, -90, 180, 90]]
    bbox = [
        min(b[0] for b in boxes),
        min(b[1] for b in boxes),
        max(b[2] for b in boxes),
        max(b[3] for b in boxes),
    ]
    assets = {
        name: {k: asset[k] for k in ("title", "type", "roles") if k in asset}
        for item in items
        for name, asset in sorted(item.assets.items())
    }
    lines = sorted(
        {str(i.properties["landstream:attribution"]) for i in items if "landstream:attribution" in i.properties}
    )
    return {
        "type": "Collection",
        "id": collection,
        "stac_version": pystac.get_stac_version(),
        "title": title,
        "description": " ".join([description, *(lines or attributions)]),
        "license": LICENSE,
        "providers": [
            {"name": "Landstream", "roles": ["processor"]},
            {"name": "ESA / Copernicus", "roles": ["producer", "licensor"], "url": "https://dataspace.copernicus.eu"},
        ],
        "extent": {"spatial": {"bbox": [bbox]}, "temporal": {"interval": [_interval(items)]}},
        "item_assets": dict(sorted(assets.items())),
        "links": [
            {"rel": "root", "href": f"../{CATALOG}", "type": "application/json"},
            {"rel": "parent", "href": f"../{CATALOG}", "type": "application/json"},
            {"rel": "license", "href": SENTINEL_LICENSE, "title": "Copernicus Sentinel data terms"},
            *(
                {"rel": "item", "href": f"../{i.key}", "type": "application/geo+json", "title": i.id}
                for i in sorted(items, key=lambda i: i.id)
            ),
        ],
    }


def make_catalog(area_name: str, collections: Iterable[str]) -> dict[str, Any]:
    """The JSON of the catalogue of a store."""
    return {
        "type": "Catalog",
        "id": area_name,
        "stac_version": pystac.get_stac_version(),
        "title": f"Landstream: {area_name}",
        "description": f"Land cover of {area_name} from arriving Sentinel scenes.",
        "links": [
            {"rel": "root", "href": f"./{CATALOG}", "type": "application/json"},
            *(
                {
                    "rel": "child",
                    "href": f"./{c}/collection.json",
                    "type": "application/json",
                    "title": TITLES.get(c, (c,))[0],
                }
                for c in sorted(collections)
            ),
        ],
    }


def _interval(items: list[Item]) -> list[str | None]:
    times: list[str] = []
    for item in items:
        p = item.properties
        times += [p["datetime"]] * 2 if p.get("datetime") else [p["start_datetime"], p["end_datetime"]]
    return [min(times), max(times)] if times else [rfc3339(datetime(1970, 1, 1, tzinfo=UTC)), None]
