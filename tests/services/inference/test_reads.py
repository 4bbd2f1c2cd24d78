"""What a map reads, and which maps an update changes."""

from __future__ import annotations

import numpy as np
import pytest

from services.inference.current_map import is_mapped
from services.inference.reads import expected_ledger, held_ledger
from services.inference.stage import STAGE, is_wanted
from shared.area.training import TrainingSettings
from shared.items.ids import product_number
from shared.items.item import Item
from shared.items.model_inputs import describe_inputs, inputs_of_area, inputs_of_model
from shared.items.summary import present_state, week_token
from shared.items.tiles import digest_ledger, sheet_window
from shared.items.weeks import weeks_apart
from shared.stage import Job
from tests.catalogues import AREA, catalogue_of, make, promotion


def update(product: str, week: str, sensor: str = "msi", row: int = 0) -> Item:
    return make("cube-updates", product, week=week, sensor=sensor, product=product, tiles=[[row, 0, 1]])


def model(version: int = 1, *names: str, history: int = 0) -> Item:
    made = make("models", "small", week="static", version=version)
    settings = TrainingSettings(inputs=names or ("msi_10m", "msi_20m"), history_weeks=history)
    made.properties["mlm:input"] = describe_inputs(inputs_of_area(AREA, settings))
    return made


LOOKING_BACK = model(1, history=2)
WITH_OLCI = model(2, "msi_10m", "olci_300m")
ALONE = model(3)
UPDATES = [update(f"S2A_{week}", f"2018-W{week}") for week in (18, 19, 21, 24)]
FRAME = update("S3A_19", "2018-W19", "olci")


def plan(item: Item, champion: Item, *items: Item) -> list[Job]:
    catalogue = catalogue_of([*UPDATES, champion, promotion(champion, 1), *items])
    return STAGE.plan(item, catalogue, AREA, STAGE.settings())


def test_an_update_changes_the_maps_of_its_week_and_of_those_that_look_back() -> None:
    assert [j.week for j in plan(UPDATES[1], LOOKING_BACK)] == ["2018-W19", "2018-W21"]
    assert [j.week for j in plan(UPDATES[0], LOOKING_BACK)] == ["2018-W18", "2018-W19"]
    assert [j.week for j in plan(UPDATES[3], LOOKING_BACK)] == ["2018-W24"]
    assert [j.week for j in plan(UPDATES[1], ALONE)] == ["2018-W19"]


def test_a_map_is_made_of_the_updates_of_all_the_weeks_that_it_reads_and_of_no_later_one() -> None:
    (job,) = (j for j in plan(UPDATES[2], LOOKING_BACK) if j.week == "2018-W21")
    assert {s.item.id for s in job.inputs[1:]} == {UPDATES[1].id, UPDATES[2].id}
    (first,) = (j for j in plan(UPDATES[0], LOOKING_BACK) if j.week == "2018-W18")
    assert {s.item.id for s in first.inputs[1:]} == {UPDATES[0].id}
    again = update("S2B_19", "2018-W19")
    (changed,) = (j for j in plan(UPDATES[2], LOOKING_BACK, again) if j.week == "2018-W21")
    assert changed.parameters["ledger"] != job.parameters["ledger"], "another scene of an earlier week"
    later = update("S2B_24", "2018-W24")
    assert plan(UPDATES[2], LOOKING_BACK, later) == plan(UPDATES[2], LOOKING_BACK)


def test_olci_changes_the_maps_of_models_that_read_it() -> None:
    assert [j.week for j in plan(FRAME, WITH_OLCI, FRAME)] == ["2018-W19"]
    assert plan(FRAME, ALONE, FRAME) == []
    assert plan(FRAME, LOOKING_BACK, FRAME) == []
    (without,) = plan(UPDATES[1], WITH_OLCI)
    (with_frame,) = plan(UPDATES[1], WITH_OLCI, FRAME)
    assert without.parameters["ledger"] != with_frame.parameters["ledger"]
    assert FRAME.id in {s.item.id for s in with_frame.inputs}


def map_of(job: Job, by: Item) -> Item:
    return make(
        "land-cover-maps", job.product, [s.item for s in job.inputs], week=job.week,
        sheet=job.parameters["sheet"], ledger=job.parameters["ledger"], model=by.id,
    )  # fmt: skip


def test_a_map_is_current_until_a_week_that_it_reads_changes() -> None:
    (job,) = (j for j in plan(UPDATES[2], LOOKING_BACK) if j.week == "2018-W21")
    made = map_of(job, LOOKING_BACK)
    store = [*UPDATES, LOOKING_BACK, promotion(LOOKING_BACK, 1), made]
    catalogue = catalogue_of(store)
    assert catalogue.current("land-cover-maps", "2018-W21") == [made]
    assert is_mapped((0, 0), "2018-W21", catalogue)
    assert is_wanted(job, catalogue)
    more = catalogue_of([*store, update("S2B_19", "2018-W19")])
    assert more.current("land-cover-maps", "2018-W21") == []
    assert not is_mapped((0, 0), "2018-W21", more)
    assert not is_wanted(job, more)
    unread = catalogue_of([*store, update("S2B_18", "2018-W18"), FRAME])
    assert unread.current("land-cover-maps", "2018-W21") == [made]


def test_of_two_champions_that_read_differently_the_last_ones_map_is_current() -> None:
    (first,), (second,) = plan(UPDATES[3], ALONE), plan(UPDATES[3], LOOKING_BACK)
    old, new = map_of(first, ALONE), map_of(second, LOOKING_BACK)
    assert old.id != new.id
    models = [ALONE, LOOKING_BACK, promotion(ALONE, 1)]
    assert catalogue_of([*UPDATES, *models, old, new]).current("land-cover-maps", "2018-W24") == [old]
    after = catalogue_of([*UPDATES, *models, promotion(LOOKING_BACK, 2), old, new])
    assert after.current("land-cover-maps", "2018-W24") == [new]


def test_a_map_of_an_older_champion_does_not_stand_in_for_the_later_ones() -> None:
    """It fits still, as it reads less, when a week changes that the later one's map was made of."""
    (first,), (second,) = ([j for j in plan(UPDATES[2], by) if j.week == "2018-W21"] for by in (ALONE, LOOKING_BACK))
    maps = [map_of(first, ALONE), map_of(second, LOOKING_BACK)]
    models = [ALONE, LOOKING_BACK, promotion(ALONE, 1), promotion(LOOKING_BACK, 2)]
    last = AREA.model_copy(update={"remap": 1})
    late = update("S2B_19", "2018-W19")
    for more, due in (([], []), ([late], ["2018-W19", "2018-W21"])):
        catalogue = catalogue_of([*UPDATES, *models, *maps, *more], last)
        assert is_mapped((0, 0), "2018-W21", catalogue) is not bool(more)
        if more:
            assert [j.week for j in STAGE.plan(late, catalogue, last, STAGE.settings())] == due


def test_who_walks_over_the_weeks_holds_a_few_of_them() -> None:
    weeks = [f"2018-W{n:02d}" for n in range(1, 41)]
    items = [update(f"S2A_{week}", week) for week in weeks]
    area = AREA.model_copy(update={"training": TrainingSettings(history_weeks=2), "remap": 100})
    catalogue = catalogue_of([*items, LOOKING_BACK, promotion(LOOKING_BACK, 1)], area)
    jobs = STAGE.plan(promotion(LOOKING_BACK, 1), catalogue, area, STAGE.settings())
    assert [j.week for j in jobs] == weeks[::-1]
    held = {week for week, _ in catalogue.memo} - {"static"}
    assert all(weeks_apart(week, weeks[0]) <= 2 for week in held)


class Cube:
    """The ledgers that the tiler writes of updates."""

    def __init__(self, *updates: Item) -> None:
        self._catalogue = catalogue_of(updates)

    def ledger_digest(self, sheet: tuple[int, int], week: str, sensor: str) -> str:
        rows, cols = sheet_window(sheet, AREA.grid)
        ledger = np.zeros((AREA.grid.rows, AREA.grid.cols, 32), np.uint64)
        updates = [
            u for u in self._catalogue.items("cube-updates", week) if u.properties["landstream:sensor"] == sensor
        ]
        numbers = sorted(product_number(u.properties["landstream:product"]) for u in updates)
        ledger[0, :2, : len(numbers)] = numbers
        return digest_ledger(ledger[rows.start : rows.stop, cols.start : cols.stop])


@pytest.mark.parametrize("by", [ALONE, LOOKING_BACK, WITH_OLCI], ids=["alone", "looking back", "with OLCI"])
@pytest.mark.parametrize("week", ["2018-W18", "2018-W19", "2018-W21"])
def test_cube_and_catalogue_tell_the_same_ledger(by: Item, week: str) -> None:
    items, inputs = [*UPDATES, FRAME], inputs_of_model(by)
    expected = expected_ledger((0, 0), week, inputs, catalogue_of(items))
    assert expected == held_ledger((0, 0), week, inputs, Cube(*items))


def test_the_state_of_the_cube_holds_what_training_reads() -> None:
    reading = AREA.model_copy(update={"training": TrainingSettings(inputs=("msi_10m", "olci_300m"))})
    assert present_state(catalogue_of(UPDATES)) == present_state(catalogue_of([*UPDATES, FRAME]))
    assert present_state(catalogue_of(UPDATES, reading)) != present_state(catalogue_of([*UPDATES, FRAME], reading))


def test_a_weeks_summary_is_made_anew_as_a_week_changes_that_its_maps_read() -> None:
    back = AREA.model_copy(update={"training": TrainingSettings(history_weeks=2)})
    for area, changes in ((AREA, False), (back, True)):
        before, after = (catalogue_of([*UPDATES, *more], area) for more in ((), (update("S2B_19", "2018-W19"),)))
        assert (week_token(before, "2018-W21") != week_token(after, "2018-W21")) is changes
        assert week_token(before, "2018-W24") == week_token(after, "2018-W24")
