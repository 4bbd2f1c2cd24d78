from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pystac
import pytest

from services.sweeper import Sweep, nothing_to_train_on, refresh_collections, request_training
from services.sweeper.sweeper import Sweeper
from shared.bus import OBJECTS, MemoryBus
from shared.events import parse
from shared.items.item import Item
from shared.items.keys import canonical, failure_key, item_key
from shared.items.reader import CatalogueReader
from shared.items.stac import make_item
from shared.run.context import Context
from shared.stage.due import Survey
from shared.store import FolderStore
from tests.shared.run.fake import STAGE
from tests.shared.run.test_runner import POLYGON, WEEK, World


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "store")


def hinted(bus: MemoryBus) -> list[str]:
    consumer, keys = bus.subscribe(OBJECTS, "test"), []
    while message := consumer.poll(0):
        keys.append(parse(message.value).key)
        consumer.ack(message)
    consumer.close()
    return keys


def survey(sweep: Sweep, world: World) -> dict[str, Survey]:
    return sweep.survey(world.context.reader.snapshot(), world.context.units())


def test_what_is_due_is_hinted_after_the_grace_with_doubling_gaps(world: World) -> None:
    world.arrive("a", "work")
    hinted(world.bus)
    now = [0.0]
    sweep = Sweep([STAGE], world.context, grace_s=10, clock=lambda: now[0])
    times = []
    for second in range(60):
        now[0] = float(second)
        if sweep.hint(survey(sweep, world)):
            times.append(second)
            assert len(hinted(world.bus)) == 1
    assert times == [10, 12, 16, 24, 40]


def test_what_is_done_is_hinted_no_more(world: World) -> None:
    world.arrive("a", "work")
    sweep = Sweep([STAGE], world.context, grace_s=0)
    assert sweep.hint(survey(sweep, world)) == 1
    world.work()
    assert sweep.hint(survey(sweep, world)) == 0
    (counts,) = survey(sweep, world).values()
    assert (counts.done, counts.failed, counts.due) == (1, 0, [])


def test_a_failed_job_is_counted_and_not_due(world: World) -> None:
    world.arrive("a", "reject")
    world.work()
    (counts,) = survey(Sweep([STAGE], world.context), world).values()
    assert (counts.done, counts.failed, counts.due) == (0, 1, [])


def put(store: FolderStore, collection: str, product: str, week: str = WEEK, **properties: object) -> None:
    item_id = f"{product}--v1-00000000"
    item = make_item(
        collection=collection, week=week, item_id=item_id, geometry=POLYGON, bbox=(0, 0, 1, 1),
        properties={"datetime": "2018-06-04T00:00:00Z", **properties}, assets={}, inputs=[],
        stage="test", stage_version=1,
    )  # fmt: skip
    store.put(item_key(collection, week, item_id), canonical(item))


def test_training_is_requested_once_for_each_cube_state(world: World) -> None:
    store, area, reader = world.store, world.area, world.context.reader
    assert nothing_to_train_on(reader.snapshot()) == "no labels: nothing to train on"
    put(store, "cube-updates", "labels", "static", **{"landstream:sensor": "labels"})
    assert "no Sentinel-2 scene" in str(nothing_to_train_on(reader.snapshot()))
    assert not request_training(store, reader.snapshot(), area)
    for product, requests in (("a", 1), ("b", 2)):
        update = {"landstream:sensor": "msi", "landstream:product": product, "landstream:tiles": [[0, 0, 1]]}
        put(store, "cube-updates", product, **update)
        assert request_training(store, reader.snapshot(), area)
        assert not request_training(store, reader.snapshot(), area)
        assert len(reader.snapshot().items("training-requests")) == requests
        (request,) = reader.snapshot().current("training-requests")
        assert request.properties["landstream:cube_state"] == reader.snapshot().cube_state()


def busy(world: World) -> None:
    """Labels and five weeks of merged scenes; one scene more of each week is due."""
    put(world.store, "cube-updates", "labels", "static", **{"landstream:sensor": "labels", "landstream:tiles": []})
    for n in range(5):
        update = {"landstream:sensor": "msi", "landstream:product": str(n), "landstream:tiles": [[n, 0, 9]]}
        put(world.store, "cube-updates", str(n), f"2018-W2{n}", **update)
        world.arrive(f"scene-{n}", "work")
    hinted(world.bus)


def sweeper_of(world: World, every: int = 10_000) -> Sweeper:
    """A sweeper without patience, whose one stage feeds the cube."""
    policy = world.area.policy.model_copy(update={"quiet_s": 0.0, "every": every})
    area = world.area.model_copy(update={"policy": policy})
    return Sweeper([replace(STAGE, publishes=("cube-updates",))], replace(world.context, area=area), grace_s=0.0)


def requests_of(world: World) -> list[Item]:
    return world.context.reader.snapshot().items("training-requests")


def test_a_sweeper_short_of_time_comes_to_everything_and_trains_on_the_whole(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.sweeper.sweeper.LISTING_S", 0.0)
    monkeypatch.setattr("services.sweeper.sweeper.PLANNING_S", 0.0)
    monkeypatch.setattr("shared.items.reader.BATCH", 1)
    busy(world)
    sweeper = sweeper_of(world)
    for _ in range(40):
        sweeper.round()
    assert len({key for key in hinted(world.bus) if "scene-" in key}) == 5
    assert requests_of(world) == []
    for name in sweeper._sweep.due(survey(sweeper._sweep, world))["fake"]:
        world.store.put(failure_key("fake", name), b"{}")
    for _ in range(40):
        sweeper.round()
    (request,) = requests_of(world)
    assert request.properties["landstream:cube_state"] == world.context.reader.snapshot().cube_state()


def test_training_as_the_stream_flows_survives_a_restart_of_the_sweeper(world: World) -> None:
    busy(world)
    sweeper_of(world, every=40).round()
    assert len(requests_of(world)) == 1
    update = {"landstream:sensor": "msi", "landstream:product": "more", "landstream:tiles": [[9, 0, 9]]}
    put(world.store, "cube-updates", "more", **update)
    sweeper_of(world, every=40).round()
    assert len(requests_of(world)) == 1, "ten tile-weeks more are no forty"


def test_a_round_gives_so_many_hints_and_the_next_the_rest(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.sweeper.sweep.HINTS_A_ROUND", 3)
    busy(world)
    sweeper = sweeper_of(world)
    assert [sweeper.round() for _ in range(2)] == [3, 2]


def test_hints_that_the_bus_lost_are_given_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    busy(world)
    sweeper = sweeper_of(world)
    assert [sweeper.round() for _ in range(2)] == [5, 0]
    monkeypatch.setattr(world.bus, "prepare", lambda: True)
    assert sweeper.round() == 5


def test_what_is_no_item_is_told_and_left_alone(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.store.put("items/README.md", b"hello")
    world.store.put(f"items/sentinel-2-l2a/{WEEK}/x--v1-00000000.json", b"[]")
    busy(world)
    sweeper = sweeper_of(world)
    assert [sweeper.round() for _ in range(2)] == [5, 0]
    assert capsys.readouterr().out.count("left alone") == 2


def test_collections_follow_the_items(world: World) -> None:
    world.arrive("a", "work")
    refresh_collections(world.store, world.context.reader.snapshot(), world.area)
    first = world.store.head("sentinel-2-l2a/collection.json").etag
    refresh_collections(world.store, world.context.reader.snapshot(), world.area)
    assert world.store.head("sentinel-2-l2a/collection.json").etag == first
    world.arrive("b", "work")
    refresh_collections(world.store, world.context.reader.snapshot(), world.area)
    catalog = pystac.Catalog.from_file(world.store.root / "catalog.json")
    assert sorted(i.id[0] for i in catalog.get_items(recursive=True)) == ["a", "b"]
    collection = json.loads(world.store.get("sentinel-2-l2a/collection.json"))
    assert collection["license"]
    assert collection["extent"]["temporal"]["interval"] == [["2018-06-04T00:00:00Z", "2018-06-04T00:00:00Z"]]


def test_a_reader_of_its_own_sees_the_same(world: World) -> None:
    world.arrive("a", "work")
    other = CatalogueReader(world.store, world.area)
    assert [i.id for i in other.snapshot().items("sentinel-2-l2a")] == [
        i.id for i in world.context.reader.snapshot().items("sentinel-2-l2a")
    ]
    assert isinstance(world.context, Context)
