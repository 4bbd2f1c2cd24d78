"""What inference plans: a map for each sheet and week that a model or an update concerns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from services.inference.stage import STAGE, InferenceSettings
from shared.area import Area, load_area
from shared.items.catalogue import Catalogue
from shared.items.item import Item
from shared.stage.due import survey

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def area() -> Area:
    return load_area(ROOT / "examples" / "areas" / "small.yaml")


def make_item(collection: str, item_id: str, week: str = "static", **properties: Any) -> Item:
    return Item({"id": item_id, "collection": collection, "properties": properties, "assets": {}}, week)


def make_update(product: str, week: str, row: int, sensor: str = "msi") -> Item:
    return make_item(
        "cube-updates", f"{product}--v1-00000001", week,
        **{"landstream:sensor": sensor, "landstream:product": product, "landstream:tiles": [[row, 0, 3]],
           "landstream:inputs": []},
    )  # fmt: skip


UPDATES = (
    make_update("S2A_1", "2018-W20", 0),
    make_update("S2B_1", "2018-W22", 31),
    make_update("S2A_2", "2018-W22", 32),
)
MODEL = make_item("models", "small--v1-0000000a", **{"landstream:cube_state": "x", "landstream:inputs": []})


def test_without_a_model_nothing_is_mapped(area: Area) -> None:
    catalogue = Catalogue(UPDATES, area)
    assert STAGE.plan(UPDATES[0], catalogue, area, STAGE.settings()) == []


def test_the_current_model_maps_everything(area: Area) -> None:
    other = make_item("models", "small--v1-0000000b", **{"landstream:cube_state": "y", "landstream:inputs": []})
    catalogue = Catalogue((*UPDATES, MODEL, other), area)
    jobs = STAGE.plan(MODEL, catalogue, area, STAGE.settings())
    assert [(j.parameters["sheet"], j.week) for j in jobs] == [
        ([0, 0], "2018-W22"), ([1, 0], "2018-W22"), ([0, 0], "2018-W20"),
    ]  # fmt: skip
    ledger = catalogue.ledger_digest((1, 0), "2018-W22")
    assert ledger is not None
    assert jobs[1].product == f"small_2018-W22_r01c00_{ledger}"
    expected = [(MODEL.id, ("model",)), (UPDATES[2].id, ()), (UPDATES[1].id, ())]
    assert [(s.item.id, s.assets) for s in jobs[1].inputs] == expected
    assert STAGE.plan(other, catalogue, area, STAGE.settings()) == []


def test_a_new_model_maps_the_last_weeks_and_what_has_no_map(area: Area) -> None:
    last = area.model_copy(update={"policy": area.policy.model_copy(update={"remap": 1})})
    ledger = Catalogue(UPDATES, last).ledger_digest((0, 0), "2018-W20")

    def map_of(ledger: str | None) -> Item:
        properties = {"landstream:sheet": [0, 0], "landstream:ledger": ledger, "landstream:inputs": []}
        return make_item("land-cover-maps", "small_2018-W20--v1-00000001", "2018-W20", **properties)

    def due(*maps: Item) -> list[tuple[list[int], str]]:
        found = survey(STAGE, Catalogue((*UPDATES, MODEL, *maps), last), last, STAGE.settings(), []).due
        return sorted((j.parameters["sheet"], j.week) for _, j in found)

    newest = [([0, 0], "2018-W22"), ([1, 0], "2018-W22")]
    assert due(map_of(ledger)) == newest
    assert due(map_of("of an older ledger")) == due() == [([0, 0], "2018-W20"), *newest]


def test_an_update_maps_the_sheets_whose_halo_it_touches(area: Area) -> None:
    catalogue = Catalogue((*UPDATES, MODEL), area)
    jobs = STAGE.plan(UPDATES[1], catalogue, area, STAGE.settings())
    assert [j.parameters["sheet"] for j in jobs] == [[0, 0], [1, 0]]
    assert [j.parameters["sheet"] for j in STAGE.plan(UPDATES[0], catalogue, area, STAGE.settings())] == [[0, 0]]


def test_olci_changes_no_map(area: Area) -> None:
    update = make_update("S3A", "2018-W20", 0, sensor="olci")
    catalogue = Catalogue((*UPDATES, update, MODEL), area)
    assert STAGE.plan(update, catalogue, area, STAGE.settings()) == []


def test_a_given_server_needs_no_model_file(area: Area, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANDSTREAM_SERVING_ADDRESS", "serving:8500")
    settings = STAGE.settings()
    catalogue = Catalogue((*UPDATES, MODEL), area)
    assert all(j.inputs[0].assets == () for j in STAGE.plan(MODEL, catalogue, area, settings))
    assert settings.result_bearing() == InferenceSettings().result_bearing() == {"overlap_px": 64}
