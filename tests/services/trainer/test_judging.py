"""Which models are compared with the champion, what a comparison allows, and its verdict."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from services.trainer.judging import ALLOWANCE, verdict_of
from services.trainer.stage import STAGE
from shared.area import Area
from shared.items.claim import FEWEST_BLOCKS
from shared.items.item import Item
from shared.items.properties import EvaluationFacts
from shared.stage.declare import Job
from shared.stage.due import State, plan_jobs
from tests.catalogues import AREA, catalogue_of, labels, make, promotion, request

BETTER = AREA.model_copy(update={"promote": "better"})
OLD_LABELS = make("land-cover-labels", "clc", [labels("clc", 2018)], week="static")
DELIVERY = labels("clc-2024", 2024)
NEW_LABELS = make("land-cover-labels", "clc-2024", [DELIVERY], week="static")
ASSETS = {"model": {"href": "m"}, "split": {"href": "s"}}


def asked(state: str, tile_weeks: int, on: Item = OLD_LABELS) -> Item:
    found = request(state * 64, {}, {"2018-W20": tile_weeks})
    inputs = {"landstream:inputs": [[on.collection, on.id]]}
    return Item({**found.json, "properties": found.properties | inputs}, "static")


def model(version: int, of: Item, assets: Mapping[str, Any] = ASSETS) -> Item:
    found = make("models", "small", [of], week="static", version=version)
    return Item({**found.json, "assets": dict(assets)}, "static")


BROUGHT = make("model-imports", "small", week="static", name="one", title="One", sha256="0" * 64)
HOLD_OUT = make("hold-outs", "clc-1", week="static", number=1, labels=[OLD_LABELS.id], blocks={}, classes={})
FIRST, SECOND, THIRD = asked("a", 100), asked("b", 105), asked("c", 110)
CHAMPION, CHALLENGER = model(1, FIRST), model(2, SECOND)
WITHOUT_HOLD_OUT = [OLD_LABELS, NEW_LABELS, FIRST, SECOND, THIRD, CHAMPION, CHALLENGER]
ITEMS = [*WITHOUT_HOLD_OUT, HOLD_OUT]
PROMOTED = [*ITEMS, promotion(CHAMPION, 1)]


def planned(item: Item, *items: Item, area: Area = BETTER) -> list[Job]:
    return STAGE.plan(item, catalogue_of(items, area), area, STAGE.settings())


def evaluation(challenger: Item, champion: Item) -> Item:
    facts = EvaluationFacts(
        challenger=challenger.id,
        champion=champion.id,
        promotion="small-000001",
        hold_out=1,
        verdict="not better",
        gain={},
        allowance=0.0,
        blocks=12,
        scores={},
        snapshot="S",
    )
    found = make("evaluations", "small", [challenger, champion], week="static")
    return Item({**found.json, "properties": {**found.properties, **facts.properties()}}, "static")


def test_a_new_model_is_compared_with_the_champion() -> None:
    (job,) = planned(CHALLENGER, *PROMOTED)
    assert (job.collection, [s.item for s in job.inputs]) == ("evaluations", [CHALLENGER, CHAMPION, HOLD_OUT])
    assert job.notes == {"allowance": 0.0, "promotion": "small-000001"}


def test_it_is_compared_where_the_area_promotes_what_is_better() -> None:
    for rule in ("always", "manual"):
        assert planned(CHALLENGER, *PROMOTED, area=AREA.model_copy(update={"promote": rule})) == []


def test_champions_are_not_compared() -> None:
    assert planned(CHAMPION, *PROMOTED) == []
    assert planned(CHALLENGER, *ITEMS) == [], "there is no champion"
    assert planned(CHAMPION, *PROMOTED, promotion(CHALLENGER, 2)) == [], "a past one"


def test_a_loser_is_not_compared_again() -> None:
    (job,) = planned(CHALLENGER, *PROMOTED)
    lost = evaluation(CHALLENGER, CHAMPION)
    assert len(planned(CHALLENGER, *PROMOTED, lost)) == 1, "what was done is counted"
    third = model(3, THIRD)
    assert planned(CHALLENGER, *PROMOTED, third, promotion(third, 2), lost) == [], "not with another champion either"
    assert len(planned(CHALLENGER, *PROMOTED, third, promotion(third, 2))) == 1
    assert job.product == "small"
    later = make("hold-outs", "clc-2", week="static", number=2, labels=[OLD_LABELS.id], blocks={}, classes={})
    assert planned(CHALLENGER, *PROMOTED, lost, later) == [], "nor on a later hold-out"
    assert len(planned(CHALLENGER, *PROMOTED, later)) == 1


def test_nothing_is_compared_before_a_hold_out_is_dealt() -> None:
    assert planned(CHALLENGER, *WITHOUT_HOLD_OUT, promotion(CHAMPION, 1)) == []


def test_a_done_comparison_is_done_whatever_is_allowed_now() -> None:
    stricter = BETTER.model_copy(update={"train": BETTER.train.model_copy(update={"grow_percent": 1})})
    (before,) = plan_jobs(STAGE, CHALLENGER, catalogue_of(PROMOTED, BETTER), STAGE.settings())
    (after,) = plan_jobs(STAGE, CHALLENGER, catalogue_of(PROMOTED, stricter), STAGE.settings())
    assert after.job.notes["allowance"] == ALLOWANCE
    assert (before.id, before.state) == (after.id, State.DUE)


def test_models_without_a_split_are_not_compared() -> None:
    old = model(1, FIRST, {"model": {"href": "m"}})
    assert planned(CHALLENGER, *ITEMS, old, promotion(old, 1)) == []
    assert planned(model(4, SECOND, {"model": {"href": "m"}}), *PROMOTED) == []


def imported(version: int) -> Item:
    return model(version, BROUGHT, {"model": {"href": "m"}, "card": {"href": "c"}})


def test_an_imported_model_is_compared_though_it_has_no_split() -> None:
    brought, more = imported(6), imported(7)
    (job,) = planned(brought, *PROMOTED, BROUGHT, brought)
    assert [s.assets for s in job.inputs] == [("model",), ("model", "split"), ("hold_out",)]
    assert job.notes["allowance"] == 0.0
    (job,) = planned(CHALLENGER, *PROMOTED, BROUGHT, brought, promotion(brought, 2))
    assert [s.assets for s in job.inputs] == [("model", "split"), ("model",), ("hold_out",)]
    assert len(planned(more, *PROMOTED, BROUGHT, brought, more, promotion(brought, 2))) == 1


@pytest.mark.parametrize(
    ("seen", "allowance"),
    [
        (asked("d", 109), 0.0),
        (asked("d", 110), ALLOWANCE),
        (asked("d", 100, NEW_LABELS), ALLOWANCE),
    ],
)
def test_newer_labels_and_more_data_may_cost_a_little(seen: Item, allowance: float) -> None:
    challenger = model(5, seen)
    (job,) = planned(challenger, *PROMOTED, DELIVERY, seen, challenger)
    assert job.notes["allowance"] == allowance


@pytest.mark.parametrize(
    ("low", "allowance", "verdict"),
    [
        (0.001, 0.0, "better"),
        (0.0, 0.0, "not better"),
        (-0.004, 0.0, "not better"),
        (-0.004, ALLOWANCE, "better"),
        (0.0, ALLOWANCE, "better"),
        (-0.005, ALLOWANCE, "not better"),
    ],
)
def test_the_lower_end_of_the_gain_decides(low: float, allowance: float, verdict: str) -> None:
    gain = {"miou": [low, 0.3], "accuracy": [-1, 1]}
    assert verdict_of(gain, allowance, FEWEST_BLOCKS) == verdict
    assert verdict_of(gain, allowance, FEWEST_BLOCKS - 1) == "incomparable"


def test_without_a_block_that_neither_has_seen_nothing_is_compared() -> None:
    assert verdict_of({}, ALLOWANCE, 0) == "incomparable"
