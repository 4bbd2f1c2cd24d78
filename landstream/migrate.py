"""Carry a store of format 1 over to format 2.

Each step says what it did, and may be done again: it finds what the last try left. `area.json`, which names the format,
is written last.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from services.sweeper.pages import Pages
from shared.area import Area
from shared.items.collections import LABEL_POLYGONS, LABELS, REQUESTS
from shared.items.ids import canonical
from shared.items.keys import receipt_key, split_item_key
from shared.run.context import Context
from shared.stage import registry
from shared.store import AREA_KEY, FORMAT, Store, area_json, read_area, read_format

OLD_POLYGONS: Final = "corine-land-cover"
"""What the collection of label polygons was called in format 1."""

Say = Callable[[str], None]


def migrate(store: Store, folder: Path, say: Say) -> None:
    """Carry a store over to the present format; nothing is done where it is kept in that one.

    Receipts lie by unit, label polygons in the collection of that name, and training requests, which named no settings,
    are gone. Models, maps, label rasters and label updates of format 1 stay as history; scenes, masks and the cube are
    as good as before.

    Args:
        store: the store, which nothing else works on.
        folder: for scratch.
        say: told in one line what each step did.

    Raises:
        NotFound: it is not a store of Landstream.
        OtherFormat: it is kept in a newer format.
    """
    found, fields = read_format(store)
    if found >= FORMAT:
        read_area(store)
        say(f"{store.location}: is kept in format {FORMAT} already")
        return
    area = Area.model_validate(fields)
    say(f"receipts: {move_receipts(store, say)} moved to receipts/UNIT/")
    say(f"artifacts: {copy_artifacts(store, folder)} copied from {OLD_POLYGONS} to {LABEL_POLYGONS}")
    say(f"items: {copy_items(store)} copied from {OLD_POLYGONS} to {LABEL_POLYGONS}")
    say(f"links: {lead_to_polygons(store)} label rasters lead to {LABEL_POLYGONS}")
    removed = sum(clear(store, prefix) for prefix in (f"items/{OLD_POLYGONS}/", f"artifacts/{OLD_POLYGONS}/"))
    say(f"{OLD_POLYGONS}: {removed} objects removed")
    say(f"training requests: {clear(store, f'items/{REQUESTS}/')} removed, as they named no settings")
    for collection in (OLD_POLYGONS, REQUESTS):
        clear(store, f"{collection}/")
    say(f"pages: written for {write_pages(store, area)} collections")
    store.put(AREA_KEY, area_json(area))
    say(f"{AREA_KEY}: format {FORMAT}; the next `landstream run` burns labels, trains and maps again")


def move_receipts(store: Store, say: Say) -> int:
    """Move receipts from `receipts/ID.json` to `receipts/UNIT/ID.json`; how many were moved."""
    moved = 0
    for key in list(store.keys("receipts/")):
        if key.count("/") > 1:
            continue  # by unit already
        try:
            receipt: dict[str, Any] = json.loads(store.get(key))
            unit = str(receipt["unit"])
        except (ValueError, TypeError, KeyError):
            say(f"{key}: is not a receipt; it is left alone")
            continue
        if "item" in receipt:
            receipt["item"] = renamed(str(receipt["item"]))
        store.put(receipt_key(unit, key.rpartition("/")[2].removesuffix(".json")), canonical(receipt))
        store.delete(key)
        moved += 1
    return moved


def copy_artifacts(store: Store, folder: Path) -> int:
    """Copy the artifacts of label polygons to where they lie now; how many there are."""
    keys, scratch = list(store.keys(f"artifacts/{OLD_POLYGONS}/")), folder / "artifact"
    for key in keys:
        if not store.exists(renamed(key)):
            store.fetch(key, scratch)
            store.put(renamed(key), scratch)
            scratch.unlink()
    return len(keys)


def copy_items(store: Store) -> int:
    """Write the items of label polygons under their collection's present name; how many there are."""
    keys = list(store.keys(f"items/{OLD_POLYGONS}/"))
    for key in keys:
        split_item_key(key)
        store.put(renamed(key), canonical(renamed_item(json.loads(store.get(key)))))
    return len(keys)


def lead_to_polygons(store: Store) -> int:
    """Let the links of label rasters lead to where label polygons lie now; how many rasters were changed.

    They are links of the kind `via` then, no longer `derived_from`: a raster that counted as derived from the polygons
    of today would stand beside the one that is made of them, with nothing to tell which is current.
    """
    changed = 0
    for key in list(store.keys(f"items/{LABELS}/")):
        item: dict[str, Any] = json.loads(store.get(key))
        links = [via(link) if renamed(str(link["href"])) != link["href"] else link for link in item["links"]]
        if links != item["links"]:
            store.put(key, canonical({**item, "links": links}))
            changed += 1
    return changed


def via(link: dict[str, Any]) -> dict[str, Any]:
    """Return a link to label polygons as of today."""
    return {**link, "rel": "via", "href": renamed(str(link["href"]))}


def clear(store: Store, prefix: str) -> int:
    """Remove every object below a prefix; how many there were."""
    keys = list(store.keys(prefix))
    for key in keys:
        store.delete(key)
    return len(keys)


def write_pages(store: Store, area: Area) -> int:
    """Write the pages of the catalogue again; return of how many collections."""
    catalogue, pages = Context.of_store(store, area).reader.snapshot(), Pages(store, area, registry.collections())
    for week in sorted({week for name in catalogue.collections for week in catalogue.weeks(name)}):
        pages.see(catalogue, week, "")
        catalogue.let_go(week)
    pages.finish(catalogue)
    return len(catalogue.collections)


def renamed_item(item: dict[str, Any]) -> dict[str, Any]:
    """Return an item of label polygons as of the present collection: its name, links and hrefs."""
    return {
        **item,
        "collection": LABEL_POLYGONS,
        "links": [{**link, "href": renamed(str(link["href"]))} for link in item["links"]],
        "assets": {name: {**a, "href": renamed(str(a["href"]))} for name, a in item["assets"].items()},
    }


def renamed(path: str) -> str:
    """Return a key or a relative href with the present name of label polygons in place of the old one."""
    return "/".join(LABEL_POLYGONS if segment == OLD_POLYGONS else segment for segment in path.split("/"))
