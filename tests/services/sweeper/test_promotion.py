"""Promotions: one for each change of champion, and pure functions of the items."""

from __future__ import annotations

import json

from services.sweeper.promotion import promote
from shared.items.champion import champion
from shared.items.ids import canonical
from shared.items.item import Item
from shared.items.summary import present_state, summaries
from shared.store import FolderStore
from tests.catalogues import AREA, catalogue_of, catalogue_with, chain, labels, make, scene

CLC = labels("clc", 2018)
LABELS = [CLC, make("land-cover-labels", "clc", [CLC], week="static")]
A, B = chain(scene("a", 500, "a"), [[0, 0, 3]]), chain(scene("b", 500, "b"), [[1, 0, 1]])


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
    catalogue = catalogue_with(store, *second, one)
    assert promote(store, catalogue, summaries(catalogue), AREA) == one, "the first champion may be of any state"
    catalogue = catalogue_with(store, *third, one, two)
    assert promote(store, catalogue, summaries(catalogue), AREA) is None, "its state is no longer the cube's"
    for items, expected, number in ((second, two, 2), (first, one, 3), (second, two, 4)):
        catalogue = catalogue_with(store, *items, one, two, other)
        assert promote(store, catalogue, summaries(catalogue), AREA) == expected
        after = catalogue_with(store, *items, one, two, other)
        assert promote(store, after, summaries(after), AREA) is None
        assert champion(after) == expected
        assert [p.number for p in after.current("promotions")] == [number]
