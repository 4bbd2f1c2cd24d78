"""What inference plans: a map for each sheet and week that a promotion or an update concerns."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from services.inference.stage import STAGE, InferenceSettings, is_wanted
from shared.area import Area
from shared.items.catalogue import Catalogue
from shared.items.item import Item
from shared.items.partition import MemoryShelf, Partition
from shared.items.tiles import week_tiles
from shared.stage import Job, registry
from shared.stage.due import State, job_digest, planned
from tests.catalogues import AREA, CountingCatalogue, catalogue_of, make, promotion

WIDE = AREA.model_copy(update={"grid_spec": AREA.grid_spec.model_copy(update={"rows": 70, "cols": 70})})


def make_update(product: str, week: str, row: int, sensor: str = "msi") -> Item:
    return make("cube-updates", product, week=week, sensor=sensor, product=product, tiles=[[row, 0, 3]])


UPDATES = (
    make_update("S2A_1", "2018-W20", 0),
    make_update("S2B_1", "2018-W22", 31),
    make_update("S2A_2", "2018-W22", 32),
)
MODEL = make("models", "small", week="static", cube_state="x")
OTHER = make("models", "small", week="static", version=2, cube_state="y")
PROMOTION = promotion(MODEL, 1)
STORE = (*UPDATES, MODEL, PROMOTION)


def plan(item: Item, *items: Item, area: Area = WIDE) -> list[Job]:
    return STAGE.plan(item, catalogue_of(items, area), area, STAGE.settings())


def test_without_a_champion_nothing_is_mapped() -> None:
    assert plan(UPDATES[0], *UPDATES) == []
    assert plan(UPDATES[0], *UPDATES, MODEL) == []


def test_a_promotion_maps_everything_newest_first() -> None:
    jobs = plan(PROMOTION, *STORE, OTHER)
    assert [(j.parameters["sheet"], j.week) for j in jobs] == [
        ([0, 0], "2018-W22"), ([1, 0], "2018-W22"), ([0, 0], "2018-W20"),
    ]  # fmt: skip
    ledger = week_tiles(catalogue_of(STORE, WIDE), "2018-W22").ledger_digest((1, 0))
    assert ledger is not None
    assert jobs[1].product == f"small_2018-W22_r01c00_{ledger}"
    assert (jobs[1].inputs[0].item.id, jobs[1].inputs[0].assets) == (MODEL.id, ("model",))
    assert {s.item.id for s in jobs[1].inputs[1:]} == {UPDATES[1].id, UPDATES[2].id}
    assert plan(PROMOTION, *STORE, OTHER, promotion(OTHER, 2)) == []


def map_of(ledger: str | None, model: Item = MODEL, version: int = 1, week: str = "2018-W20") -> Item:
    inputs = [model, *(u for u in UPDATES if u.week == week)]
    return make(
        "land-cover-maps", f"small_{week}_r00c00_{ledger}", inputs, week=week, version=version,
        sheet=[0, 0], ledger=ledger, model=model.id,
    )  # fmt: skip


def test_a_new_champion_maps_the_last_weeks_and_what_has_no_map() -> None:
    last = WIDE.model_copy(update={"remap": 1})
    ledger = week_tiles(catalogue_of(STORE, last), "2018-W20").ledger_digest((0, 0))

    def due(*maps: Item) -> list[tuple[list[int], str]]:
        catalogue = catalogue_of((*STORE, *maps), last)
        jobs = planned(STAGE, UPDATES, catalogue, STAGE.settings())
        return sorted((j.job.parameters["sheet"], j.job.week) for j in jobs if j.state is State.DUE)

    newest = [([0, 0], "2018-W22"), ([1, 0], "2018-W22")]
    assert due(map_of(ledger)) == newest
    assert due(map_of("of an older ledger")) == due() == [([0, 0], "2018-W20"), *newest]


class Looked(MemoryShelf):
    """Items, and which weeks were looked into."""

    def __init__(self, items: Iterable[Item]) -> None:
        super().__init__(items)
        self.weeks_asked: set[str] = set()

    def partition(self, collection: str, week: str) -> Partition:
        """See `Shelf.partition`."""
        self.weeks_asked.add(week)
        return super().partition(collection, week)


@pytest.mark.parametrize("remap", [0, 1, 3, 100])
def test_a_promotion_looks_into_no_older_weeks_than_are_mapped_again(remap: int) -> None:
    area = WIDE.model_copy(update={"remap": remap})
    weeks = [f"2018-W{n:02d}" for n in range(1, 31)]
    shelf = Looked([*(make_update(f"S2A_{week}", week, 0) for week in weeks), MODEL, PROMOTION])
    catalogue = Catalogue(shelf, area, registry.rules())
    assert [j.week for j in STAGE.plan(PROMOTION, catalogue, area, STAGE.settings())] == weeks[::-1][:remap]
    assert shelf.weeks_asked == {"static", *weeks[::-1][:remap]}


def test_the_current_map_is_of_the_model_promoted_last_among_those_that_fit() -> None:
    ledger = week_tiles(catalogue_of(STORE, WIDE), "2018-W20").ledger_digest((0, 0))
    old, new, stale, trial = (
        map_of(ledger),
        map_of(ledger, OTHER),
        map_of("stale", OTHER),
        make("models", "small", week="static", version=3),
    )
    never = map_of(ledger, trial)
    history = [promotion(OTHER, 2), promotion(MODEL, 3)]
    for promotions, expected in (([], old), (history[:1], new), (history, old)):
        catalogue = catalogue_of((*STORE, OTHER, trial, old, new, stale, never, *promotions), WIDE)
        assert catalogue.current("land-cover-maps", "2018-W20") == [expected]


def test_each_map_of_a_sheet_and_week_is_looked_at_once() -> None:
    ledger = week_tiles(catalogue_of(STORE, WIDE), "2018-W20").ledger_digest((0, 0))
    models = [make("models", "small", week="static", version=v) for v in range(2, 42)]
    maps = [map_of(ledger, m) for m in models]
    history = [promotion(m, n) for n, m in enumerate(models, 2)]
    catalogue = CountingCatalogue((*STORE, *models, *maps, *history), WIDE)
    assert catalogue.current("land-cover-maps", "2018-W20") == [maps[-1]]
    assert catalogue.followed["land-cover-maps"] == len(maps)
    assert catalogue.found["promotions"] <= 1 + len(history)
    catalogue.let_go("2018-W20")
    assert catalogue.current("land-cover-maps", "2018-W20") == [maps[-1]]
    assert catalogue.followed["land-cover-maps"] == 2 * len(maps)
    assert catalogue.found["promotions"] <= 1 + len(history)


def test_an_update_maps_the_sheets_whose_halo_it_touches() -> None:
    assert [j.parameters["sheet"] for j in plan(UPDATES[1], *STORE)] == [[0, 0], [1, 0]]
    assert [j.parameters["sheet"] for j in plan(UPDATES[0], *STORE)] == [[0, 0]]


def test_olci_changes_no_map() -> None:
    update = make_update("S3A", "2018-W20", 0, sensor="olci")
    assert plan(update, *STORE, update) == []


def test_a_map_is_wanted_while_champion_and_ledger_are_the_same() -> None:
    job = plan(PROMOTION, *STORE)[0]
    more = make_update("S2C", "2018-W22", 5)
    assert is_wanted(job, catalogue_of(STORE, WIDE))
    assert not is_wanted(job, catalogue_of((*STORE, more), WIDE))
    assert not is_wanted(job, catalogue_of((*STORE, OTHER, promotion(OTHER, 2)), WIDE))


def test_a_given_server_needs_no_model_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANDSTREAM_INFERENCE_SERVING_ADDRESS", "serving:8500")
    settings = STAGE.settings()
    jobs = STAGE.plan(PROMOTION, catalogue_of(STORE, WIDE), WIDE, settings)
    assert all(j.inputs[0].assets == () for j in jobs)
    assert settings.result_bearing() == InferenceSettings().result_bearing() == {"overlap_px": 64}


ASKED = WIDE.model_copy(update={"applicability": True})


def with_layer(item: Item) -> Item:
    """An item with the asset that says where a model applies."""
    return Item({**item.json, "assets": {"applicability": {"href": "x"}}}, item.week)


def test_maps_carry_a_layer_of_the_area_of_applicability_on_request() -> None:
    known = with_layer(MODEL)
    store = (*UPDATES, known, PROMOTION)
    plain = plan(PROMOTION, *store)
    asked = plan(PROMOTION, *store, area=ASKED)
    unknown = plan(PROMOTION, *STORE, area=ASKED)
    for job, without, of_other in zip(asked, plain, unknown, strict=True):
        assert job.parameters == {**without.parameters, "applicability": True}
        assert job.inputs[0].assets == ("model", "applicability")
        assert without.inputs[0].assets == of_other.inputs[0].assets == ("model",)
        assert set(without.parameters) == {"sheet", "ledger"}, "maps of before keep their ids"
        digests = [job_digest(STAGE, j, STAGE.settings()) for j in (job, without, of_other)]
        assert digests[0] != digests[1] == digests[2]


def test_of_two_maps_of_a_model_the_one_with_the_layer_is_current() -> None:
    ledger = week_tiles(catalogue_of(STORE, WIDE), "2018-W20").ledger_digest((0, 0))
    plain = map_of(ledger)
    for digest in ("00000000", "ffffffff"):
        json = {**plain.json, "id": f"{plain.id.rpartition('-')[0]}-{digest}"}
        layered = with_layer(Item(json, plain.week))
        for area in (WIDE, ASKED):
            assert catalogue_of((*STORE, plain, layered), area).current("land-cover-maps", "2018-W20") == [layered]
