"""What is due is found and hinted, week after week, whatever events did."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from services.sweeper.sweep import Sweep
from services.sweeper.sweeper import Sweeper
from services.sweeper.view import Count
from shared.area.training import TrainingPolicy, TrainingSettings
from shared.bus import OBJECTS, MemoryBus
from shared.events import parse
from shared.items.ids import canonical
from shared.items.item import Item
from shared.items.keys import failure_key, item_key
from shared.items.model_inputs import describe_inputs, inputs_of_area
from shared.items.stac import make_item
from shared.items.summary import present_state
from shared.run.context import Context
from shared.stage import Collection, registry
from shared.stage.due import State, planned, sources_of
from shared.store import FolderStore
from tests.catalogues import item as an_item
from tests.catalogues import make, promotion
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


def numbers(count: Count) -> tuple[int, int, int]:
    return count.done, count.failed, len(count.due)


def test_what_is_due_is_hinted_after_the_grace_with_doubling_gaps(world: World) -> None:
    world.arrive("a", "work")
    hinted(world.bus)
    now = [0.0]
    sweep = Sweep([STAGE], world.context, grace_s=10, clock=lambda: now[0])
    times = []
    for second in range(60):
        now[0] = float(second)
        if sweep.hints.give(sweep.look()):
            times.append(second)
            assert len(hinted(world.bus)) == 1
    assert times == [10, 12, 16, 24, 40]


def test_what_is_done_is_hinted_no_more(world: World) -> None:
    world.arrive("a", "work")
    sweep = Sweep([STAGE], world.context, grace_s=0)
    assert sweep.hints.give(sweep.look()) == 1
    world.work()
    counts = sweep.look()
    assert sweep.hints.give(counts) == 0
    assert numbers(counts["fake"]) == (1, 0, 0)


def test_a_failed_job_is_counted_and_due_again_without_its_record(world: World) -> None:
    world.arrive("a", "reject")
    world.work()
    sweep = Sweep([STAGE], world.context)
    assert numbers(sweep.look()["fake"]) == (0, 1, 0)
    for key in list(world.store.keys("failures/")):
        world.store.delete(key)
    assert numbers(sweep.look()["fake"]) == (0, 0, 1)


def put(store: FolderStore, collection: str, product: str, week: str = WEEK, **properties: object) -> None:
    item_id = f"{product}--v1-00000000"
    item = make_item(
        collection=collection, week=week, item_id=item_id, geometry=POLYGON, bbox=(0, 0, 1, 1),
        properties={"datetime": "2018-06-04T00:00:00Z", **properties}, assets={}, inputs=[],
        stage="test", stage_version=1,
    )  # fmt: skip
    store.put(item_key(collection, week, item_id), canonical(item))


def busy(world: World, weeks: int = 5) -> None:
    """Labels and some weeks of merged scenes; one scene more is due."""
    clc = {"landstream:label_source": world.area.labels.source, "landstream:reference_year": 2018}
    put(world.store, "label-polygons", "clc", "static", **clc, **{"landstream:campaign": "", "landstream:release": ""})
    raster = make_item(
        collection="land-cover-labels", week="static", item_id="clc--v1-00000000", geometry=POLYGON,
        bbox=(0, 0, 1, 1), properties={"datetime": "2018-06-04T00:00:00Z"}, assets={},
        inputs=[deliveries(world)[0]], stage="test", stage_version=1,
    )  # fmt: skip
    world.store.put(item_key("land-cover-labels", "static", "clc--v1-00000000"), canonical(raster))
    for n in range(weeks):
        update = {"landstream:sensor": "msi", "landstream:product": str(n), "landstream:tiles": [[n % 5, 0, 9]]}
        put(world.store, "cube-updates", str(n), f"2018-W{20 + n}", **update)
    for n in range(5):
        world.arrive(f"scene-{n}", "work")
    hinted(world.bus)


def deliveries(world: World) -> list[Item]:
    return world.context.reader.snapshot().items("label-polygons")


def sweeper_of(world: World, every: int = 10_000) -> Sweeper:
    """A sweeper without patience, whose one stage feeds the cube."""
    area = world.area.model_copy(update={"train": TrainingPolicy(quiet_s=0.0, every_tile_weeks=every)})
    feeding = replace(STAGE, publishes=(*STAGE.publishes, Collection("cube-updates", "", "")))
    return Sweeper([feeding], replace(world.context, area=area), grace_s=0.0)


def requests_of(world: World) -> list[Item]:
    return world.context.reader.snapshot().items("training-requests")


def test_a_sweeper_short_of_time_comes_to_everything_and_trains_on_the_whole(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.sweeper.sweeper.LOOK_S", -1.0)
    busy(world)
    sweeper = sweeper_of(world)
    for _ in range(40):
        sweeper.round()
    assert len({key for key in hinted(world.bus) if "scene-" in key}) == 5
    assert requests_of(world) == []
    for job in sweeper.driver.sweep.counts()["fake"].due:
        world.store.put(failure_key("fake", job.id), b"{}")
    for _ in range(40):
        sweeper.round()
    (request,) = requests_of(world)
    assert request.properties["landstream:cube_state"] == present_state(world.context.reader.snapshot())


def test_a_week_that_was_not_looked_at_gives_no_hint_and_no_training(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.sweeper.sweeper.LOOK_S", -1.0)
    busy(world)
    sweeper = sweeper_of(world, every=1)
    assert sweeper.round() == 0, "the newest of six weeks holds nothing that is due"
    assert (sweeper.driver.sweep.whole, requests_of(world)) == (False, [])


def test_training_as_the_stream_flows_survives_a_restart_of_the_sweeper(world: World) -> None:
    busy(world)
    sweeper_of(world, every=40).round()
    assert len(requests_of(world)) == 1
    update = {"landstream:sensor": "msi", "landstream:product": "more", "landstream:tiles": [[9, 0, 9]]}
    put(world.store, "cube-updates", "more", **update)
    sweeper_of(world, every=40).round()
    assert len(requests_of(world)) == 1, "ten tile-weeks more are not forty"


def test_a_settled_week_is_looked_at_again_in_its_turn(world: World) -> None:
    busy(world, weeks=30)
    sweeper = sweeper_of(world)
    sweeper.round()
    world.store.put(failure_key("fake", "x--00000000"), b"{}")
    before = dict(sweeper.driver.sweep._visited)
    for _ in range(5):
        sweeper.round()
    after = sweeper.driver.sweep._visited
    assert all(after[week] > before[week] for week in before if week != WEEK)


def test_a_round_gives_so_many_hints_and_the_next_the_rest(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.sweeper.hints.HINTS_A_ROUND", 3)
    busy(world)
    sweeper = sweeper_of(world)
    assert [sweeper.round() for _ in range(2)] == [3, 2]


def test_hints_that_the_bus_lost_are_given_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    busy(world)
    sweeper = sweeper_of(world)
    assert [sweeper.round() for _ in range(2)] == [5, 0]
    monkeypatch.setattr(world.bus, "ensure_topics", lambda: True)
    assert sweeper.round() == 5


def test_what_is_not_an_item_is_told_and_left_alone(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.store.put("items/README.md", b"hello")
    world.store.put(f"items/sentinel-2-l2a/{WEEK}/x--v1-00000000.json", b"[]")
    busy(world)
    sweeper = sweeper_of(world)
    assert [sweeper.round() for _ in range(2)] == [5, 0]
    assert capsys.readouterr().out.count("left alone") == 2


def land(world: World, name: str, data: bytes = b"x") -> None:
    world.store.put(f"landing/{name}", data)
    hinted(world.bus)


def test_a_unit_is_opened_until_it_has_its_receipt_and_again_in_its_turn(world: World) -> None:
    ingest = registry.load("ingest")
    for name in ("one.zip", "two.zip"):
        land(world, name)
    sweep = Sweep([ingest], world.context, grace_s=0)
    assert numbers(sweep.look()["ingest"]) == (0, 0, 2)
    unit = world.context.unit("one.zip")
    assert unit is not None
    world.store.put(f"receipts/one.zip/{unit.receipt_id}.json", b"{}")
    assert numbers(sweep.look()["ingest"]) == (1, 0, 1)
    land(world, "one.zip", b"delivered anew")
    assert numbers(sweep.look()["ingest"]) == (0, 0, 2)
    assert numbers(Sweep([ingest], world.context).look()["ingest"]) == (0, 0, 2)


def test_a_folder_of_unusable_names_alone_holds_nothing_up(world: World) -> None:
    busy(world)
    folder = world.store.root / "landing" / "pictures"
    folder.mkdir(parents=True)
    (folder / "Prüfung.tif").write_bytes(b"x")
    sweep = Sweep([registry.load("ingest")], world.context)
    sweep.look()
    assert sweep.whole
    land(world, "pictures/map.tif")
    assert numbers(sweep.look()["ingest"]) == (0, 0, 1)


def put_item(store: FolderStore, item: Item) -> None:
    store.put(item.key, canonical(item.json))


def test_a_week_that_is_no_longer_among_the_newest_is_hinted_no_more(world: World) -> None:
    area = world.area.model_copy(update={"remap": 2})
    context, inference = Context.of_store(world.store, area), registry.load("inference")
    old, new = (make("models", "small", week="static", version=v) for v in (1, 2))
    for item in (old, new, promotion(old, 1)):
        put_item(world.store, item)

    def arrive(week: str) -> None:
        put_item(world.store, make("cube-updates", week, week=week, sensor="msi", product=week, tiles=[[0, 0, 3]]))

    for week in ("2018-W20", "2018-W21"):
        arrive(week)
        catalogue = context.reader.snapshot()
        for job in planned(inference, sources_of(inference, catalogue, week), catalogue, inference.settings()):
            inputs, notes = [source.item for source in job.job.inputs], job.job.parameters
            put_item(
                world.store,
                an_item(
                    "land-cover-maps", job.output_id, inputs, week, sheet=[0, 0], ledger=notes["ledger"], model=old.id
                ),
            )
    sweep = Sweep([inference], context)
    assert numbers(sweep.look()["inference"]) == (2, 0, 0)
    put_item(world.store, promotion(new, 2))

    def due() -> list[str]:
        return sorted(job.week for job in sweep.look(everything=True)["inference"].due)

    assert due() == ["2018-W20", "2018-W21"]
    arrive("2018-W22")
    assert due() == ["2018-W21", "2018-W22"]


def test_a_late_scene_is_due_in_each_week_that_looks_back_to_it_until_it_is_mapped_there(world: World) -> None:
    settings = TrainingSettings(history_weeks=2)
    area = world.area.model_copy(update={"training": settings})
    context, inference = Context.of_store(world.store, area), registry.load("inference")
    model = make("models", "small", week="static")
    model.properties["mlm:input"] = describe_inputs(inputs_of_area(area, settings))
    for item in (model, promotion(model, 1)):
        put_item(world.store, item)

    def arrive(product: str, week: str) -> None:
        put_item(
            world.store, make("cube-updates", product, week=week, sensor="msi", product=product, tiles=[[0, 0, 3]])
        )

    def map_week(week: str) -> None:
        catalogue = context.reader.snapshot()
        for job in planned(inference, sources_of(inference, catalogue, week), catalogue, inference.settings()):
            if job.job.week == week and job.state is State.DUE:
                inputs, said = [source.item for source in job.job.inputs], job.job.parameters
                facts = {"sheet": [0, 0], "ledger": said["ledger"], "model": model.id}
                put_item(world.store, an_item("land-cover-maps", job.output_id, inputs, week, **facts))

    weeks = ["2018-W20", "2018-W21", "2018-W23"]
    for week in weeks:
        arrive(f"S2A_{week}", week)
    sweep = Sweep([inference], context)

    def counted() -> tuple[int, list[str]]:
        count = sweep.look()["inference"]
        return count.done, sorted(job.week for job in count.due)

    assert counted() == (0, weeks)
    for week, left in (("2018-W21", [weeks[0], weeks[2]]), ("2018-W20", [weeks[2]]), ("2018-W23", [])):
        map_week(week)
        assert counted() == (3 - len(left), left)
    arrive("S2B_late", "2018-W21")
    sweep.touch("2018-W21")
    assert counted()[1] == weeks[1:], "2018-W20 does not look ahead"
    map_week("2018-W21")
    assert counted()[1] == weeks[2:]
    map_week("2018-W23")
    assert counted()[1] == []


def test_what_has_no_week_is_touched_as_well(world: World) -> None:
    sweep = Sweep([STAGE], world.context)
    sweep.touch("static")
    assert sweep.look() is not None
