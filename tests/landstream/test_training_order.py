"""A training that a person orders."""

from __future__ import annotations

from pathlib import Path

import pytest

from landstream.hugin import read_hugin
from landstream.training_order import NothingToTrain, order_training
from landstream.workspace import bind
from shared.area.training import TrainingSettings
from shared.items.ids import canonical
from shared.items.item import Item
from shared.items.keys import failure_key
from shared.items.properties import RequestFacts
from shared.run.context import Context
from shared.stage import registry
from shared.stage.due import plan_jobs
from shared.store import FolderStore
from tests.catalogues import AREA, chain, item, labels, make, scene
from tests.conftest import ROOT, landstream

THESIS = ROOT / "tests" / "landstream" / "hugin" / "thesis.yaml"

CLC = labels("clc", 2018)
RASTER = make("land-cover-labels", "clc", [CLC], week="static")
MERGED = make("cube-updates", "clc", [RASTER], week="static", sensor="labels", product="clc", tiles=[])
HELD = [CLC, RASTER, MERGED, *chain(scene("a", 500, "a"), [[0, 0, 3]])]
HOLD_OUT = make("hold-outs", "clc-1", week="static", number=1, labels=[RASTER.id], blocks={}, classes={})


def lay(store: FolderStore, *items: Item) -> None:
    for one in items:
        more = {
            "bbox": list(AREA.polygon.bounds),
            "properties": {**one.properties, "datetime": "2018-06-05T12:00:00Z"},
        }
        store.put(one.key, canonical({**one.json, **more}))


def test_it_is_asked_for_once_and_says_who_asked(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    lay(store, *HELD)
    key = order_training(store, AREA)
    request = Item.parse(store.get(key), "static")
    assert RequestFacts.of(request).asked_by == "person"
    with pytest.raises(NothingToTrain, match="is asked for already"):
        order_training(store, AREA)
    trainer = registry.load("trainer")
    for made in ((), (HOLD_OUT,)):  # the hold-out that it wants first, and the model
        lay(store, *made)
        catalogue = Context.of_store(store, AREA).reader.snapshot()
        (due,) = plan_jobs(trainer, request, catalogue, trainer.settings())
        store.put(failure_key("trainer", due.id), b"{}")
        with pytest.raises(NothingToTrain, match=f"{due.id}: was tried and failed; `landstream requeue {due.id}`"):
            order_training(store, AREA)
    lay(store, item("models", due.output_id, [request], "static"))
    with pytest.raises(NothingToTrain, match=f"^{due.output_id}: was trained on just this"):
        order_training(store, AREA)
    other = AREA.model_copy(update={"training": AREA.training.model_copy(update={"filters": 99})})
    assert order_training(store, other) != key


def test_a_file_of_hugins_orders_its_settings(tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "store")
    bind(store, AREA)
    lay(store, *HELD)
    said = landstream("train", "--store", tmp_path / "store", "--hugin", THESIS)
    request = Item.parse(store.get(said.stdout.removeprefix("ordered: ").partition(";")[0]), "static")
    assert RequestFacts.of(request).training == TrainingSettings(preset="thesis-2018").model_dump(mode="json")
    assert said.stderr.splitlines() == read_hugin(THESIS).lines
    again = landstream("train", "--store", tmp_path / "store", "--hugin", THESIS, check=False)
    assert again.returncode == 2
    assert "is asked for already" in again.stderr
    (tmp_path / "bad.yaml").write_text("a: !!python/object/apply:os.mkdir [canary]")
    bad = landstream("train", "--store", tmp_path / "store", "--hugin", tmp_path / "bad.yaml", check=False)
    assert bad.returncode == 2
    assert bad.stderr == (
        f"landstream: {tmp_path}/bad.yaml:1: 'os.mkdir' is not a name that Hugin's files are read with; remove it\n"
    )


def test_there_must_be_something_to_train_on(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    lay(store, *HELD[:2])
    with pytest.raises(NothingToTrain, match="no Sentinel-2 scene"):
        order_training(store, AREA)
    assert Context.of_store(store, AREA).reader.snapshot().items("training-requests") == []
