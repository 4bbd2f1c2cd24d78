"""What is measured of a stream: a function of its items, week by week."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from services.sweeper.measures import LAST_SCENES, Measures, last_ages
from shared.items.ids import canonical
from shared.items.item import Item
from shared.items.reader import CatalogueReader
from shared.items.tiles import week_tiles
from shared.stage import registry
from shared.store import FolderStore
from tests.catalogues import AREA, WEEK, catalogue_of, chain, make, scene

LATER = "2018-W25"


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path)


def put(store: FolderStore, item: Item, at: float, **sizes: int) -> None:
    """Store an item as if at a moment; it names files of these sizes."""
    assets = {name: {"href": f"../../../artifacts/{name}", "file:size": size} for name, size in sizes.items()}
    store.put(item.key, canonical({**item.json, "assets": assets}))
    os.utime(Path(store.location) / item.key, (at, at))


def mapped(name: str, week: str, store: FolderStore, scene_at: float, *maps_at: float) -> list[Item]:
    """A scene of a week, stored with what was made of it: its update touches three tiles, each map shows it."""
    items = chain(scene(name, 500, name, week=week), [[0, 0, 3]])
    for item in items:
        put(store, item, scene_at, file=10)
    ledger = week_tiles(catalogue_of(items), week).ledger_digest((0, 0))
    for number, at in enumerate(maps_at):
        facts = {"sheet": [0, 0], "ledger": ledger, "model": f"m{number}", "observed_percent": 50.0}
        model = make("models", f"m{number}", week="static")
        put(store, make("land-cover-maps", f"map{number}", [model, items[2]], week=week, **facts), at, land_cover=7)
    return items


def seen(store: FolderStore, measures: Measures | None = None, token: str = "t") -> Measures:
    catalogue = CatalogueReader(store, AREA, registry.rules()).snapshot()
    found = measures or Measures(store)
    for week in (LATER, WEEK):
        if any(week in catalogue.weeks(c) for c in catalogue.collections):
            found.see(catalogue, week, token)
    found.finish(catalogue)
    return found


def test_an_empty_store_measures_nothing(store: FolderStore) -> None:
    found = seen(store)
    assert (found.freshness_s, found.bytes, found.arrived, found.unmapped) == (None, {}, {}, 0)


def test_freshness_is_from_a_scenes_item_to_the_first_map_that_holds_it(store: FolderStore) -> None:
    mapped("a", WEEK, store, 1000, 1250, 9000)
    mapped("b", LATER, store, 2000, 2050)
    assert seen(store).freshness_s == (250 + 50) / 2


def test_bytes_are_those_of_the_files_that_items_name(store: FolderStore) -> None:
    mapped("a", WEEK, store, 1000, 1250)
    mapped("b", LATER, store, 2000)
    put(store, make("models", "small", week="static"), 3000, saved_model=1_000, card=1)
    found = seen(store).bytes
    assert found["models"] == 1_001
    assert found["land-cover-maps"] == 7
    assert found["cube-updates"] == 20


def test_the_last_arrival_of_each_sensor_counts_whatever_its_week(store: FolderStore) -> None:
    mapped("a", WEEK, store, 5000)
    mapped("b", LATER, store, 2000)
    put(store, make("sentinel-3-olci-l1b", "o", week=WEEK), 700)
    assert seen(store).arrived == {"msi": 5000, "olci": 700}


def test_what_no_current_map_holds_is_the_backlog(store: FolderStore) -> None:
    mapped("a", WEEK, store, 1000)
    mapped("b", LATER, store, 2000)
    assert seen(store).unmapped == 2


def test_a_week_is_measured_again_when_its_token_changes_and_only_then(store: FolderStore) -> None:
    mapped("a", WEEK, store, 1000, 1250)
    measures = seen(store)
    mapped("c", WEEK, store, 8000)
    assert seen(store, measures).arrived == {"msi": 1000}
    assert seen(store, measures, "other").arrived == {"msi": 8000}


def test_a_week_that_is_gone_counts_no_more(store: FolderStore) -> None:
    mapped("a", WEEK, store, 1000, 1250)
    later = mapped("b", LATER, store, 2000)
    measures = seen(store)
    for item in later:
        store.delete(item.key)
    assert seen(store, measures).arrived == {"msi": 1000}


def test_what_the_driver_measured_is_kept_in_the_store(store: FolderStore) -> None:
    mapped("a", WEEK, store, 1000, 1250)
    first = seen(store, Measures(store, write=True))
    for folder in ("items/sentinel-2-l2a", "items/land-cover-maps"):
        for key in list(store.keys(f"{folder}/")):
            os.utime(Path(store.location) / key, (9999, 9999))
    assert seen(store).freshness_s == first.freshness_s == 250, "it was read, not measured anew"


def test_freshness_is_of_the_scenes_registered_last() -> None:
    ages = [(float(n), 1.0 if n >= 50 else 99.0) for n in range(LAST_SCENES + 50)]
    assert [age for _, age in last_ages(ages)] == [1.0] * LAST_SCENES
