"""A model of many inputs and weeks: trained, exported, served over gRPC, and mapped."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio

from services.inference.process import process
from services.inference.reads import held_ledger
from services.inference.stage import InferenceSettings
from shared.items.item import Item
from shared.items.model_inputs import inputs_of_model
from shared.stage.declare import Job, LocalItem, Source, Task
from tests.catalogues import AREA
from tests.services.trainer.fake_cube import FakeCube

ROOT = Path(__file__).parents[3]
WEEKS = ("2018-W20", "2018-W25")
TRAINING = {
    "inputs": ["msi_10m", "msi_20m", "msi_60m", "olci_300m", "week"],
    "history_weeks": 5,
    "filters": 4,
    "epochs": 1,
    "steps": 3,
    "folds": 0,
}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> LocalItem:
    folder = tmp_path_factory.mktemp("model")
    subprocess.run(
        [sys.executable, "-W", "error", "-m", "tests.services.trainer.train_once", folder, json.dumps(TRAINING)],
        cwd=ROOT,
        check=True,
        timeout=500,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"},
    )
    properties = json.loads((folder / "item.json").read_text())["properties"]
    item = Item({"id": "small--v2-0000000b", "collection": "models", "properties": properties, "assets": {}}, "static")
    return LocalItem(item, {"model": folder / "model.tar"})


def map_week(model: LocalItem, week: str, folder: Path, cube: FakeCube) -> tuple[np.ndarray, dict[str, Any]]:
    inputs = inputs_of_model(model.item)
    ledger = held_ledger((0, 0), week, inputs, cube)
    job = Job(
        "land-cover-maps", "small_x", week, (Source(model.item, ("model",)),), {"sheet": [0, 0], "ledger": ledger}
    )
    folder.mkdir()
    task = Task(job, (model,), (), None, AREA, InferenceSettings(), folder, cube)  # type: ignore[arg-type]
    result = process(task)
    with rasterio.open(folder / "land_cover.tif") as image:
        return image.read(1), dict(result.properties)


def test_its_item_states_what_it_reads(model: LocalItem) -> None:
    inputs = inputs_of_model(model.item)
    assert list(inputs.names) == TRAINING["inputs"]
    assert inputs.history_weeks == 5
    assert model.item.properties["landstream:metrics"]["pixels"] > 0


def test_it_maps_what_any_of_its_weeks_saw(model: LocalItem, tmp_path: Path) -> None:
    cube = FakeCube(AREA, WEEKS)
    assert not (cube.msi_10m[WEEKS[1]] > 0).all()
    values, facts = map_week(model, WEEKS[1], tmp_path / "map", cube)
    assert values.all(), "what the last week did not see, the first did"
    assert facts["landstream:observed_percent"] == 100
