"""What the trainer plans: one training for the present cube state, nothing for a void request."""

from __future__ import annotations

import subprocess
import sys

from services.trainer.process import version_of
from services.trainer.stage import STAGE
from shared.items.item import Item
from shared.items.summary import present_state
from shared.stage.due import examine
from tests.catalogues import AREA, catalogue_of, labels, make, request
from tests.conftest import ROOT

TRAINING = {"filters": 8, "epochs": 3}


def make_store(*more: Item) -> list[Item]:
    """A store with labels and one tile of data."""
    clc = labels("clc", 2018)
    raster = make("land-cover-labels", "clc", [clc], week="static")
    update = make("cube-updates", "S2A", week="2018-W20", sensor="msi", product="S2A", tiles=[[0, 0, 1]])
    return [clc, raster, update, *more]


def test_a_request_of_the_present_state_is_one_job_with_its_own_settings() -> None:
    catalogue = catalogue_of(make_store())
    asked = request(present_state(catalogue), TRAINING)
    (job,) = STAGE.plan(asked, catalogue, AREA, STAGE.settings())
    assert (job.collection, job.product, job.week) == ("models", "small", "static")
    assert job.parameters["training"] == TRAINING
    output = examine(STAGE, asked, job, STAGE.settings(), catalogue).output_id
    assert f"{version_of(job, STAGE.settings()):08x}" == output[-8:]


def test_a_request_of_another_state_is_void() -> None:
    assert STAGE.plan(request("f" * 64, TRAINING), catalogue_of(make_store()), AREA, STAGE.settings()) == []


def test_planning_loads_no_heavy_library() -> None:
    heavy = "{'tensorflow', 'keras', 'sklearn', 'matplotlib', 'rasterio', 'grpc', 'icechunk'}"
    code = f"import services.trainer.stage, services.inference.stage, sys; print(sorted({heavy} & set(sys.modules)))"
    answer = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"
