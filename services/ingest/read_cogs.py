"""Sentinel-2 scenes as a STAC item with GeoTIFFs: facts from the item, and what it says of the files beside it."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from pathlib import Path

import shapely
from shapely.errors import GEOSException
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry

from services.ingest.cog_item import MAX_BYTES, BadItem, CogItem, NotJson, parse_item
from services.ingest.names import COGS_MANIFEST, SafeName
from services.ingest.read_safe import SafeFacts, read_time, required_images
from services.ingest.refuse import DELIVER_AGAIN, Incomplete
from services.ingest.verify import Entry
from shared.geo import MgrsTile
from shared.sensors import MSI_RESOLUTION_M
from shared.stage import RejectScene


def file_of(key: str) -> str:
    """Return the name of the file of an asset."""
    return f"{key}.tif"


def read_entries(path: Path) -> dict[str, Entry]:
    """Read what an item says of the files beside it, those that ingest wants, by name.

    Raises:
        Incomplete: it is not JSON: it may still be arriving.
        RejectScene: it is not an item of a scene's COGs.
    """
    item = _read(path)
    return {file_of(key): Entry(item.assets[key].size, *item.assets[key].digest) for key in _keys(item).values()}


def read_facts(root: Path, name: SafeName, files: Collection[str]) -> SafeFacts:
    """Read the item and compare it with the product's name.

    Args:
        root: the folder.
        name: parsed from the folder's name.
        files: relative paths of all files.

    Raises:
        Incomplete: it is not JSON: it may still be arriving.
        RejectScene: it contradicts the product's name or itself, does not tell what is in the pixels, or a file that it
            needs is not there.
    """
    item = _read(root / COGS_MANIFEST)
    try:
        _agree("a product", item.name.product, name.product)
        images = {image: file_of(key) for image, key in _keys(item).items()}
        baseline, quantification, offsets = item.baseline, item.quantification, item.offsets
    except BadItem as error:
        raise RejectScene(COGS_MANIFEST, str(error), DELIVER_AGAIN) from error
    p = item.properties
    tile = _tile(name)
    _agree("platform", str(p.get("platform", "")).lower(), f"sentinel-{name.platform[1:].lower()}", absent="")
    _agree("grid:code", p.get("grid:code"), f"MGRS-{name.mgrs_tile[1:]}")
    _agree("sat:relative_orbit", p.get("sat:relative_orbit"), name.relative_orbit)
    _agree("proj:code", p.get("proj:code"), f"EPSG:{tile.epsg}")
    _agree("proj:epsg", p.get("proj:epsg"), tile.epsg)
    if missing := [f for f in images.values() if f not in files]:
        raise RejectScene(missing[0], "is missing", DELIVER_AGAIN)
    return SafeFacts(
        datatake_start=_datatake_start(p.get("start_datetime"), name),
        relative_orbit=name.relative_orbit,
        orbit_state=str(p.get("sat:orbit_state", "")),
        baseline=baseline,
        mgrs_tile=name.mgrs_tile,
        epsg=tile.epsg,
        quantification=quantification,
        # ESA states B10's offset too, though level 2A has no such image.
        offsets=dict.fromkeys(MSI_RESOLUTION_M, offsets["B02"]) | offsets,
        cloud_cover=_cloud_cover(p.get("eo:cloud_cover")),
        footprint=_footprint(item),
        images=images,
        metadata={"manifest": COGS_MANIFEST},
    )


def _read(path: Path) -> CogItem:
    if path.stat().st_size > MAX_BYTES:
        raise RejectScene(path.name, f"has {path.stat().st_size} bytes, more than {MAX_BYTES}", DELIVER_AGAIN)
    try:
        return parse_item(path.read_bytes())
    except NotJson as error:
        raise Incomplete(path.name, str(error)) from error
    except BadItem as error:
        raise RejectScene(path.name, str(error), DELIVER_AGAIN) from error


def _keys(item: CogItem) -> dict[str, str]:
    """Name of each image that a scene has -> key of its asset."""
    found = item.images
    if missing := _lacking(found):
        raise RejectScene(COGS_MANIFEST, f"lists no GeoTIFF of {', '.join(missing)}", DELIVER_AGAIN)
    return {image: found[image] for image in required_images("L2A")}


def _lacking(images: Iterable[str]) -> list[str]:
    return sorted(set(required_images("L2A")) - set(images))


def _agree(what: str, stated: object, named: object, absent: object = None) -> None:
    if stated != absent and stated != named:
        raise RejectScene(COGS_MANIFEST, f"states {what} {str(stated)[:80]}, not {named}", DELIVER_AGAIN)


def _tile(name: SafeName) -> MgrsTile:
    try:
        return MgrsTile.parse(name.mgrs_tile)
    except ValueError as error:
        raise RejectScene(COGS_MANIFEST, str(error), DELIVER_AGAIN) from error


def _datatake_start(stated: object, name: SafeName) -> datetime:
    """Return the start to the millisecond where the item tells it; else to the second, as the name does."""
    if not isinstance(stated, str):
        return name.datatake_start
    start = read_time(stated, COGS_MANIFEST)
    return start if start.replace(microsecond=0) == name.datatake_start else name.datatake_start


def _cloud_cover(stated: object) -> float:
    if isinstance(stated, bool) or not isinstance(stated, int | float) or not 0 <= stated <= 100:
        raise RejectScene(COGS_MANIFEST, f"gives {str(stated)[:40]} as eo:cloud_cover", DELIVER_AGAIN)
    return float(stated)


def _footprint(item: CogItem) -> BaseGeometry:
    try:
        found = shape(dict(item.geometry))
        west, south, east, north = found.bounds
        if found.geom_type not in {"Polygon", "MultiPolygon"} or not (
            -180 <= west < east <= 180 and -90 <= south < north <= 90
        ):
            raise ValueError("it is no polygon in degrees")
        parts = shapely.get_parts(shapely.make_valid(shapely.force_2d(found)))
        whole = shapely.union_all([p for p in parts if p.geom_type in {"Polygon", "MultiPolygon"}])
        if whole.is_empty:
            raise ValueError("it has no area")
        return shapely.orient_polygons(whole)
    except (ValueError, TypeError, KeyError, AttributeError, IndexError, GEOSException) as error:
        raise RejectScene(COGS_MANIFEST, f"states no usable geometry ({error})", DELIVER_AGAIN) from error
