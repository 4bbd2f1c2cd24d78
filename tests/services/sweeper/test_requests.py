"""Training requests and promotions: created once for each state, and pure functions of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from services.sweeper.policy import nothing_to_train_on
from services.sweeper.requests import promote, request_training, training_request
from shared.items.catalogue import Catalogue
from shared.items.champion import champion
from shared.items.ids import canonical
from shared.items.item import Item
from shared.items.partition import MemoryShelf
from shared.items.summary import current_labels, present_state, summaries
from shared.stage import registry
from shared.store import FolderStore
from tests.catalogues import AREA, catalogue_of, chain, labels, make, scene

CLC = labels("clc", 2018)
LABELS = [CLC, make("land-cover-labels", "clc", [CLC], week="static")]
A, B = chain(scene("a", 500, "a"), [[0, 0, 3]]), chain(scene("b", 500, "b"), [[1, 0, 1]])


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path)


def with_store(store: FolderStore, *items: Item) -> Catalogue:
    stored = [Item.parse(store.get(k), k.split("/")[2]) for k in store.keys("items/")]
    return Catalogue(MemoryShelf([*items, *stored]), AREA, registry.rules())


def test_what_lacks_to_train_is_said() -> None:
    empty = catalogue_of([])
    assert nothing_to_train_on(summaries(empty), current_labels(empty)) == "no labels: nothing to train on"
    only = catalogue_of(LABELS)
    assert "no Sentinel-2 scene" in str(nothing_to_train_on(summaries(only), current_labels(only)))
    both = catalogue_of([*LABELS, *A])
    assert nothing_to_train_on(summaries(both), current_labels(both)) is None


def test_training_is_requested_once_for_each_cube_state(store: FolderStore) -> None:
    for items, requests in (([*LABELS, *A], 1), ([*LABELS, *A, *B], 2)):
        catalogue = with_store(store, *items)
        assert request_training(store, catalogue, summaries(catalogue), AREA)
        again = with_store(store, *items)
        assert request_training(store, again, summaries(again), AREA) is None
        assert len(again.items("training-requests")) == requests
        (current,) = again.current("training-requests")
        assert current.properties["landstream:cube_state"] == present_state(again)


def test_a_request_names_weeks_digests_and_settings_and_derives_from_the_labels() -> None:
    catalogue = catalogue_of([*LABELS, *A])
    _, data = training_request(summaries(catalogue), current_labels(catalogue), AREA, "somebody")
    request = json.loads(data)
    p = request["properties"]
    assert p["landstream:tile_weeks"] == {"2018-W23": 4}
    assert list(p["landstream:digests"]) == ["2018-W23"]
    assert p["landstream:training"] == AREA.policy.training.model_dump(mode="json")
    assert p["landstream:asked_by"] == "somebody"
    assert p["landstream:inputs"] == [["land-cover-labels", LABELS[1].id]]


def test_the_model_of_the_present_state_is_promoted_once(store: FolderStore) -> None:
    training = AREA.policy.training.model_dump(mode="json")
    times = {"start_datetime": "2018-06-04T00:00:00Z", "end_datetime": "2018-06-10T23:59:59Z"}

    def model(items: list[Item], version: int = 1, **settings: object) -> Item:
        state = present_state(catalogue_of(items))
        made = make("models", "small", week="static", version=version, cube_state=state, training=training | settings)
        json_ = json.loads(canonical(made.json))
        json_["properties"] |= times
        return Item(json_, "static")

    first, second = [*LABELS, *A], [*LABELS, *A, *B]
    third = [*second, *chain(scene("c", 500, "c"), [[2, 0, 1]])]
    one, two, other = model(first), model(second, 2), model(second, 3, filters=99)
    catalogue = with_store(store, *second, one)
    assert promote(store, catalogue, summaries(catalogue), AREA) == one, "the first champion may be of any state"
    catalogue = with_store(store, *third, one, two)
    assert promote(store, catalogue, summaries(catalogue), AREA) is None, "its state is no longer the cube's"
    for items, expected, number in ((second, two, 2), (first, one, 3), (second, two, 4)):
        catalogue = with_store(store, *items, one, two, other)
        assert promote(store, catalogue, summaries(catalogue), AREA) == expected
        after = with_store(store, *items, one, two, other)
        assert promote(store, after, summaries(after), AREA) is None
        assert champion(after) == expected
        assert [p.number for p in after.current("promotions")] == [number]
