"""What is current, by the rules that the services declare, whatever the order of arrival."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from shared.area import load_area
from shared.items.item import Item
from shared.items.labels import label_winner
from shared.items.scenes import outdated_products, products_below, rank
from tests.catalogues import AREA, WEEK, broken, catalogue_of, chain, labels, make, scene, withdrawal
from tests.conftest import AREAS

COLLECTIONS = ("sentinel-2-l2a", "cloud-masks", "cube-updates")


def test_the_higher_baseline_supersedes_in_either_order_of_arrival() -> None:
    old, new = chain(scene("old", 206), [[0, 0, 1]]), chain(scene("new", 500), [[0, 0, 3]])
    for items in ([*old, *new], [*new, *old]):
        random.shuffle(items)
        catalogue = catalogue_of(items)
        for collection in COLLECTIONS:
            assert [i.product for i in catalogue.current(collection, WEEK)] == ["new"]
            assert len(catalogue.items(collection, WEEK)) == 2
        assert outdated_products(new[0], catalogue) == ["old"]
    assert catalogue_of(old).is_current(old[2])


@pytest.mark.parametrize(("toolbox", "said"), [("below", "esa"), ("above", "toolbox")])
def test_a_toolbox_baseline_is_below_each_official_one_where_the_area_does_not_say_otherwise(
    toolbox: str, said: str
) -> None:
    area = AREA.model_copy(update={"toolbox_baselines": toolbox})
    esa, own = chain(scene("esa", 204), [[0, 0, 1]]), chain(scene("toolbox", 9933), [[0, 0, 3]])
    other = {"esa": "toolbox", "toolbox": "esa"}[said]
    for items in ([*esa, *own], [*own, *esa]):
        catalogue = catalogue_of(items, area)
        for collection in COLLECTIONS:
            assert [i.product for i in catalogue.current(collection, WEEK)] == [said]
        assert outdated_products(esa[0], catalogue) == [other]
        top = {"esa": esa, "toolbox": own}
        assert products_below(top[other][0], catalogue) == []
        withdrawn = catalogue_of([*items, withdrawal(said, 1)], area)
        assert [i.product for i in withdrawn.current("cube-updates", WEEK)] == [other]
        assert products_below(top[said][0], withdrawn) == [other]


def test_toolbox_baselines_have_an_order_of_their_own() -> None:
    ranks = [rank(version, AREA) for version in ([9901], [9933, -1], [9933], [9999], [204, -1], [204], [512])]
    assert ranks == sorted(ranks)
    assert len(set(ranks)) == len(ranks)
    assert rank([1, 3, "20180606T000000"], AREA) < rank([1, 3, "20180607T000000"], AREA)


def test_a_broken_higher_version_never_takes_a_good_one_out() -> None:
    old, new = chain(scene("old", 206), [[0, 0, 1]]), chain(scene("new", 500), [])[:1]
    for items in ([*old, *new], [*new, *old]):
        catalogue = catalogue_of(items, broken=[broken(new[0])])
        assert [i.product for i in catalogue.current("cube-updates", WEEK)] == ["old"]
        assert outdated_products(old[0], catalogue) == ["new"]
        assert [i.product for i in catalogue_of(items).current("sentinel-2-l2a", WEEK)] == ["new"]
    alone = catalogue_of(new, broken=[broken(new[0])])
    assert alone.is_current(new[0]), "the only version stays the one that people look for"


def test_a_mended_delivery_takes_the_place_of_the_broken_one() -> None:
    torn, mended = (Item(scene("s", 500).json | {"id": f"s--v1-{digest}"}, WEEK) for digest in ("ffffffff", "00000000"))
    for said, current in (([], torn), ([broken(torn)], mended), ([broken(mended)], torn)):
        catalogue = catalogue_of([torn, mended], broken=said)
        assert catalogue.current("sentinel-2-l2a", WEEK) == [current]
    both = catalogue_of([torn, mended], broken=[broken(torn), broken(mended)])
    assert both.current("sentinel-2-l2a", WEEK) == [torn], "people look for one of them"


def test_a_record_is_void_once_its_job_has_made_its_item() -> None:
    old, new = chain(scene("old", 206), [[0, 0, 1]]), chain(scene("new", 500), [[0, 0, 1]])
    record = broken(new[0], f"new--{new[1].digest}")
    assert catalogue_of([*old, *new], broken=[record]).is_current(new[0])
    assert not catalogue_of([*old, new[0]], broken=[record]).is_current(new[0])


def test_a_restored_product_is_found_broken_too() -> None:
    old, new = chain(scene("old", 206), [[0, 0, 1]]), chain(scene("new", 500), [])[:2]
    record = broken(new[0], "new--restored--00000000", "cube-updates")
    assert not catalogue_of([*old, *new], broken=[record]).is_current(new[0])


def test_twin_products_are_both_current() -> None:
    twins = [scene("a_1", 500), scene("a_2", 500)]
    assert catalogue_of(twins).current("sentinel-2-l2a", WEEK) == twins


def test_the_newest_stage_version_is_current() -> None:
    s = scene("s", 500)
    masks = [make("cloud-masks", "s", [s], version=v) for v in (1, 2, 10)]
    assert [i.stage_version for i in catalogue_of([s, *masks]).current("cloud-masks", WEEK)] == [10]


def test_what_lacks_an_input_is_not_current() -> None:
    _, mask, update = chain(scene("s", 500), [[0, 0, 1]])
    assert not catalogue_of([mask, update]).is_current(mask)


def test_the_last_word_on_a_product_rules() -> None:
    items = chain(scene("s", 500), [[0, 0, 1]])
    said = [withdrawal("s", 1), withdrawal("s", 2, "restored"), withdrawal("s", 10)]
    for count, current in ((0, 1), (1, 0), (2, 1), (3, 0)):
        catalogue = catalogue_of([*items, *said[:count]])
        assert len(catalogue.current("cube-updates", WEEK)) == current
        assert outdated_products(items[0], catalogue) == ([] if current else ["s"])
        assert [w.number for w in catalogue.current("withdrawals")] == [said[count - 1].number][:count]
    assert catalogue_of(said[:1]).current("withdrawals") == said[:1], "also before the product arrives"


def test_the_label_winner_is_nearest_in_time_then_newest() -> None:
    deliveries = [
        labels("far", 2012),
        labels("early", 2018, campaign="2012"),
        labels("win", 2018, release="2"),
        labels("older", 2018, release="1"),
    ]
    catalogue = catalogue_of(deliveries)
    winner = label_winner(catalogue)
    assert winner is not None
    assert winner.product == "win"
    assert len(catalogue.current("label-polygons")) == 4
    rasters = [make("land-cover-labels", d.product, [d], week="static") for d in deliveries]
    assert [i.product for i in catalogue_of([*deliveries, *rasters]).current("land-cover-labels")] == ["win"]


def test_a_week_is_a_partition_of_its_own() -> None:
    here, there = scene("a", 500), make("sentinel-2-l2a", "b", week="2018-W24", scene="b", product_version=[1])
    catalogue = catalogue_of([here, there])
    assert catalogue.weeks("sentinel-2-l2a") == [WEEK, "2018-W24"]
    assert catalogue.items("sentinel-2-l2a", WEEK) == [here]
    assert list(catalogue.walk("sentinel-2-l2a")) == [here, there]


def test_an_output_is_known_by_its_id_alone() -> None:
    mask = make("cloud-masks", "s", version=3)
    catalogue = catalogue_of([mask])
    assert catalogue.output_version("cloud-masks", WEEK, "s", mask.digest) == 3
    assert catalogue.output_version("cloud-masks", WEEK, "s", "00000000") is None
    assert catalogue.output_version("cloud-masks", "2018-W24", "s", mask.digest) is None


def test_area_files_of_the_examples_are_good() -> None:
    assert {load_area(p).name for p in Path(AREAS).glob("*.yaml")} == {
        "small", "demo", "brandenburg", "malta", "east-anglia", "worldcover",
    }  # fmt: skip
