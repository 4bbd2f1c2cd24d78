from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import pytest

from shared.area import load_area
from shared.geo import TileIndex
from shared.items.catalogue import Catalogue, digest_ledger, in_halo, runs_of, tiles_of
from shared.items.item import Item
from shared.items.keys import digest8, make_id, product_number
from tests.conftest import AREAS

AREA = load_area(AREAS / "small.yaml")
WEEK = "2018-W23"


def make(
    collection: str, name: str, inputs: Sequence[Item] = (), /, *, version: int = 1, week: str = WEEK, **properties
):
    digest = digest8([name, [i.id for i in inputs]])
    json = {
        "id": make_id(name, version, digest),
        "collection": collection,
        "properties": {"landstream:inputs": [[i.collection, i.id] for i in inputs]}
        | {f"landstream:{key}": value for key, value in properties.items()},
        "assets": {},
    }
    return Item(json, week)


def scene(product: str, baseline: int, identity: str = "scene", **properties) -> Item:
    return make("sentinel-2-l2a", product, scene=identity, product_version=[baseline], product=product, **properties)


def chain(s: Item, tiles: list[list[int]]) -> list[Item]:
    """A scene, its mask and its cube update."""
    mask = make("cloud-masks", s.product, [s])
    update = make("cube-updates", s.product, [mask, s], sensor="msi", product=s.product, tiles=tiles)
    return [s, mask, update]


def labels(product: str, year: int, campaign: str = "2018", release: str = "1") -> Item:
    return make(
        "label-polygons", product, week="static", reference_year=year, campaign=campaign, release=release,
        label_source="clc", scene=product, product_version=[],
    )  # fmt: skip


def test_the_higher_baseline_supersedes_in_either_order_of_arrival() -> None:
    old, new = chain(scene("old", 206), [[0, 0, 1]]), chain(scene("new", 500), [[0, 0, 3]])
    for items in ([*old, *new], [*new, *old]):
        random.shuffle(items)
        catalogue = Catalogue(items, AREA)
        for collection in ("sentinel-2-l2a", "cloud-masks", "cube-updates"):
            assert [i.product for i in catalogue.current(collection)] == ["new"]
            assert len(catalogue.items(collection)) == 2
        assert catalogue.outdated(new[0]) == ["old"]
    assert Catalogue(old, AREA).is_current(old[2])


def test_twin_products_are_both_current() -> None:
    twins = [scene("a_1", 500), scene("a_2", 500)]
    assert Catalogue(twins, AREA).current("sentinel-2-l2a") == twins


def test_the_newest_stage_version_is_current() -> None:
    s = scene("s", 500)
    masks = [make("cloud-masks", "s", [s], version=v) for v in (1, 2, 10)]
    assert [i.stage_version for i in Catalogue([s, *masks], AREA).current("cloud-masks")] == [10]


def test_what_lacks_an_input_is_not_current() -> None:
    _, mask, update = chain(scene("s", 500), [[0, 0, 1]])
    assert not Catalogue([mask, update], AREA).is_current(mask)


def test_a_withdrawn_product_is_not_current() -> None:
    items = chain(scene("s", 500), [[0, 0, 1]])
    withdrawal = make("withdrawals", "w", product="s", week="static")
    assert Catalogue([*items, withdrawal], AREA).current("cube-updates") == []
    assert Catalogue([*items, withdrawal], AREA).outdated(items[0]) == ["s"]


def test_the_label_winner_is_nearest_in_time_then_newest() -> None:
    deliveries = [
        labels("far", 2012),
        labels("early", 2018, campaign="2012"),
        labels("win", 2018, release="2"),
        labels("older", 2018, release="1"),
    ]
    catalogue = Catalogue(deliveries, AREA)
    winner = catalogue.label_winner()
    assert winner is not None
    assert winner.product == "win"
    assert len(catalogue.current("label-polygons")) == 4
    rasters = [make("land-cover-labels", d.product, [d], week="static") for d in deliveries]
    assert [i.product for i in Catalogue([*deliveries, *rasters], AREA).current("land-cover-labels")] == ["win"]


def test_the_cube_state_is_a_function_of_what_is_current() -> None:
    old, new = chain(scene("old", 206), [[0, 0, 1]]), chain(scene("new", 500), [[0, 0, 3]])
    assert Catalogue(new, AREA).cube_state() == Catalogue([*new, *old], AREA).cube_state()
    assert Catalogue(new, AREA).cube_state() != Catalogue(old, AREA).cube_state()


def request(catalogue: Catalogue) -> Item:
    inputs = catalogue.current("cube-updates")
    state = catalogue.cube_state()
    return make("training-requests", state, inputs, week="static", cube_state=state)


def test_the_current_model_is_that_of_the_present_state_else_of_most_inputs() -> None:
    one = chain(scene("a", 500, "a"), [[0, 0, 1]])
    two = [*one, *chain(scene("b", 500, "b"), [[1, 0, 1]])]
    three = [*two, *chain(scene("c", 500, "c"), [[2, 0, 1]])]
    requests = [request(Catalogue(items, AREA)) for items in (one, two)]
    models = [
        make("models", "small", [r], week="static", cube_state=r.properties["landstream:cube_state"]) for r in requests
    ]
    for items, expected in ((one, models[0]), (two, models[1]), (three, models[1])):
        assert Catalogue([*items, *requests, *models], AREA).current_model() == expected
    assert Catalogue(three, AREA).current_model() is None


def test_ledger_digest_counts_the_halo_and_only_what_is_current() -> None:
    a, b = chain(scene("a", 500, "a"), [[0, 0, 3]]), chain(scene("b", 206, "b"), [[1, 0, 0]])
    catalogue = Catalogue([*a, *b], AREA)
    numbers = {TileIndex(0, c): [product_number("a")] for c in range(4)} | {TileIndex(1, 0): [product_number("b")]}
    assert catalogue.ledger_digest((0, 0), WEEK) == digest_ledger(numbers)
    assert catalogue.ledger_digest((0, 0), "2018-W24") is None
    assert catalogue.sheet_weeks() == [((0, 0), WEEK)]
    assert catalogue.sheets_of(b[2]) == [((0, 0), WEEK)]
    newer = [*a, *b, *chain(scene("b2", 500, "b"), [])]
    assert Catalogue(newer, AREA).ledger_digest((0, 0), WEEK) == Catalogue(a, AREA).ledger_digest((0, 0), WEEK)


def test_halo() -> None:
    assert [in_halo(TileIndex(r, 40), (0, 1)) for r in (0, 31, 32, 33)] == [True, True, True, False]
    assert [in_halo(TileIndex(5, c), (0, 1)) for c in (30, 31, 64, 65)] == [False, True, True, False]


@pytest.mark.parametrize("seed", range(5))
def test_runs_come_apart_as_they_were_made(seed: int) -> None:
    rng = random.Random(seed)
    tiles = sorted({TileIndex(rng.randrange(5), rng.randrange(9)) for _ in range(25)})
    assert tiles_of(make("cube-updates", "p", tiles=runs_of(tiles))) == tiles


def test_area_files_of_the_tests_are_good() -> None:
    assert {load_area(p).name for p in Path(AREAS).glob("*.yaml")} == {
        "small", "demo", "brandenburg", "malta", "east-anglia",
    }  # fmt: skip
