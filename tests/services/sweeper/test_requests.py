"""Training requests: created once for each state, and pure functions of it."""

from __future__ import annotations

import json

from services.sweeper.requests import request_training, training_request
from shared.items.summary import current_labels, present_state, summaries
from shared.store import FolderStore
from tests.catalogues import AREA, catalogue_of, catalogue_with, chain, labels, make, scene

CLC = labels("clc", 2018)
LABELS = [CLC, make("land-cover-labels", "clc", [CLC], week="static")]
A, B = chain(scene("a", 500, "a"), [[0, 0, 3]]), chain(scene("b", 500, "b"), [[1, 0, 1]])


def test_training_is_requested_once_for_each_cube_state(store: FolderStore) -> None:
    for items, requests in (([*LABELS, *A], 1), ([*LABELS, *A, *B], 2)):
        catalogue = catalogue_with(store, *items)
        assert request_training(store, catalogue, summaries(catalogue), AREA)
        again = catalogue_with(store, *items)
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
    assert p["landstream:training"] == AREA.training.model_dump(mode="json")
    assert p["landstream:asked_by"] == "somebody"
    assert p["landstream:inputs"] == [["land-cover-labels", LABELS[1].id]]
