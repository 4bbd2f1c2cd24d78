"""What the trainer plans: one training for the present cube state, nothing for a void request."""

from __future__ import annotations

import subprocess
import sys

from services.trainer.hold_outs import plan_hold_out
from services.trainer.process import version_of
from services.trainer.stage import STAGE
from shared.items.item import Item
from shared.items.summary import present_state
from shared.stage.due import examine
from tests.catalogues import AREA, catalogue_of, labels, make, promotion, request
from tests.conftest import ROOT

TRAINING = {"filters": 8, "epochs": 3}


CLC = labels("clc", 2018)
RASTER = make("land-cover-labels", "clc", [CLC], week="static")
MERGED = make("cube-updates", "clc", [RASTER], week="static", sensor="labels", product="clc", tiles=[])


def make_store(*more: Item) -> list[Item]:
    """A store with labels and one tile of data."""
    update = make("cube-updates", "S2A", week="2018-W20", sensor="msi", product="S2A", tiles=[[0, 0, 1]])
    return [CLC, RASTER, MERGED, update, *more]


def hold_out(number: int, of: str = RASTER.id) -> Item:
    """A numbered hold-out of a label raster."""
    return make("hold-outs", f"clc-level1-{number}", week="static", number=number, labels=[of], blocks={}, classes={})


def test_a_request_of_the_present_state_is_one_job_with_its_own_settings() -> None:
    catalogue = catalogue_of(make_store(hold_out(1)))
    asked = request(present_state(catalogue), TRAINING)
    (job,) = STAGE.plan(asked, catalogue, AREA, STAGE.settings())
    assert (job.collection, job.product, job.week) == ("models", "small", "static")
    assert [s.item for s in job.context] == [hold_out(1)]
    assert job.parameters["training"] == TRAINING
    output = examine(STAGE, asked, job, STAGE.settings(), catalogue).output_id
    assert f"{version_of(job, STAGE.settings()):08x}" == output[-8:]


def test_a_request_of_another_state_is_void() -> None:
    assert STAGE.plan(request("f" * 64, TRAINING), catalogue_of(make_store()), AREA, STAGE.settings()) == []


def test_the_first_training_wants_a_hold_out() -> None:
    catalogue = catalogue_of(make_store())
    asked = request(present_state(catalogue), TRAINING)
    (job,) = STAGE.plan(asked, catalogue, AREA, STAGE.settings())
    assert (job.collection, job.product, job.inputs) == ("hold-outs", f"{AREA.labels.scheme}-1", ())
    assert (job.context, job.notes["labels"]) == ((), [RASTER.id])


def test_nothing_is_dealt_of_labels_that_are_not_in_the_cube_yet() -> None:
    """A hold-out of none of them would be empty, and what is dealt stays so."""
    early = [item for item in make_store() if item is not MERGED]
    asked = request(present_state(catalogue_of(early)), TRAINING)
    assert STAGE.plan(asked, catalogue_of(early), AREA, STAGE.settings()) == []
    assert len(STAGE.plan(asked, catalogue_of([*early, MERGED]), AREA, STAGE.settings())) == 1


def test_where_it_is_dealt_the_request_is_trained() -> None:
    state = present_state(catalogue_of(make_store()))
    asked, void = request(state, TRAINING), request("f" * 64, TRAINING)
    items = make_store(asked, void, hold_out(1))
    (job,) = STAGE.plan(hold_out(1), catalogue_of(items), AREA, STAGE.settings())
    (same,) = STAGE.plan(asked, catalogue_of(items), AREA, STAGE.settings())
    assert job == same
    later = hold_out(2)
    assert STAGE.plan(hold_out(1), catalogue_of([*items, later]), AREA, STAGE.settings()) == [], "an old one"
    assert len(STAGE.plan(later, catalogue_of([*items, later]), AREA, STAGE.settings())) == 1


def test_other_labels_continue_the_hold_out() -> None:
    state = present_state(catalogue_of(make_store()))
    items = make_store(hold_out(1), hold_out(2, of="others"))
    (job,) = STAGE.plan(request(state, TRAINING), catalogue_of(items), AREA, STAGE.settings())
    assert (job.collection, job.parameters) == ("hold-outs", {"number": 3})
    assert [(s.item, s.assets) for s in job.context] == [(hold_out(2, of="others"), ("hold_out",))]


def test_the_line_of_hold_outs_has_no_forks() -> None:
    """Labels that came meanwhile make no second item of the same number."""
    ids = set()
    for name in ("clc", "others"):
        raster = make("land-cover-labels", name, week="static")
        job = plan_hold_out([raster], hold_out(1), catalogue_of(make_store(hold_out(1))))
        ids.add(examine(STAGE, hold_out(1), job, STAGE.settings(), catalogue_of(make_store())).output_id)
    assert len(ids) == 1


def test_the_first_hold_out_continues_the_split_of_a_champion_of_before() -> None:
    old = make("models", "small", week="static")
    old = Item({**old.json, "assets": {"split": {"href": "s"}}}, "static")
    items = make_store(old, promotion(old, 1))
    state = present_state(catalogue_of(items))
    (job,) = STAGE.plan(request(state, TRAINING), catalogue_of(items), AREA, STAGE.settings())
    assert [(s.item, s.assets) for s in job.context] == [(old, ("split",))]


def brought(name: str, assets: tuple[str, ...] = ("model", "card")) -> Item:
    """A model that somebody imported."""
    found = make("model-imports", name, week="static", name=name, title=name, sha256="0" * 64)
    return Item({**found.json, "assets": {asset: {"href": asset} for asset in assets}}, "static")


def test_an_imported_model_is_scored_on_the_newest_hold_out_once() -> None:
    one = brought("one")
    assert STAGE.plan(one, catalogue_of(make_store(one)), AREA, STAGE.settings()) == [], "none is dealt yet"
    first, second = make_store(one, hold_out(1)), make_store(one, hold_out(1), hold_out(2))
    (job,) = STAGE.plan(one, catalogue_of(first), AREA, STAGE.settings())
    (later,) = STAGE.plan(one, catalogue_of(second), AREA, STAGE.settings())
    assert (job.collection, job.product, job.week) == ("models", "small", "static")
    assert [(s.item, s.assets) for s in job.inputs] == [(one, ("model", "card"))]
    assert [[s.item for s in j.context] for j in (job, later)] == [[hold_out(1)], [hold_out(2)]]
    ids = {examine(STAGE, one, j, STAGE.settings(), catalogue_of(first)).output_id for j in (job, later)}
    assert len(ids) == 1, "a later hold-out makes no second model of it"


def test_imported_models_wait_for_the_first_hold_out() -> None:
    one, two = brought("one"), brought("two")
    jobs = STAGE.plan(hold_out(1), catalogue_of(make_store(one, two, hold_out(1))), AREA, STAGE.settings())
    assert [j.inputs[0].item for j in jobs] == [one, two]
    assert jobs[:1] == STAGE.plan(one, catalogue_of(make_store(one, two, hold_out(1))), AREA, STAGE.settings())


def test_what_only_looks_like_an_import_is_not_planned() -> None:
    half = brought("half", ("card",))
    assert STAGE.plan(half, catalogue_of(make_store(half, hold_out(1))), AREA, STAGE.settings()) == []


def test_planning_loads_no_heavy_library() -> None:
    heavy = "{'tensorflow', 'keras', 'sklearn', 'matplotlib', 'rasterio', 'grpc', 'icechunk'}"
    code = f"import services.trainer.stage, services.inference.stage, sys; print(sorted({heavy} & set(sys.modules)))"
    answer = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"
