"""What an area would make of a product, judged by its name: the grammar is ingest's, the plans are the stages' own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Final

from shapely.geometry.base import BaseGeometry

from services.cloudmask.stage import STAGE as CLOUDMASK
from services.ingest.archives import unpacker_of
from services.ingest.names import (
    ARRIVING,
    SafeName,
    Sen3Name,
    is_long,
    is_packed,
    manifest_of,
    parse_product,
    product_folder,
)
from services.reprojection.stage import STAGE as REPROJECTION
from services.tiler.stage import STAGE as TILER
from shared.area import Area
from shared.geo import MgrsTile
from shared.items.catalogue import Catalogue, Rule
from shared.items.collections import MASKS, OLCI_GRID, OLCI_L1B, SENTINEL_2_L1C, SENTINEL_2_L2A, UPDATES
from shared.items.ids import digest8, make_id
from shared.items.item import Item
from shared.items.partition import MemoryShelf
from shared.items.properties import FrameFacts, SceneFacts
from shared.items.weeks import iso_week, rfc3339
from shared.stage import AnyStage, registry

UNKNOWN: Final = "refused: not a product that Landstream knows"
_STAGES: Final[tuple[AnyStage, ...]] = (CLOUDMASK, REPROJECTION, TILER)


def verdict(name: str, area: Area) -> str:
    """Say what an area would make of a product, judged by its name alone: used, warped or refused, and why.

    Args:
        name: of the folder or file; the grammar is that of ingest.
        area: the study area.
    """
    if name.startswith("."):
        return "left alone: a hidden name"
    if name.lower().endswith(ARRIVING):
        return "refused: the name of an unfinished transfer"
    match parse_product(name):
        case SafeName() as product:
            return _verdict_s2(product, area)
        case Sen3Name() as product:
            return _verdict_olci(product, area)
    if is_long(name):
        return "refused: the long format of before December 2016 is not read"
    if name.lower().endswith(".gpkg") or is_packed(name):
        return "read to tell: labels, or a product inside"
    return UNKNOWN


def verdict_of(path: Path, area: Area) -> str:
    """Say what an area would make of a product; see `verdict`. Of a path that exists it is seen what lies there."""
    product = parse_product(path.name)
    if product is not None and path.is_file() and unpacker_of(path) is None:
        return "refused: a product is a folder, a .zip or a .tar, this is another file"
    if product is not None and path.is_dir():
        inner = product_folder(
            path.name, (p.relative_to(path).as_posix() for p in (*path.glob("*"), *path.glob("*/*")))
        )
        manifest = manifest_of(inner or path.name)
        if not (path / inner / manifest).is_file():
            return f"refused: incomplete, {manifest} is missing"
    return verdict(path.name, area)


def _verdict_s2(product: SafeName, area: Area) -> str:
    outside = _outside_years(product.datatake_start, area)
    if outside:
        return outside
    try:
        tile = MgrsTile.parse(product.mgrs_tile)
    except ValueError as error:
        return f"refused: {error}"
    if not _outline(tile).intersects(area.polygon):
        return f"refused: {tile.name} is outside the area"
    level = product.level.lower()
    facts = SceneFacts(
        scene=product.scene,
        product=product.product,
        product_version=(int(product.baseline),),
        attribution="",
        mgrs_tile=product.mgrs_tile,
        level="l1c" if level == "l1c" else "l2a",
        quantification=10_000,
        offsets={},
    )
    collection = SENTINEL_2_L1C if level == "l1c" else SENTINEL_2_L2A
    reached = _reached(_item(collection, facts.properties(), product.datatake_start), area)
    if UPDATES in reached:
        return "used: copied" if tile.epsg == area.grid.epsg else f"used: warped from EPSG:{tile.epsg}"
    done = "registered and masked, not tiled" if MASKS in reached else "registered, not masked"
    why = f"level is {area.level}" if "s2" in area.sensors else f"sensors are {', '.join(area.sensors)}"
    return f"{done}: the area's {why}"


def _verdict_olci(product: Sen3Name, area: Area) -> str:
    outside = _outside_years(product.start, area)
    if outside:
        return outside
    facts = FrameFacts(
        scene=product.scene,
        product=product.product,
        product_version=(0, 0, product.created),
        attribution="",
        product_type=product.product_type,
    )
    reached = _reached(_item(OLCI_L1B, facts.properties(), product.start), area)
    if OLCI_GRID not in reached:
        return f"registered, not reprojected: the area's sensors are {', '.join(area.sensors)}"
    if product.product_type == "ERR":
        return "registered, refused for the cube: reduced resolution (ERR)"
    return "used: OLCI, where the frame covers the area"


def _outside_years(start: datetime, area: Area) -> str | None:
    """Return why a start is refused; the ISO year counts. None = it is not."""
    week = iso_week(start)
    accepted = ", ".join(map(str, area.years))
    return None if int(week[:4]) in area.years else f"refused: {week[:4]} (week {week}) is not in {accepted}"


@cache
def _rules() -> Mapping[str, Rule]:
    return registry.rules()


@lru_cache(maxsize=1024)
def _outline(tile: MgrsTile) -> BaseGeometry:
    return tile.outline


def _reached(first: Item, area: Area) -> frozenset[str]:
    """Return the collections that a product would come to: what the stages plan for it, as if each job were done."""
    items = [first]
    for item in items:
        catalogue = Catalogue(MemoryShelf(items), area, _rules())
        for stage in _STAGES:
            if item.collection in stage.consumes and item.collection != UPDATES:
                jobs = stage.plan(item, catalogue, area, stage.settings())
                items.extend(_made(job.collection, item, first) for job in jobs)
    return frozenset(item.collection for item in items)


def _made(collection: str, source: Item, first: Item) -> Item:
    """Return the item of a job that was done for a source; the root of its chain comes first among the inputs."""
    facts = {name: first.properties[f"landstream:{name}"] for name in ("product", "scene", "product_version")}
    properties = {f"landstream:{name}": value for name, value in facts.items()}
    return _item(collection, properties, datetime.fromisoformat(first.properties["datetime"]), [source])


def _item(collection: str, properties: dict[str, Any], start: datetime, inputs: Sequence[Item] = ()) -> Item:
    """Return an item as far as plans read it."""
    product, week = str(properties["landstream:product"]), iso_week(start)
    json = {
        "id": make_id(product, 1, digest8([collection, product])),
        "collection": collection,
        "properties": properties
        | {"datetime": rfc3339(start), "landstream:inputs": [[i.collection, i.id] for i in inputs]},
        "assets": {},
        "links": [{"rel": "derived_from", "href": f"../../{i.collection}/{i.week}/{i.id}.json"} for i in inputs],
    }
    return Item(json, week)
