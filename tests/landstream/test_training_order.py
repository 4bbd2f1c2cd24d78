"""A training that a person orders."""

from __future__ import annotations

from pathlib import Path

import pytest

from landstream.training_order import NothingToTrain, order_training
from shared.items.ids import canonical
from shared.items.item import Item
from shared.items.properties import RequestFacts
from shared.run.context import Context
from shared.store import FolderStore
from tests.catalogues import AREA, chain, labels, make, scene

CLC = labels("clc", 2018)
HELD = [CLC, make("land-cover-labels", "clc", [CLC], week="static"), *chain(scene("a", 500, "a"), [[0, 0, 3]])]


def lay(store: FolderStore, *items: Item) -> None:
    for item in items:
        more = {
            "bbox": list(AREA.polygon.bounds),
            "properties": {**item.properties, "datetime": "2018-06-05T12:00:00Z"},
        }
        store.put(item.key, canonical({**item.json, **more}))


def test_it_is_asked_for_once_and_says_who_asked(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    lay(store, *HELD)
    key = order_training(store, AREA)
    request = Item.parse(store.get(key), "static")
    assert RequestFacts.of(request).asked_by == "person"
    with pytest.raises(NothingToTrain, match="is asked for already"):
        order_training(store, AREA)
    lay(store, make("models", "small", [request], week="static"))
    with pytest.raises(NothingToTrain, match=r"^small--v1-\w+: was trained on just this"):
        order_training(store, AREA)
    other = AREA.model_copy(update={"training": AREA.training.model_copy(update={"filters": 99})})
    assert order_training(store, other) != key


def test_there_must_be_something_to_train_on(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    lay(store, *HELD[:2])
    with pytest.raises(NothingToTrain, match="no Sentinel-2 scene"):
        order_training(store, AREA)
    assert Context.of_store(store, AREA).reader.snapshot().items("training-requests") == []
