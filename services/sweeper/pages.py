"""Keep the catalogue that people browse: one page for each week of a collection, one for each collection, one above."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import md5
from typing import Any, Final

import pystac

from services.sweeper.week_cache import WeekCache
from shared.area import Area
from shared.items.catalogue import Catalogue
from shared.items.ids import canonical
from shared.items.item import Item
from shared.items.stac import CATALOG
from shared.items.weeks import STATIC, rfc3339
from shared.stage.declare import Collection
from shared.store import Store

LICENSE: Final = "other"
SENTINEL_LICENSE: Final = "https://sentinels.copernicus.eu/documents/247904/690755/Sentinel_Data_Legal_Notice"
JSON: Final = "application/json"
ITEM: Final = "application/geo+json"


class Pages:
    """Writes the pages whose content changed; what a page costs follows its week.

    Args:
        store: where to.
        area: the study area.
        collections: title and description of each.
    """

    def __init__(self, store: Store, area: Area, collections: Iterable[Collection]) -> None:
        self._store, self._area = store, area
        self._titles = {c.name: (c.title, c.description) for c in collections}
        self._etags: dict[str, str] = {}
        self._listed: set[str] = set()
        self._seen: dict[str, str] = {}
        self._facts: dict[str, dict[str, WeekFacts]] = {}
        self._kept = WeekCache(store, "pages", dict[str, WeekFacts], write=True)

    def see(self, catalogue: Catalogue, week: str, token: str) -> None:
        """Write the pages of a week, from its items; nothing is done while its token is the same."""
        if self._seen.get(week) == token:
            return
        facts = self._kept.load(week, token)
        if facts is None or not all(self._etag(week_page_key(c, week)) for c in facts):
            facts = self._write_week(catalogue, week)
        for collection, found in facts.items():
            self._facts.setdefault(collection, {})[week] = found
        self._kept.keep(week, token, facts)
        self._seen[week] = token

    def _write_week(self, catalogue: Catalogue, week: str) -> dict[str, WeekFacts]:
        facts = {}
        for collection in catalogue.collections:
            # A folder may be there a moment before its first item, or was listed after it had none.
            if week in catalogue.weeks(collection) and (items := catalogue.items(collection, week)):
                facts[collection] = facts_of(items)
                self._write(week_page_key(collection, week), week_page(collection, week, items))
        return facts

    def finish(self, catalogue: Catalogue) -> None:
        """Write the pages of what has no week, then those of the collections, and the one above them."""
        self.see(catalogue, STATIC, repr([catalogue.ids(name) for name in catalogue.collections]))
        names = [name for name in catalogue.collections if name in self._facts]
        attributions = [line for line in (self._area.labels.attribution,) if line]
        for name in names:
            facts = {w: f for w, f in self._facts.get(name, {}).items() if w in catalogue.weeks(name)}
            self._write(f"{name}/collection.json", collection_page(name, self._title(name), facts, attributions))
        self._write(CATALOG, catalog_page(self._area.name, {name: self._title(name)[0] for name in names}))

    def _title(self, name: str) -> tuple[str, str]:
        return self._titles.get(name, (name, name))

    def _write(self, key: str, page: Mapping[str, object]) -> None:
        """Write a page unless it is there already: its etag is the MD5 of its bytes, in every store that we know."""
        data = canonical(page)
        if self._etag(key) != md5(data, usedforsecurity=False).hexdigest():
            self._etags[key] = self._store.put(key, data).etag

    def _etag(self, key: str) -> str | None:
        """Return the etag of a page; None where it is not there."""
        folder = key.partition("/")[0]
        if folder not in self._listed:
            self._listed.add(folder)
            self._etags.update({o.key: o.etag for o in self._store.list(folder)})
        return self._etags.get(key)


@dataclass(frozen=True)
class WeekFacts:
    """What a collection's page says of one week.

    Attributes:
        bbox: west, south, east, north in degrees.
        interval: the first and the last moment.
        assets: name -> title, type and roles.
        attributions: lines of its items, sorted.
    """

    bbox: tuple[float, float, float, float]
    interval: tuple[str, str]
    assets: Mapping[str, Mapping[str, Any]]
    attributions: Sequence[str]


def facts_of(items: Sequence[Item]) -> WeekFacts:
    """Return the facts of some items; there is at least one."""
    boxes = [tuple(map(float, i.json["bbox"])) for i in items]
    times = [t for i in items for t in i.times]
    return WeekFacts(
        (min(b[0] for b in boxes), min(b[1] for b in boxes), max(b[2] for b in boxes), max(b[3] for b in boxes)),
        (min(times), max(times)),
        {
            name: {k: asset[k] for k in ("title", "type", "roles") if k in asset}
            for item in items
            for name, asset in sorted(item.assets.items())
        },
        sorted(
            {str(i.properties["landstream:attribution"]) for i in items if "landstream:attribution" in i.properties}
        ),
    )


def week_page_key(collection: str, week: str) -> str:
    """Return the key of the page of a collection's week."""
    return f"{collection}/{week}/{CATALOG}"


def week_page(collection: str, week: str, items: Sequence[Item]) -> dict[str, Any]:
    """Return the page of a collection's week: a STAC catalogue of its items."""
    return {
        "type": "Catalog",
        "id": f"{collection}-{week}",
        "stac_version": pystac.get_stac_version(),
        "title": week,
        "description": f"{collection}, {week}",
        "links": [
            {"rel": "root", "href": f"../../{CATALOG}", "type": JSON},
            {"rel": "parent", "href": "../collection.json", "type": JSON},
            *(
                {"rel": "item", "href": f"../../{i.key}", "type": ITEM, "title": i.id}
                for i in sorted(items, key=lambda i: i.id)
            ),
        ],
    }


def collection_page(
    name: str, title: tuple[str, str], weeks: Mapping[str, WeekFacts], attributions: Iterable[str]
) -> dict[str, Any]:
    """Return the page of a collection, with what its assets are.

    Args:
        name: collection id.
        title: title and description.
        weeks: the facts of each of its weeks.
        attributions: lines where its items have none.
    """
    facts = [weeks[week] for week in sorted(weeks)]
    boxes = [f.bbox for f in facts] or [(-180.0, -90.0, 180.0, 90.0)]
    bbox = [min(b[0] for b in boxes), min(b[1] for b in boxes), max(b[2] for b in boxes), max(b[3] for b in boxes)]
    lines = sorted({line for f in facts for line in f.attributions})
    interval: list[str | None] = [rfc3339(datetime(1970, 1, 1, tzinfo=UTC)), None]
    if facts:
        interval = [min(f.interval[0] for f in facts), max(f.interval[1] for f in facts)]
    return {
        "type": "Collection",
        "id": name,
        "stac_version": pystac.get_stac_version(),
        "title": title[0],
        "description": " ".join([title[1], *(lines or attributions)]),
        "license": LICENSE,
        "providers": [
            {"name": "Landstream", "roles": ["processor"]},
            {"name": "ESA / Copernicus", "roles": ["producer", "licensor"], "url": "https://dataspace.copernicus.eu"},
        ],
        "extent": {"spatial": {"bbox": [bbox]}, "temporal": {"interval": [interval]}},
        "item_assets": {n: a for f in facts for n, a in sorted(f.assets.items())},
        "links": [
            {"rel": "root", "href": f"../{CATALOG}", "type": JSON},
            {"rel": "parent", "href": f"../{CATALOG}", "type": JSON},
            {"rel": "license", "href": SENTINEL_LICENSE, "title": "Copernicus Sentinel data terms"},
            *(
                {"rel": "child", "href": f"./{week}/catalog.json", "type": JSON, "title": week}
                for week in sorted(weeks)
            ),
        ],
    }


def catalog_page(area_name: str, titles: Mapping[str, str]) -> dict[str, Any]:
    """Return the page above all collections."""
    return {
        "type": "Catalog",
        "id": area_name,
        "stac_version": pystac.get_stac_version(),
        "title": f"Landstream: {area_name}",
        "description": f"Land cover of {area_name} from arriving Sentinel scenes.",
        "links": [
            {"rel": "root", "href": f"./{CATALOG}", "type": JSON},
            *(
                {"rel": "child", "href": f"./{name}/collection.json", "type": JSON, "title": title}
                for name, title in sorted(titles.items())
            ),
        ],
    }
