"""`/earth`: a STAC API like Earth Search, whose assets are GeoTIFF files."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from shapely.geometry import mapping

from tools.servers.catalogue.exchange import Answer, Request, file_answer, text_answer
from tools.servers.catalogue.product import Product, iso
from tools.servers.catalogue.stac_search import GEOJSON, Entry, StacSearch

COLLECTIONS = ("sentinel-2-l2a", "sentinel-2-l1c", "sentinel-2-c1-l2a")
_TIFF = "image/tiff; application=geotiff; profile=cloud-optimized"


@dataclass(frozen=True)
class Asset:
    """A file of a scene.

    Attributes:
        path: the file.
        raster: content of `raster:bands` for its one band: `scale`, `offset`, `nodata`, ...; empty = absent.
        media_type: as the item states it.
        more: further keys of the asset.
    """

    path: Path
    raster: Mapping[str, Any] = field(default_factory=dict)
    media_type: str = _TIFF
    more: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Scene:
    """A scene, as Earth Search cuts a product into assets.

    Attributes:
        product: that it was made of; name, times, footprint and cloud are taken from it.
        assets: name (`blue`, `scl`) -> file.
        offset_applied: `earthsearch:boa_offset_applied`; None = absent.
        sequence: twin scenes have 0, 1, ...
        collection: that it is in.
        properties: further properties, or others in place of those made here; None takes one away.
    """

    product: Product
    assets: Mapping[str, Asset]
    offset_applied: bool | None = True
    sequence: int = 0
    collection: str = "sentinel-2-l2a"
    properties: Mapping[str, Any] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """`S2A_33UUU_20240501_0_L2A`."""
        parts = self.product.parts
        return f"{parts['platform']}_{parts['tile']}_{parts['start'][:8]}_{self.sequence}_{parts['level']}"


class Earth:
    """The API and its files.

    Args:
        scenes: that it offers.
    """

    def __init__(self, scenes: Iterable[Scene]) -> None:
        self._scenes = {scene.id: scene for scene in scenes}
        self._removed: dict[str, Scene] = {}
        self._generation = 0
        self._lock = threading.Lock()
        self.search = StacSearch("earth-search", lambda: self._generation, self._entries, COLLECTIONS)

    def put(self, scene: Scene) -> None:
        """Offer a scene, or describe one anew."""
        with self._lock:
            self._scenes[scene.id] = scene
            self._generation += 1

    def remove(self, scene_id: str) -> None:
        """Take a scene away; one that is away already stays so."""
        with self._lock:
            if scene := self._scenes.pop(scene_id, None):
                self._removed[scene_id] = scene
                self._generation += 1

    def asset(self, request: Request) -> Answer:
        """Answer a request for a file, `/<scene>/<asset>.<suffix>`."""
        scene_id, _, name = request.path.strip("/").partition("/")
        with self._lock:
            scene = self._scenes.get(scene_id)
        asset = scene.assets.get(name.rpartition(".")[0]) if scene else None
        if asset is None:
            return text_answer("<Error><Code>NoSuchKey</Code></Error>", 404, "application/xml")
        etag = hashlib.md5(asset.path.read_bytes(), usedforsecurity=False).hexdigest()
        whole = f"{scene_id}/{name}"
        return file_answer(request, asset.path, whole, ranges=True, etag=f'"{etag}"', content_type=asset.media_type)

    def _entries(self) -> list[tuple[Entry, bool]]:
        with self._lock:
            offered = [(_entry(scene), True) for scene in self._scenes.values()]
            gone = [(_entry(scene), False) for scene in self._removed.values()]
            return offered + gone


def _entry(scene: Scene) -> Entry:
    product = scene.product
    named = _properties(scene)
    times = {"datetime": product.sensed, "created": product.published, "updated": product.modified}
    searched = {**named, **times, "published": product.published}

    def make(address: str, base: str) -> dict[str, Any]:
        return _item(scene, address, base)

    return Entry(scene.id, scene.collection, product.footprint, searched, make)


def _item(scene: Scene, address: str, base: str) -> dict[str, Any]:
    collection = f"{address}/collections/{scene.collection}"
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "id": scene.id,
        "collection": scene.collection,
        "geometry": mapping(scene.product.footprint),
        "bbox": list(scene.product.footprint.bounds),
        "properties": _properties(scene),
        "assets": {name: _asset(scene, name, asset, base) for name, asset in scene.assets.items()},
        "links": [
            {"rel": "self", "type": GEOJSON, "href": f"{collection}/items/{scene.id}"},
            {"rel": "collection", "type": "application/json", "href": collection},
            {"rel": "parent", "type": "application/json", "href": collection},
            {"rel": "root", "type": "application/json", "href": address},
        ],
    }


def _properties(scene: Scene) -> dict[str, Any]:
    product = scene.product
    tile = product.tile
    named: dict[str, Any] = {
        "datetime": iso(product.sensed),
        "created": _written(product.published),
        "updated": _written(product.modified),
        "platform": product.platform,
        "constellation": "sentinel-2",
        "instruments": ["msi"],
        "grid:code": f"MGRS-{tile}",
        "mgrs:utm_zone": int(tile[:2]),
        "mgrs:latitude_band": tile[2],
        "mgrs:grid_square": tile[3:],
        "s2:product_uri": product.folder,
        "s2:product_type": product.product_type,
        "s2:processing_baseline": product.baseline,
        "s2:sequence": str(scene.sequence),
    }
    if product.cloud_percent is not None:
        named["eo:cloud_cover"] = product.cloud_percent
    if scene.offset_applied is not None:
        named["earthsearch:boa_offset_applied"] = scene.offset_applied
    return {name: value for name, value in (named | dict(scene.properties)).items() if value is not None}


def _asset(scene: Scene, name: str, asset: Asset, base: str) -> dict[str, Any]:
    raster = {"raster:bands": [dict(asset.raster)]} if asset.raster else {}
    href = f"{base}/earth/assets/{scene.id}/{name}{asset.path.suffix}"
    return {"href": href, "type": asset.media_type, "roles": ["data", "reflectance"], **raster, **asset.more}


def _written(time: datetime) -> str:
    return iso(time, 3)
