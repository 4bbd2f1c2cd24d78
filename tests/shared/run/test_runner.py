"""The runner with real worker processes over a folder store and the in-process bus."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from shared.area import load_area
from shared.bus import OBJECTS, MemoryBus
from shared.events import parse
from shared.items.ids import canonical, digest8, make_id
from shared.items.item import Item
from shared.items.keys import SCRATCH, artifact_key, item_key
from shared.items.reader import CatalogueReader
from shared.items.stac import make_item, multihash
from shared.process.command_line import due_sources
from shared.run.child import Stopped
from shared.run.context import Context
from shared.run.runner import UNEXPECTED_IN_A_ROW, Runner, StageStopped
from shared.stage import registry
from shared.store import FolderStore, StoreFull
from tests.conftest import AREAS
from tests.shared.run.fake import STAGE

WEEK = "2018-W23"
POLYGON = {"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1], [0, 1], [0, 0]]]}


class World:
    """A store with its runner."""

    def __init__(self, root: Path) -> None:
        self.area = load_area(AREAS / "small.yaml")
        self.bus = MemoryBus()
        self.store = FolderStore(root, lambda event: self.bus.publish(OBJECTS, parse(event).key, event))
        reader = CatalogueReader(self.store, self.area, registry.rules())
        self.context = Context(
            self.store, self.bus, self.area, reader, "", self.store.work,
            lambda name: 0.0, attempts=3, back_off_s=0.01, grace_s=0.1, when_full=self.see_full,
        )  # fmt: skip
        self.full: list[str] = []
        self.ends_when_full = False
        self.later: list[str] = []
        self.runner = Runner(STAGE, "tests.shared.run.fake", self.context, self.later.append)

    def see_full(self, error: StoreFull) -> None:
        self.full.append(str(error))
        if self.ends_when_full:
            self.context.stop.set()

    def arrive(self, product: str, do: str, data: bytes | None = None) -> None:
        item_id = make_id(product, 1, digest8([product, do]))
        assets = {}
        if data is not None:
            sha256 = hashlib.sha256(data).hexdigest()
            key = artifact_key("sentinel-2-l2a", WEEK, item_id, "data", sha256, ".txt")
            self.store.put(key, data)
            assets["data"] = {
                "href": f"../../../{key}",
                "type": "text/plain",
                "file:checksum": multihash(sha256),
                "file:size": len(data),
            }
        properties = {
            "datetime": "2018-06-04T00:00:00Z", "do": do,
            "landstream:scene": product, "landstream:product_version": [1], "landstream:product": product,
        }  # fmt: skip
        item = make_item(
            collection="sentinel-2-l2a", week=WEEK, item_id=item_id, geometry=POLYGON, bbox=(0, 0, 1, 1),
            properties=properties, assets=assets, inputs=[], stage="test", stage_version=1,
        )  # fmt: skip
        self.store.put(item_key("sentinel-2-l2a", WEEK, item_id), canonical(item))

    def artifact(self, product: str) -> str:
        (key,) = (k for k in self.store.keys("artifacts/sentinel-2-l2a/") if f"/{product}--" in k)
        return key

    def work(self) -> None:
        """Run until every event is acknowledged."""
        errors: list[BaseException] = []

        def serve() -> None:
            try:
                self.runner.run()
            except BaseException as error:
                errors.append(error)

        self.context.stop.clear()
        # The group exists before the runner's thread does: lag counts from the first event.
        self.bus.subscribe(OBJECTS, self.context.group(STAGE.name)).close()
        thread = threading.Thread(target=serve)
        thread.start()
        deadline = time.monotonic() + 60
        while (
            self.bus.lag(OBJECTS, self.context.group(STAGE.name)) and thread.is_alive() and time.monotonic() < deadline
        ):
            time.sleep(0.02)
        self.context.stop.set()
        thread.join()
        if errors:
            raise errors[0]

    def outputs(self) -> list[str]:
        return [json.loads(self.store.get(k))["id"].split("--")[0] for k in self.store.keys("items/cloud-masks/")]

    def failures(self) -> list[dict]:
        return [json.loads(self.store.get(k)) for k in self.store.keys("failures/")]

    def attempts(self, product: str) -> int:
        path = self.store.work.parent / "attempts"
        return path.read_text().split().count(product) if path.exists() else 0


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "store")


def test_an_item_leads_to_an_item(world: World) -> None:
    world.arrive("a", "work", b"hello")
    world.work()
    assert world.outputs() == ["a"]
    (key,) = world.store.keys("items/cloud-masks/")
    item = json.loads(world.store.get(key))
    folder = Path(key).parent
    text = world.store.get(os.path.normpath(folder / item["assets"]["text"]["href"]))
    assert text == b"HELLO"
    assert item["assets"]["text"]["file:checksum"] == multihash(hashlib.sha256(text).hexdigest())
    assert item["assets"]["text"]["file:size"] == 5
    (derived,) = (link for link in item["links"] if link["rel"] == "derived_from")
    assert world.store.head(os.path.normpath(folder / derived["href"]))
    assert "created" not in item["properties"]
    assert list(world.store.work.glob("*/")) == []


def test_what_is_done_is_not_done_again(world: World) -> None:
    world.arrive("a", "work")
    world.work()
    for key in list(world.store.keys("items/sentinel-2-l2a/")):
        world.bus.publish(OBJECTS, key, hint(key))
    world.work()
    assert world.attempts("a") == 1


def hint(key: str) -> bytes:
    from shared.events import ObjectCreated, make

    return make(ObjectCreated("landstream", key, 0, ""))


def test_a_refusal_is_tried_once_and_recorded(world: World) -> None:
    world.arrive("bad", "reject")
    world.arrive("good", "work")
    world.work()
    assert world.outputs() == ["good"]
    (record,) = world.failures()
    assert (record["file"], record["fault"], record["remedy"]) == ("B02.jp2", "is torn", "deliver it again")
    assert (record["attempts"], record["stage"], world.attempts("bad")) == (1, "fake", 1)
    assert "Traceback" in record["traceback"]


@pytest.mark.parametrize("do", ["fail", "crash", "hang", "eat", "escape"])
def test_an_unexpected_error_is_tried_three_times_and_recorded(world: World, do: str) -> None:
    world.arrive("bad", do)
    world.arrive("good", "work")
    world.work()
    assert world.outputs() == ["good"]
    (record,) = world.failures()
    assert (record["attempts"], world.attempts("bad")) == (3, 3)
    expected = {
        "fail": "surprise", "crash": "status -11", "hang": "longer than 12 s", "eat": "of 600 MB", "escape": "below",
    }  # fmt: skip
    assert expected[do] in record["message"]


def test_a_killed_worker_is_followed_by_one_that_goes_on(world: World) -> None:
    world.arrive("a", "keep", b"hello")
    world.work()
    assert (world.outputs(), world.failures(), world.attempts("a")) == (["a"], [], 2)
    assert text_of(world) == b"state 2"
    assert list(world.store.keys(SCRATCH)) == [], "a result needs no checkpoint"
    assert (world.store.root / world.artifact("a")).read_bytes() == b"hello", "what lies elsewhere is left alone"


def test_what_was_kept_before_an_error_is_not_gone_on_from(world: World) -> None:
    world.arrive("a", "keep-fail", b"hello")
    world.work()
    assert (world.outputs(), world.failures(), world.attempts("a")) == (["a"], [], 2)
    assert text_of(world) == b"nothing"


def test_a_checkpoint_waits_in_the_store_for_another_machine(world: World) -> None:
    world.context = replace(world.context, attempts=1)
    world.runner = Runner(STAGE, "tests.shared.run.fake", world.context, world.later.append)
    world.arrive("a", "keep", b"hello")
    clear, world.runner._scratch.clear = world.runner._scratch.clear, lambda job: None  # type: ignore[method-assign]
    world.work()
    assert [world.store.get(key) for key in world.store.keys(SCRATCH)] == [b"state 2"]
    assert len(world.failures()) == 1
    world.runner._scratch.clear = clear  # type: ignore[method-assign]
    for key in list(world.store.keys("failures/")):
        world.store.delete(key)
    other = World(world.store.root)
    for key in list(other.store.keys("items/sentinel-2-l2a/")):
        other.bus.publish(OBJECTS, key, hint(key))
    other.work()
    assert text_of(other) == b"state 2"
    assert list(other.store.keys(SCRATCH)) == []


def text_of(world: World) -> bytes:
    """The one artifact that was made."""
    (key,) = (key for key in world.store.keys("artifacts/cloud-masks/"))
    return world.store.get(key)


def test_a_passing_error_leaves_no_record(world: World) -> None:
    world.arrive("a", "fail-once")
    world.work()
    assert (world.outputs(), world.failures()) == (["a"], [])


def test_later_counts_no_attempt_and_comes_back(world: World) -> None:
    world.arrive("a", "later-once")
    world.work()
    assert (world.outputs(), world.failures(), list(world.later)) == ([], [], world_later(world))
    (source,) = due_sources(STAGE, world.context)
    world.bus.publish(OBJECTS, source.key, hint(source.key))
    world.work()
    assert (world.outputs(), world.failures()) == (["a"], [])


def world_later(world: World) -> list[str]:
    return [name for name in world.later if name.startswith("a--")]


def test_a_failed_job_is_not_tried_again_until_requeued(world: World) -> None:
    world.arrive("bad", "fail")
    world.work()
    key = next(iter(world.store.keys("items/sentinel-2-l2a/")))
    world.bus.publish(OBJECTS, key, hint(key))
    world.work()
    assert world.attempts("bad") == 3
    for failure in list(world.store.keys("failures/")):
        world.store.delete(failure)
    world.bus.publish(OBJECTS, key, hint(key))
    world.work()
    assert world.attempts("bad") == 6


def test_a_bad_deploy_stops_the_stage(world: World) -> None:
    for n in range(UNEXPECTED_IN_A_ROW + 3):
        world.arrive(f"p{n:02d}", "fail")
    with pytest.raises(StageStopped, match=r"10 failures in a row of builtins\.KeyError"):
        world.work()
    assert len(world.failures()) == UNEXPECTED_IN_A_ROW


def test_a_broken_picture_is_recorded_as_such(world: World) -> None:
    world.arrive("bad", "torn")
    world.arrive("refused", "reject")
    world.work()
    assert {r["id"].split("--")[0]: r["broken"] for r in world.failures()} == {"bad": True, "refused": False}
    catalogue = world.context.reader.snapshot()
    assert [i.product for i in catalogue.walk("sentinel-2-l2a") if catalogue.is_broken(i)] == ["bad"]


def test_refusals_never_stop_the_stage(world: World) -> None:
    for n in range(UNEXPECTED_IN_A_ROW + 3):
        world.arrive(f"p{n:02d}", "reject")
    world.work()
    assert len(world.failures()) == UNEXPECTED_IN_A_ROW + 3


def test_events_of_others_and_nonsense_are_passed_over(world: World) -> None:
    world.bus.publish(OBJECTS, "x", b"nonsense")
    for key in (
        "items/models/static/m--v1-00000000.json",
        "artifacts/x",
        "items/sentinel-2-l2a/2018-W01/gone--v1-00000000.json",
    ):
        world.bus.publish(OBJECTS, key, hint(key))
    world.arrive("a", "work")
    world.work()
    assert (world.outputs(), world.failures()) == (["a"], [])


def test_a_damaged_artifact_is_found(world: World) -> None:
    world.arrive("a", "work", b"hello")
    (key,) = world.store.keys("artifacts/")
    (world.store.root / key).write_bytes(b"hellO")
    world.work()
    (record,) = world.failures()
    assert "sha256" in record["message"]
    assert key in record["message"]


def test_stop_gives_the_job_back(world: World) -> None:
    world.arrive("a", "hang")
    thread = threading.Thread(target=world.runner.run)
    thread.start()
    while not world.attempts("a"):
        time.sleep(0.02)
    world.context.stop.set()
    thread.join(20)
    assert not thread.is_alive()
    assert world.bus.lag(OBJECTS, world.context.group(STAGE.name)) == 1
    assert (world.outputs(), world.failures(), list(world.store.work.glob("*/"))) == ([], [], [])


def test_an_event_whose_work_a_stop_prevents_is_not_acknowledged(world: World) -> None:
    world.arrive("a", "work")
    (key,) = world.store.keys("items/sentinel-2-l2a/")
    item = Item.parse(world.store.get(key), WEEK)
    world.context.stop.set()
    with pytest.raises(Stopped):
        world.runner.work_on(item)


def test_an_event_of_what_is_no_item_is_left_alone(world: World) -> None:
    world.store.put(f"items/sentinel-2-l2a/{WEEK}/x--v1-00000000.json", b"[]")
    world.arrive("a", "work")
    world.work()
    assert (world.outputs(), world.failures()) == (["a"], [])


def test_a_full_disk_is_no_fault_of_a_product(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.run.runner.STORE_AWAY_S", 0.1)
    world.arrive("a", "full", b"hello")
    world.work()
    assert world.outputs() == ["a"]
    assert world.attempts("a") == 2
    assert world.failures() == []
    (line,) = world.full
    assert "the disk is full" in line
    assert str(world.store.root) in line


def test_a_run_may_end_on_a_full_disk_and_its_work_is_as_due_as_before(world: World) -> None:
    world.ends_when_full = True
    world.arrive("a", "full", b"hello")
    world.work()
    assert (world.outputs(), world.failures()) == ([], [])
    assert list(due_sources(STAGE, world.context))
    assert not list(world.store.work.iterdir())


def test_a_read_only_store_is_no_fault_of_a_product(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    world.ends_when_full = True
    world.arrive("a", "work", b"hello")
    monkeypatch.setattr("shared.store.folder._write", refuse)
    world.work()
    assert (world.outputs(), world.failures()) == ([], [])
    (line,) = world.full
    assert "the disk is read-only" in line


def test_an_unexpected_error_counts_as_a_full_disk_where_there_is_no_room(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.ends_when_full = True
    monkeypatch.setattr("shared.store.space.free_bytes", lambda folder: 3)
    world.arrive("a", "fail", b"hello")
    world.work()
    assert world.failures() == []
    assert len(world.full) == 1
