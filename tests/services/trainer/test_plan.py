"""What the trainer plans: one training for the present cube state, nothing for a void request."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from services.trainer.process import version_of
from services.trainer.stage import STAGE
from shared.area import Area, load_area
from shared.items.catalogue import Catalogue
from shared.items.item import Item
from shared.stage.due import output_id

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def area() -> Area:
    return load_area(ROOT / "examples" / "areas" / "small.yaml")


def make_item(collection: str, item_id: str, week: str = "static", **properties: Any) -> Item:
    """An item as far as a catalogue reads it."""
    return Item({"id": item_id, "collection": collection, "properties": properties, "assets": {}}, week)


def make_catalogue(area: Area, *more: Item) -> Catalogue:
    """A store with labels and one tile of data."""
    clc = make_item(
        "label-polygons", "clc--v1-00000001",
        **{"landstream:label_source": area.labels.source, "landstream:reference_year": 2018,
           "landstream:campaign": "2018", "landstream:release": "20"},
    )  # fmt: skip
    labels = make_item(
        "land-cover-labels", "labels--v1-00000001", **{"landstream:inputs": [["label-polygons", clc.id]]}
    )
    update = make_item(
        "cube-updates", "S2A--v1-00000001", "2018-W20",
        **{"landstream:sensor": "msi", "landstream:product": "S2A", "landstream:tiles": [[0, 0, 1]],
           "landstream:inputs": []},
    )  # fmt: skip
    return Catalogue([clc, labels, update, *more], area)


def make_request(state: str) -> Item:
    return make_item("training-requests", f"{state[:16]}--v1-00000001", **{"landstream:cube_state": state})


def test_a_request_of_the_present_state_is_one_job(area: Area) -> None:
    catalogue = make_catalogue(area)
    request = make_request(catalogue.cube_state())
    (job,) = STAGE.plan(request, catalogue, area, STAGE.settings())
    assert (job.collection, job.product, job.week) == ("models", "small", "static")
    assert job.parameters["training"]["filters"] == 8
    item_id = output_id(STAGE, job, STAGE.settings())
    assert f"{version_of(job, STAGE.settings()):08x}" == item_id[-8:]


def test_a_request_of_another_state_is_void(area: Area) -> None:
    assert STAGE.plan(make_request("f" * 64), make_catalogue(area), area, STAGE.settings()) == []


def test_nothing_is_trained_without_labels_or_data(area: Area) -> None:
    empty = Catalogue([], area)
    assert STAGE.plan(make_request(empty.cube_state()), empty, area, STAGE.settings()) == []


def test_planning_loads_no_heavy_library() -> None:
    heavy = "{'tensorflow', 'keras', 'sklearn', 'matplotlib', 'rasterio', 'grpc', 'icechunk'}"
    code = f"import services.trainer.stage, services.inference.stage, sys; print(sorted({heavy} & set(sys.modules)))"
    answer = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"
