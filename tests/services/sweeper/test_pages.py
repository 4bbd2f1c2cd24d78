from __future__ import annotations

import json
from pathlib import Path

import pystac
import pytest

from services.sweeper.pages import Pages
from shared.items.ids import canonical
from shared.items.keys import item_key
from shared.items.weeks import STATIC
from shared.stage import registry
from tests.shared.run.test_runner import WEEK, World


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "store")


def refresh(world: World, pages: Pages) -> None:
    catalogue = world.context.reader.snapshot()
    pages.see(catalogue, WEEK, repr(catalogue.ids("sentinel-2-l2a", WEEK)))
    pages.finish(catalogue)


def test_pages_follow_the_items(world: World) -> None:
    world.arrive("a", "work")
    pages = Pages(world.store, world.area, registry.collections())
    refresh(world, pages)
    first = world.store.head("sentinel-2-l2a/collection.json")
    refresh(world, pages)
    refresh(world, Pages(world.store, world.area, registry.collections()))
    assert world.store.head("sentinel-2-l2a/collection.json") == first, "written only where it changed"
    world.arrive("b", "work")
    refresh(world, pages)
    catalog = pystac.Catalog.from_file(world.store.root / "catalog.json")
    assert sorted(i.id[0] for i in catalog.get_items(recursive=True)) == ["a", "b"]
    collection = json.loads(world.store.get("sentinel-2-l2a/collection.json"))
    pystac.Collection.from_dict(collection)
    assert (collection["license"], collection["title"]) == ("other", "Sentinel-2 L2A")
    assert collection["extent"]["temporal"]["interval"] == [["2018-06-04T00:00:00Z", "2018-06-04T00:00:00Z"]]


def test_an_item_written_by_hand_without_a_bbox_is_left_alone(world: World) -> None:
    world.arrive("a", "work")
    key = item_key("promotions", STATIC, "small-000001")
    promotion = {"id": "small-000001", "collection": "promotions", "properties": {"landstream:model": "m"}}
    world.store.put(key, canonical({**promotion, "assets": {}, "links": []}))
    refresh(world, Pages(world.store, world.area, registry.collections()))
    assert list(world.context.reader.foreign) == [key]
    catalog = pystac.Catalog.from_file(world.store.root / "catalog.json")
    assert [i.id[0] for i in catalog.get_items(recursive=True)] == ["a"]
