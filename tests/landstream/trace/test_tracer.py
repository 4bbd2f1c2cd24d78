"""The way of scenes through a store, as far as each came."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from landstream.trace.story import Story, lines
from landstream.trace.subject import read_subject
from landstream.trace.tracer import Tracer
from shared.items.ids import canonical
from shared.items.item import Item
from shared.items.keys import dismissal_key, failure_key
from shared.run.context import Context
from shared.run.failure import make_record
from shared.run.outcome import Rejected
from shared.stage import registry
from shared.stage.due import DueJob, JobSource, plan_jobs
from shared.store import FolderStore
from tests.catalogues import AREA, WEEK, item, labels, make, promotion, scene, withdrawal

OLD = "S2A_MSIL2A_20180605T092031_N0206_R093_T34TFR_20180605T120000"
NEW = "S2A_MSIL2A_20180605T092031_N0500_R093_T34TFR_20230601T120000"
LATER = "S2A_MSIL2A_20180705T092031_N0500_R093_T34TFR_20230601T120000"
LATER_WEEK = "2018-W27"
FAULT = Rejected("T34TFR_B02.jp2", "ends early", "download the product again", error_class="m.E")


class World:
    """A store, and stages that do what is asked of them."""

    def __init__(self, folder: Path) -> None:
        self.store = FolderStore(folder)
        self.context = Context.of_store(self.store, AREA)

    def put(self, *items: Item) -> Item:
        for one in items:
            self.store.put(one.key, canonical(one.json))
        return items[-1]

    def planned(self, stage: str, source: JobSource) -> DueJob:
        declared = registry.load(stage)
        (due,) = plan_jobs(declared, source, self.context.reader.snapshot(), declared.settings())
        return due

    def done(self, stage: str, source: Item, **facts: Any) -> Item:
        """The item that a stage makes of another one."""
        due = self.planned(stage, source)
        return self.put(
            item(due.job.collection, due.output_id, [s.item for s in due.job.inputs], due.job.week, **facts)
        )

    def failed(self, stage: str, source: JobSource) -> str:
        """Let a job fail; its id."""
        due = self.planned(stage, source)
        record = make_record(registry.load(stage), due.job, due.id, 1, FAULT)
        self.store.put(failure_key(stage, due.id), record)
        return due.id

    def told(self, asked: str) -> list[list[str]]:
        return [lines(story) for story in self.stories(asked)]

    def stories(self, asked: str) -> list[Story]:
        return list(Tracer(self.context).stories(read_subject(asked)))


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def way(told: list[str]) -> str:
    """What follows the time of arrival, which is now."""
    return told[1].partition("arrived ")[2][len("2026-11-28 10:12, ") :]


def test_a_cloudy_scene_is_in_no_map(world: World) -> None:
    registered = world.put(scene(NEW, 500, mgrs_tile="T34TFR"))
    mask = world.done("cloudmask", registered, usable_percent=0.0, level="l2a")
    world.done("tiler", mask, sensor="msi", product=NEW, tiles=[])
    (told,) = world.told(NEW)
    assert told[0] == NEW
    assert told[1].startswith(f"  {WEEK} T34TFR: arrived 20")
    assert way(told) == "registered, 0 % clear -> no tile, no map"
    assert told[2:] == []


def test_a_mapped_scene_names_map_and_model(world: World) -> None:
    mask = world.done("cloudmask", world.put(scene(NEW, 500)), usable_percent=61.25)
    update = world.done("tiler", mask, sensor="msi", product=NEW, tiles=[[0, 0, 3]])
    (told,) = world.told("T34TFR")
    assert way(told) == "registered, 61.2 % clear -> 4 tiles"
    assert told[2:] == ["  no map before a model is trained and promoted"]
    model = world.put(make("models", "small", week="static"))
    world.put(promotion(model, 1))
    (told,) = world.told("T34TFR")
    assert told[2:] == ["  waiting for inference"]
    due = world.planned("inference", update)
    world.done("inference", update, **dict(due.job.parameters), model=model.id, observed_percent=5.0)
    (story,) = world.stories(WEEK)
    assert way(lines(story)) == "registered, 61.2 % clear -> 4 tiles, 1 map"
    assert [(m["sheet"], m["model"]) for m in story.maps] == [("r00c00", model.id)]
    assert story.json()["steps"][2] == {
        "stage": "tiler", "state": "done", "text": "4 tiles", "collection": "cube-updates",
    }  # fmt: skip


def test_a_scene_that_waits_or_failed_says_where_and_why(world: World) -> None:
    registered = world.put(scene(NEW, 500))
    (told,) = world.told(NEW)
    assert (way(told), told[2:]) == ("registered", ["  waiting for cloudmask"])
    failed = world.failed("cloudmask", registered)
    (told,) = world.told(NEW)
    assert told[2:] == ["  failed in cloudmask: T34TFR_B02.jp2: ends early; download the product again"]
    world.store.put(dismissal_key("cloudmask", failed), b"{}")
    (told,) = world.told(NEW)
    assert told[2].endswith("(dismissed)")


def test_an_outdated_scene_says_by_whom_or_why(world: World) -> None:
    world.put(scene(OLD, 206), scene(NEW, 500))
    old, new = world.told("T34TFR")
    assert way(old) == f"registered, superseded by {NEW}"
    assert way(new) == "registered"
    world.put(withdrawal(NEW, 1))
    old, new = world.told("T34TFR")
    assert way(new) == "registered, withdrawn; `landstream restore PRODUCT --reason WHY` takes it back"
    assert old[2:] == ["  waiting for cloudmask"]


def test_a_scene_that_was_withdrawn_before_it_arrived_is_told(world: World) -> None:
    world.put(withdrawal(NEW, 1))
    assert world.told(NEW) == [
        [NEW, f"  {WEEK}: not arrived, withdrawn; `landstream restore PRODUCT --reason WHY` takes it back"],
    ]
    assert world.told(OLD) == []


def test_a_scene_of_another_level_is_not_in_the_cube(world: World) -> None:
    product = NEW.replace("L2A", "L1C")
    facts = {"mgrs_tile": "T34TFR", "level": "l1c", "quantification": 10_000, "offsets": {}, "scene": "s"}
    facts |= {"product_version": [500], "product": product, "attribution": ""}
    registered = world.put(make("sentinel-2-l1c", product, **facts))
    (told,) = world.told(product)
    assert way(told) == "registered, not in the cube: its level is l1c, the area's is l2a"
    world.context = Context.of_store(world.store, AREA.model_copy(update={"mask_other_level": True}))
    world.done("cloudmask", registered, usable_percent=50.0, level="l1c")
    (told,) = world.told(product)
    assert way(told) == "registered, 50 % clear, not in the cube: its level is l1c, the area's is l2a"


def test_labels_that_another_delivery_outdoes_are_told(world: World) -> None:
    world.put(labels("clc2012", 2012))
    world.done("rasterize", world.put(labels("clc2018", 2018)))
    told = [way(one) for name in ("clc2012.gpkg", "clc2018.gpkg") for one in world.told(name)]
    assert told == ["registered, not burned: clc2018 is used", "registered, burned"]


def test_what_only_lies_in_landing_is_told(world: World) -> None:
    world.store.put(f"landing/{NEW}.SAFE/manifest.safe", b"x")
    (told,) = world.told("T34TFR")
    assert told[0] == NEW
    assert told[1].startswith("  T34TFR: arrived 20")
    assert told[2].startswith("  arriving: manifest.safe: is not XML (syntax error: line 1, column 0); deliver")
    unit = world.context.unit(f"{NEW}.SAFE")
    assert unit is not None
    world.failed("ingest", unit)
    (told,) = world.told(NEW)
    assert told[2].startswith("  failed in ingest: T34TFR_B02.jp2: ends early")
    assert world.told("T34TGR") == world.told("2018-W24") == []


def test_what_there_is_instead_is_told(world: World) -> None:
    def nothing(text: str) -> str:
        assert world.told(text) == []
        return Tracer(world.context).nothing(read_subject(text))

    none = "no scene of this week is registered or in landing/"
    assert nothing("2018-W24") == f"2018-W24: {none}; none is registered at all"
    world.put(scene(NEW, 500))
    assert nothing("2018-W24") == f"2018-W24: {none}; there are scenes of {WEEK}"
    world.put(scene(LATER, 500, "another", week=LATER_WEEK))
    assert nothing("2018-W24") == f"2018-W24: {none}; there are scenes of {WEEK}, {LATER_WEEK}"
    assert nothing("T34TGR").startswith("T34TGR: no scene of this tile")
    assert nothing("2018-23") == (
        "2018-23: no product of this name is registered or in landing/; a week is given as 2018-W23, a tile as T34TGR"
    )


def test_other_weeks_are_not_read(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.put(scene(NEW, 500), scene(LATER, 500, "another", week=LATER_WEEK))
    world.put(scene(LATER.replace("T34TFR", "T34TGR"), 500, "third", week="2018-W30", mgrs_tile="T34TGR"))
    read = set[str]()
    get = FolderStore.get

    def noted(self: FolderStore, key: str) -> bytes:
        read.add(key.split("/")[2])
        return get(self, key)

    monkeypatch.setattr(FolderStore, "get", noted)
    assert len(world.told(NEW)) == 1
    assert read == {WEEK}
    assert len(world.told("T34TFR")) == 2
    assert read == {WEEK, LATER_WEEK}
