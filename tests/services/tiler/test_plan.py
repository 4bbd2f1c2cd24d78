from __future__ import annotations

from services.cloudmask.stage import STAGE as CLOUDMASK
from services.reprojection.stage import STAGE as REPROJECTION
from services.tiler.stage import STAGE
from shared.items.item import Item
from shared.stage import Job
from shared.stage.due import job_digest
from tests.catalogues import AREA, WEEK, broken, catalogue_of, chain, labels, make, scene, withdrawal


def level(item: Item) -> list[Item]:
    """A scene of the area's level with its mask (no update: nothing is tiled yet)."""
    return chain(item, [])[:2]


def plan(item: Item, items: list[Item]) -> list[Job]:
    return STAGE.plan(item, catalogue_of(items), AREA, STAGE.settings())


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
    assert job_digest(STAGE, job, settings) == job_digest(STAGE, before, settings)  # whatever came before


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
    said = withdrawal("a", 1)
    items = [*first, *other, said]
    (job,) = plan(said, items)
    assert (job.product, job.week, job.notes["outdated"]) == ("a--withdrawn", WEEK, ["a"])
    assert [s.item for s in job.context] == [other[1], other[0]]
    assert plan(first[1], items) == []


def test_a_restored_product_is_merged_again() -> None:
    first, other = of("a", 500), of("b", 500, "another scene")
    said = [withdrawal("a", 1), withdrawal("a", 2, "restored")]
    items = [*first, *other, *said]
    assert plan(said[0], items) == []
    (job,) = plan(said[1], items)
    assert (job.product, job.week, job.notes["outdated"]) == ("a--restored", WEEK, [])
    assert [s.item for s in job.inputs] == [said[1], first[1], first[0]]
    assert len(plan(first[1], items)) == 1


def test_a_withdrawn_version_gives_way_to_the_one_below_and_takes_it_out_when_restored() -> None:
    old, new, other = of("old", 206), of("new", 500), of("other", 500, "another scene")
    items, said = [*old, *new, *other], withdrawal("new", 1)
    (job,) = plan(said, [*items, said])
    assert (job.notes["outdated"], job.notes["revived"]) == (["new"], ["old"])
    assert [s.item for s in job.context] == [old[1], old[0], other[1], other[0]]
    again = withdrawal("new", 2, "restored")
    (job,) = plan(again, [*items, said, again])
    assert job.notes["outdated"] == ["old"]
    assert [s.item for s in job.context] == [other[1], other[0]]


def test_a_withdrawn_version_that_was_superseded_revives_nothing() -> None:
    old, new, said = of("old", 206), of("new", 500), withdrawal("old", 1)
    (job,) = plan(said, [*old, *new, said])
    assert (job.notes["outdated"], job.notes["revived"]) == (["old"], [])


def test_a_withdrawal_of_what_did_not_arrive_waits() -> None:
    said = withdrawal("a", 1)
    assert plan(said, [said]) == []
    first, mask = of("a", 500)
    assert plan(mask, [first, mask, said]) == []


def test_nothing_is_rebuilt_from_a_broken_picture() -> None:
    old, new, other = of("old", 206), of("new", 500), of("other", 500, "another scene")
    (job,) = STAGE.plan(new[1], catalogue_of([*old, *new, *other], broken=[broken(other[0])]), AREA, STAGE.settings())
    assert (job.notes["outdated"], job.context) == (["old"], ())


def test_a_broken_version_gives_way_to_the_one_below() -> None:
    old, new = of("old", 206), of("new", 500)
    catalogue = catalogue_of([*old, *new], broken=[broken(new[0])])
    assert STAGE.plan(new[1], catalogue, AREA, STAGE.settings()) == []
    (job,) = STAGE.plan(old[1], catalogue, AREA, STAGE.settings())
    assert job.notes["outdated"] == ["new"]


def test_an_area_tiles_its_sensors_alone() -> None:
    msi = chain(scene("A", 500), [[0, 0]])
    frame = make("sentinel-3-olci-l1b", "F", scene="F", product="F", product_version=[1], product_type="EFR")
    grid = make("olci-grid", "F", [frame])
    catalogue = catalogue_of([*msi[:2], frame, grid])
    for sensors, wanted in ((("s2",), [1, 0]), (("olci",), [0, 1]), (("s2", "olci"), [1, 1])):
        area = AREA.model_copy(update={"sensors": sensors})
        assert [len(STAGE.plan(item, catalogue, area, STAGE.settings())) for item in (msi[1], grid)] == wanted
        masks = len(CLOUDMASK.plan(msi[0], catalogue, area, CLOUDMASK.settings()))
        assert [masks, len(REPROJECTION.plan(frame, catalogue, area, REPROJECTION.settings()))] == wanted


def test_labels_are_read_as_far_as_their_version_burned_them() -> None:
    delivery = labels("clc", 2018)
    raster = make("land-cover-labels", "clc", [delivery], week="static")
    for published in (("labels", "labels_aux"), ("labels", "labels_aux", "confidence", "polygon")):
        item = Item({**raster.json, "assets": {name: {} for name in published}}, "static")
        (job,) = plan(item, [delivery, item])
        assert [s.assets for s in job.inputs] == [tuple(name for name in published if name != "labels_aux")]


def test_a_frame_is_withdrawn_though_the_area_takes_no_more_of_them() -> None:
    frames = [
        make("sentinel-3-olci-l1b", n, scene=n, product=n, product_version=[1], product_type="EFR") for n in ("F", "G")
    ]
    grids = [make("olci-grid", f.product, [f], product=f.product) for f in frames]
    said = withdrawal("F", 1)
    area = AREA.model_copy(update={"sensors": ("s2",)})
    (job,) = STAGE.plan(said, catalogue_of([*frames, *grids, said], area), area, STAGE.settings())
    assert [source.item.id for source in job.context] == [grids[1].id]
