"""Trials: the challenger maps a share of the sheets, the same ones each week, and nothing that anybody relies on."""

from __future__ import annotations

import pytest

from services.inference.stage import STAGE, is_wanted
from services.inference.trials import trial_sheets
from shared.area import Area
from shared.items.item import Item
from shared.items.sheets import sheets_of
from shared.stage.declare import Job
from tests.catalogues import catalogue_of, make, promotion
from tests.services.inference.test_plan import MODEL, STORE, UPDATES, WIDE

HALF = WIDE.model_copy(update={"canary_percent": 50.0})
ALL = WIDE.model_copy(update={"canary_percent": 100.0})
CHALLENGER = make("models", "small", week="static", version=2, cube_state="y", weeks=["2018-W20", "2018-W22"])
OLDER = make("models", "small", week="static", version=3, cube_state="z", weeks=["2018-W20"])
ITEMS = (*STORE, CHALLENGER, OLDER)


def trials(item: Item, *items: Item, area: Area = ALL) -> list[Job]:
    jobs = STAGE.plan(item, catalogue_of(items, area), area, STAGE.settings())
    return [job for job in jobs if job.collection == "land-cover-trials"]


@pytest.mark.parametrize("percent", [0.5, 10, 50, 100])
def test_a_share_of_the_sheets_is_on_trial_and_always_the_same(percent: float) -> None:
    area = WIDE.model_copy(update={"canary_percent": percent})
    sheets = sheets_of(area.grid.rows, area.grid.cols)
    assert len(sheets) == 9, "70 tiles are three sheets"
    chosen = trial_sheets(area)
    assert chosen == trial_sheets(area)
    assert chosen <= set(sheets)
    assert max(1, 9 * percent / 100) <= len(chosen) < 9 * percent / 100 + 1


def test_the_newest_model_that_was_never_promoted_maps_beside_the_champion() -> None:
    jobs = trials(UPDATES[1], *ITEMS)
    assert {job.inputs[0].item.id for job in jobs} == {CHALLENGER.id}
    maps = STAGE.plan(UPDATES[1], catalogue_of(ITEMS, WIDE), WIDE, STAGE.settings())
    assert [(j.product, j.week) for j in jobs] == [(j.product, j.week) for j in maps], "the same ledger and sheets"
    assert {j.inputs[0].item.id for j in maps} == {MODEL.id}


def test_a_new_challenger_maps_the_last_weeks() -> None:
    jobs = trials(CHALLENGER, *ITEMS)
    assert [j.week for j in jobs] == ["2018-W22", "2018-W22", "2018-W20"]
    assert trials(OLDER, *ITEMS) == []
    few = trials(CHALLENGER, *ITEMS, area=HALF)
    chosen = trial_sheets(HALF)
    assert [j.product for j in few] == [j.product for j in jobs if tuple(j.parameters["sheet"]) in chosen]


def test_nothing_is_on_trial_without_a_share_a_champion_or_a_challenger() -> None:
    assert trials(CHALLENGER, *ITEMS, area=WIDE) == []
    assert trials(CHALLENGER, *UPDATES, CHALLENGER) == []
    assert trials(UPDATES[1], *STORE) == []


def test_what_is_promoted_or_lost_is_on_trial_no_more() -> None:
    jobs = trials(CHALLENGER, *ITEMS)
    lost = make(
        "evaluations", "small", week="static", challenger=CHALLENGER.id, champion=MODEL.id, verdict="not better"
    )
    for later in (lost, promotion(CHALLENGER, 2)):
        catalogue = catalogue_of((*ITEMS, later), ALL)
        assert not any(is_wanted(job, catalogue) for job in jobs)
        assert {j.inputs[0].item.id for j in trials(UPDATES[1], *ITEMS, later)} == {OLDER.id}
    assert all(is_wanted(job, catalogue_of(ITEMS, ALL)) for job in jobs)


def test_a_trial_is_current_while_its_model_challenges_and_its_ledger_holds() -> None:
    (job,) = (j for j in trials(CHALLENGER, *ITEMS) if j.week == "2018-W20")
    inputs = [CHALLENGER, UPDATES[0]]
    facts = {"sheet": [0, 0], "ledger": job.parameters["ledger"], "model": CHALLENGER.id}
    trial = make("land-cover-trials", job.product, inputs, week="2018-W20", **facts)
    assert catalogue_of((*ITEMS, trial), ALL).is_current(trial)
    assert not catalogue_of((*ITEMS, trial, promotion(CHALLENGER, 2)), ALL).is_current(trial)
    other = make("land-cover-trials", job.product, inputs, week="2018-W20", **{**facts, "ledger": "0"})
    assert not catalogue_of((*ITEMS, other), ALL).is_current(other)
