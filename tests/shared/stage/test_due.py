"""What is due, done and failed; the same answer for whoever asks."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pydantic import Field

from shared.items.ids import make_id
from shared.items.item import Item
from shared.items.keys import failure_key, receipt_key
from shared.items.landing import LandingObject, LandingUnit
from shared.stage import Job, Settings, Source
from shared.stage.declare import AFFECTS_RESULT, Stage
from shared.stage.due import DueJob, State, examine, job_digest, plan_jobs, planned, sources_of
from shared.stage.source import LandingSource
from tests.catalogues import WEEK, catalogue_of, item, make, scene
from tests.shared.run.fake import STAGE

SCENE = scene("a", 500)
NEWER = replace(STAGE, version=3)
UNIT = LandingUnit("a.SAFE.zip", (LandingObject("", 7, "e1"),))


class Tuned(Settings):
    """Settings of which one changes the result."""

    threshold: float = Field(0.5, json_schema_extra=AFFECTS_RESULT)
    threads: int = 2


def job_of(source: Item) -> Job:
    return Job("cloud-masks", source.product, source.week, (Source(source),))


def output(version: int, source: Item = SCENE) -> Item:
    """What the stage makes of a source, in some version of it."""
    digest = job_digest(STAGE, job_of(source), STAGE.settings())
    return item("cloud-masks", make_id(source.product, version, digest), [source], source.week)


def look(stage: Stage, *items: Item, **more: list[str]) -> DueJob:
    (found,) = plan_jobs(stage, SCENE, catalogue_of([SCENE, *items], **more), stage.settings())
    return found


def test_what_is_planned_and_was_not_made_is_due() -> None:
    found = look(STAGE)
    digest = job_digest(STAGE, found.job, STAGE.settings())
    assert (found.state, found.id, found.output_id) == (State.DUE, f"a--{digest}", f"a--v1-{digest}")
    assert found.source is SCENE


def test_an_output_of_any_version_is_an_output() -> None:
    assert look(STAGE, output(1)).state is State.DONE
    assert look(NEWER, output(1)).state is State.DONE
    assert look(STAGE, output(3)).state is State.DONE, "also where an older service looks"
    assert look(NEWER, output(1)).output_id.startswith("a--v3-")


def test_an_output_of_other_inputs_is_none() -> None:
    assert look(STAGE, make("cloud-masks", "a", [scene("b", 500)])).state is State.DUE


@pytest.mark.parametrize(
    ("order", "state"),
    [
        ("reprocess/fake/all-v3.json", State.DUE),
        (f"reprocess/fake/{WEEK}-v3.json", State.DUE),
        ("reprocess/fake/2018-W24-v3.json", State.DONE),
        ("reprocess/tiler/all-v3.json", State.DONE),
        ("reprocess/fake/all-v1.json", State.DONE),
    ],
)
def test_an_order_makes_older_outputs_due_again(order: str, state: State) -> None:
    assert look(NEWER, output(1), orders=[order]).state is state
    assert look(NEWER, output(1), output(3), orders=[order]).state is State.DONE
    assert look(STAGE, output(1), orders=[order]).state is State.DONE, "it makes no other version"


def test_a_failure_record_stands_until_the_output_exists() -> None:
    failures = [failure_key("fake", look(STAGE).id)]
    assert look(STAGE, failures=failures).state is State.FAILED
    assert look(STAGE, output(1), failures=failures).state is State.DONE
    assert look(STAGE, failures=[failures[0].replace("fake", "other")]).state is State.DUE


def test_a_unit_is_done_by_its_receipt() -> None:
    job = Job("", "", "", delivery=LandingSource(UNIT))
    receipt = receipt_key(UNIT.name, UNIT.receipt_id)
    failure = failure_key("fake", LandingSource(UNIT).job_id)

    def state(unit: LandingUnit = UNIT, **more: list[str]) -> State:
        asked = replace(job, delivery=LandingSource(unit))
        return examine(STAGE, unit, asked, STAGE.settings(), catalogue_of([], **more)).state

    assert state() is State.DUE
    assert state(receipts=[receipt]) is State.DONE
    assert state(receipts=[receipt], failures=[failure]) is State.FAILED
    assert state(failures=[failure]) is State.FAILED, "its receipt is still to be written"
    again = replace(UNIT, objects=(LandingObject("", 8, "e2"),))
    assert state(again, receipts=[receipt], failures=[failure]) is State.DUE, "delivered anew, it is another one"


def test_the_digest_is_of_what_changes_the_result() -> None:
    job, settings = job_of(SCENE), Settings()
    digest = job_digest(STAGE, job, settings)
    same = [
        job_digest(NEWER, job, settings),
        job_digest(STAGE, replace(job, notes={"n": 1}, context=(Source(scene("b", 1)),)), settings),
        job_digest(STAGE, replace(job, inputs=(Source(SCENE, ("B02_10m",)),)), settings),
    ]
    assert same == [digest] * 3
    others = {
        job_digest(replace(STAGE, name="other"), job, settings),
        job_digest(STAGE, replace(job, parameters={"p": 1}), settings),
        job_digest(STAGE, job_of(scene("b", 500)), settings),
        digest,
    }
    assert len(others) == 4
    tuned = job_digest(STAGE, job, Tuned())
    assert job_digest(STAGE, job, Tuned(threads=8)) == tuned
    assert job_digest(STAGE, job, Tuned(threshold=0.6)) != tuned


def test_a_job_of_several_sources_is_named_once() -> None:
    shared_job, planned_from = job_of(SCENE), list[str]()

    def plan(source: Item, *_: object) -> list[Job]:
        planned_from.append(source.product)
        return [shared_job, job_of(SCENE)]

    sources = [SCENE, scene("b", 500)]
    stage = replace(STAGE, plan=plan)
    assert len(list(planned(stage, sources, catalogue_of(sources), STAGE.settings()))) == 1
    assert planned_from == ["a", "b"]


def test_what_is_swept_may_be_less_than_what_is_consumed() -> None:
    items = [SCENE, *(output(1),)]
    stage = replace(STAGE, consumes=("landing", "sentinel-2-l2a", "cloud-masks"))
    catalogue = catalogue_of(items)
    assert sources_of(stage, catalogue, WEEK) == items
    assert sources_of(replace(stage, swept=("cloud-masks",)), catalogue, WEEK) == items[1:]
    assert sources_of(stage, catalogue, "2018-W24") == []
