"""What a store has come to, and what it costs to say so."""

from __future__ import annotations

from pathlib import Path

import pytest

from landstream.result import Result, lines, result_of
from shared.items.catalogue import Catalogue
from shared.items.item import Item
from shared.items.partition import MemoryShelf
from shared.items.tiles import week_tiles
from shared.stage import registry
from shared.store import FolderStore
from tests.catalogues import AREA, catalogue_of, chain, make, promotion, scene

METRICS = {"accuracy": 0.8815, "miou": 0.6459, "majority_accuracy": 0.7647, "pixels": 738_288}
WEEKS = "2018-W22", "2018-W23"


def with_assets(item: Item, **names: str) -> Item:
    folder = f"../../../artifacts/{item.collection}/{item.week}/{item.id}"
    return Item({**item.json, "assets": {a: {"href": f"{folder}/{name}"} for a, name in names.items()}}, item.week)


@pytest.fixture
def model() -> Item:
    return with_assets(make("models", "small", week="static", metrics=METRICS), card="card-01.html")


def mapped(week: str, model: Item, observed: float) -> list[Item]:
    """A week's scene, and its map."""
    items = chain(scene(f"s{week}", 500, week, week=week), [[0, 0, 3]])
    ledger = week_tiles(catalogue_of(items), week).ledger_digest((0, 0))
    facts = {
        "sheet": [0, 0],
        "ledger": ledger,
        "model": model.id,
        "observed_percent": observed,
        "aoi_ha": 8000.0,
        "observed_ha": 80 * observed,
        "classes": {str(v): {"code": f"{v}", "name": f"class {v}", "area_km2": v * observed / 35} for v in range(1, 8)},
        "attribution": "",
    }
    made = make("land-cover-maps", f"small_{week}_r00c00_{ledger}", [model, items[2]], week=week, **facts)
    return [*items, with_assets(made, land_cover="land_cover-02.tif", quicklook="quicklook-03.png")]


class WeeksRead(MemoryShelf):
    """Notes which weeks are looked into."""

    def __init__(self, items: list[Item]) -> None:
        super().__init__(items)
        self.asked: set[str] = set()

    def partition(self, collection: str, week: str):
        self.asked.add(week)
        return super().partition(collection, week)


def test_the_champion_and_the_newest_map_are_told_and_no_older_week_is_read(model: Item, tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    shelf = WeeksRead([model, promotion(model, 1), *mapped(WEEKS[0], model, 99.0), *mapped(WEEKS[1], model, 58.54)])
    found = result_of(store, Catalogue(shelf, AREA, registry.rules()))
    assert shelf.asked == {"static", WEEKS[1]}
    told = lines(found)
    assert [line.split()[0] for line in told] == [
        "model",
        "model",
        "accuracy",
        "mIoU",
        "area",
        "land",
        "observed",
        "quicklook",
        "newest",
    ]
    assert told[1] == f"model card  {tmp_path}/artifacts/models/static/{model.id}/card-01.html"
    assert told[2] == "accuracy    0.881 on the hold-out (738,288 pixels; the commonest class alone 0.765)"
    assert told[3] == "mIoU        0.646 on the hold-out"
    assert told[4] == "area        4,683 of 8,278 ha of the AOI observed, on 1 sheet"
    assert told[5].startswith("land cover  class 7 1,171 ha, class 6 1,004 ha, ")
    assert told[5].endswith(", class 2 335 ha, 1 more 167 ha")
    assert told[6] == "observed    58.5 % of sheet r00c00 in 2018-W23"
    assert told[8].startswith(f"newest map  {tmp_path}/artifacts/land-cover-maps/2018-W23/small_2018-W23_r00c00_")
    assert told[8].endswith("/land_cover-02.tif")
    assert found.json()["model"]["split"] == "hold-out"
    assert found.json()["map"]["quicklook"].endswith("/quicklook-03.png")


def test_where_a_map_applies_is_told_where_it_is_known(model: Item, tmp_path: Path) -> None:
    *items, newest = mapped(WEEKS[0], model, 50.0)
    told = Item({**newest.json, "properties": {**newest.properties, "landstream:applicable_percent": 62.54}}, WEEKS[0])
    for last, expected in ((newest, None), (told, 62.54)):
        found = result_of(FolderStore(tmp_path), catalogue_of([model, promotion(model, 1), *items, last]))
        assert found.map is not None
        assert found.map.applicable_percent == expected
        line = "applies     to 62.5 % of that: the rest is unlike what it learned from"
        assert (line in lines(found)) == (expected is not None)


def test_a_week_without_a_current_map_is_passed_over(model: Item, tmp_path: Path) -> None:
    newest = mapped(WEEKS[1], model, 50.0)
    more = chain(scene("new", 500, "other", week=WEEKS[1]), [[1, 0, 3]])  # the newest map's ledger is history
    items = [model, promotion(model, 1), *mapped(WEEKS[0], model, 99.0), *newest, *more]
    found = result_of(FolderStore(tmp_path), catalogue_of(items)).map
    assert found is not None
    assert (found.week, found.observed_percent) == (WEEKS[0], 99.0)


def test_nothing_is_said_of_a_store_without_a_result(tmp_path: Path) -> None:
    found = result_of(FolderStore(tmp_path), catalogue_of(chain(scene("a", 500), [[0, 0, 3]])))
    assert found == Result(None, None, None)
    assert lines(found) == []
