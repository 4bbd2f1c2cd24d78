from __future__ import annotations

from services.tiler.stage import STAGE
from shared.items.catalogue import Catalogue
from shared.items.item import Item
from shared.stage import Job
from shared.stage.due import job_id
from tests.shared.items.test_catalogue import AREA, chain, make, scene


def level(item: Item) -> list[Item]:
    """A scene of the area's level with its mask (no update: nothing is tiled yet)."""
    return chain(item, [])[:2]


def plan(item: Item, items: list[Item]) -> list[Job]:
    return STAGE.plan(item, Catalogue(items, AREA), AREA, STAGE.settings())


def of(product: str, baseline: int, identity: str = "scene") -> list[Item]:
    return level(scene(product, baseline, identity, level="l2a"))


def test_a_first_mask_needs_only_its_scene() -> None:
    first, mask = of("a", 500)
    (job,) = plan(mask, [first, mask])
    assert [s.item for s in job.inputs] == [mask, first]
    assert (job.context, job.notes["outdated"]) == ((), [])


def test_a_higher_baseline_brings_the_rest_of_the_week_to_rebuild_from() -> None:
    old, new, other = of("old", 206), of("new", 500), of("other", 500, "another scene")
    items = [*old, *new, *other]
    (job,) = plan(new[1], items)
    assert job.notes["outdated"] == ["old"]
    assert [s.item for s in job.context] == [other[1], other[0]]
    assert plan(old[1], items) == []
    (before,) = plan(new[1], [*new, *other])
    settings = STAGE.settings()
    assert job_id(STAGE, job, settings) == job_id(STAGE, before, settings)  # whatever came before


def test_another_mask_of_the_same_product_replaces_its_pixels() -> None:
    first, mask = of("a", 500)
    newer = make("cloud-masks", "a", [first], version=2)
    (job,) = plan(newer, [first, mask, newer])
    assert job.notes["outdated"] == ["a"]


def test_scenes_of_the_other_level_are_not_tiled() -> None:
    first, mask = level(scene("a", 500, level="l1c"))
    assert plan(mask, [first, mask]) == []


def test_a_withdrawal_rebuilds_from_what_is_left() -> None:
    first, other = of("a", 500), of("b", 500, "another scene")
    withdrawal = make("withdrawals", "w", week="static", product="a")
    items = [*first, *other, withdrawal]
    (job,) = plan(withdrawal, items)
    assert (job.product, job.week, job.notes["outdated"]) == ("a--withdrawn", first[1].week, ["a"])
    assert [s.item for s in job.context] == [other[1], other[0]]
    assert plan(first[1], items) == []
