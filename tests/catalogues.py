"""Catalogues of items in memory, under the rules that the services declare."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from shared.area import Area, load_area
from shared.items.catalogue import Catalogue
from shared.items.ends import BrokenRecord
from shared.items.ids import digest8, make_id, numbered_id
from shared.items.item import Item
from shared.items.partition import MemoryShelf
from shared.items.properties import RequestFacts
from shared.items.weeks import STATIC
from shared.stage import registry
from shared.store import FolderStore
from tests.conftest import AREAS

AREA = load_area(AREAS / "small.yaml")
WEEK = "2018-W23"


def catalogue_of(items: Iterable[Item], area: Area = AREA, **more: Iterable[Any]) -> Catalogue:
    """The catalogue of some items; `more` goes to the shelf."""
    return Catalogue(MemoryShelf(items, **more), area, registry.rules())


def broken(item: Item, job: str = "", collection: str = "cloud-masks") -> BrokenRecord:
    """The failure record of a job that could not decode a scene's picture."""
    return BrokenRecord(job or f"{item.product}--00000000", collection, item.week, frozenset([item.id]))


class CountingCatalogue(Catalogue):
    """A catalogue that counts what is asked of it.

    Attributes:
        listed: collection -> how often its ids were asked for.
        found: collection -> how many items were asked for by id.
        followed: collection -> of how many items the inputs were asked for.
    """

    def __init__(self, items: Iterable[Item], area: Area = AREA) -> None:
        super().__init__(MemoryShelf(items), area, registry.rules())
        self.listed, self.found, self.followed = Counter[str](), Counter[str](), Counter[str]()

    def ids(self, collection: str, week: str = STATIC) -> Sequence[str]:
        """See `Catalogue.ids`."""
        self.listed[collection] += 1
        return super().ids(collection, week)

    def find(self, collection: str, item_id: str, week: str = STATIC) -> Item | None:
        """See `Catalogue.find`."""
        self.found[collection] += 1
        return super().find(collection, item_id, week)

    def inputs(self, item: Item) -> list[Item]:
        """See `Catalogue.inputs`."""
        self.followed[item.collection] += 1
        return super().inputs(item)


def make(
    collection: str, name: str, inputs: Sequence[Item] = (), /, *, version: int = 1, week: str = WEEK, **properties: Any
) -> Item:
    """An item as far as a catalogue reads it; property names without `landstream:`."""
    digest = digest8([name, [i.id for i in inputs]])
    return item(collection, make_id(name, version, digest), inputs, week, **properties)


def item(collection: str, item_id: str, inputs: Sequence[Item] = (), at: str = WEEK, **properties: Any) -> Item:
    """An item of a given id, with what each stored item has."""
    json = {
        "id": item_id,
        "collection": collection,
        "geometry": {"type": "Point", "coordinates": [24.0, 46.0]},
        "bbox": [24.0, 46.0, 24.0, 46.0],
        "properties": {"datetime": "2018-06-04T00:00:00Z", "landstream:inputs": [[i.collection, i.id] for i in inputs]}
        | {f"landstream:{key}": value for key, value in properties.items()},
        "assets": {},
        "links": [{"rel": "derived_from", "href": f"../../{i.collection}/{i.week}/{i.id}.json"} for i in inputs],
    }
    return Item(json, at)


def scene(product: str, baseline: int, identity: str = "scene", **properties: Any) -> Item:
    """A Sentinel-2 product."""
    facts: dict[str, Any] = {"mgrs_tile": "T34TFR", "level": "l2a", "quantification": 10_000, "offsets": {}}
    facts |= {"scene": identity, "product_version": [baseline], "product": product, "attribution": "a line"}
    return make("sentinel-2-l2a", product, **facts | properties)


def chain(s: Item, tiles: list[list[int]], sensor: str = "msi") -> list[Item]:
    """A scene, its mask and its cube update."""
    mask = make("cloud-masks", s.product, [s], week=s.week)
    update = make("cube-updates", s.product, [mask, s], week=s.week, sensor=sensor, product=s.product, tiles=tiles)
    return [s, mask, update]


def labels(product: str, year: int, campaign: str = "2018", release: str = "1") -> Item:
    """A delivery of label polygons."""
    return make(
        "label-polygons", product, week="static", reference_year=year, campaign=campaign, release=release,
        label_source="clc", scene=product, product_version=[],
    )  # fmt: skip


def withdrawal(product: str, number: int, state: str = "withdrawn", week: str = WEEK) -> Item:
    """What somebody said of a product."""
    item_id = numbered_id(product, number)
    return item("withdrawals", item_id, (), "static", product=product, state=state, week=week)


def request(state: str, training: Mapping[str, Any], tile_weeks: Mapping[str, int] | None = None) -> Item:
    """A training request of a cube state."""
    weeks = tile_weeks or {}
    facts = RequestFacts(cube_state=state, training=training, asked_by="policy", digests={}, tile_weeks=weeks)
    made = item("training-requests", make_id(state, 1, digest8([state, training])), (), "static")
    return Item({**made.json, "properties": {**made.properties, **facts.properties()}}, "static")


def promotion(model: Item, number: int) -> Item:
    """The promotion of a model."""
    return item("promotions", numbered_id("small", number), [model], "static", model=model.id)


def catalogue_with(store: FolderStore, *items: Item) -> Catalogue:
    """Items, and those that a store holds."""
    stored = [Item.parse(store.get(k), k.split("/")[2]) for k in store.keys("items/")]
    return Catalogue(MemoryShelf([*items, *stored]), AREA, registry.rules())
