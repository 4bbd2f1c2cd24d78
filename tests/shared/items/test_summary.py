"""A week's summary, and the cube state that follows from the summaries."""

from __future__ import annotations

from shared.items.summary import present_state, summaries, summarize, summary_of
from tests.catalogues import WEEK, catalogue_of, chain, labels, make, scene, withdrawal

A = chain(scene("a", 500, "a", mgrs_tile="T34TGR"), [[0, 0, 3]])
OLCI = chain(make("sentinel-3-olci-l1b", "o", scene="o", product_version=[1]), [[0, 0, 1]], "olci")
CLOUDY = chain(scene("c", 500, "c", mgrs_tile="T34TGR"), [])


def test_the_cube_state_is_a_function_of_what_is_current() -> None:
    old, new = chain(scene("old", 206), [[0, 0, 1]]), chain(scene("new", 500), [[0, 0, 3]])
    assert present_state(catalogue_of(new)) == present_state(catalogue_of([*new, *old]))
    assert present_state(catalogue_of(new)) != present_state(catalogue_of(old))


def test_what_training_does_not_read_changes_no_cube_state() -> None:
    state = present_state(catalogue_of(A))
    for more in (OLCI, CLOUDY, chain(scene("r", 500, "r"), [])):
        assert present_state(catalogue_of([*A, *more])) == state
    delivery = labels("clc", 2018)
    raster = make("land-cover-labels", "clc", [delivery], week="static")
    assert present_state(catalogue_of([*A, delivery, raster])) != state


def test_a_withdrawn_product_leaves_the_state_as_if_it_had_never_been_seen() -> None:
    b = chain(scene("b", 500, "b"), [[1, 0, 1]])
    said = withdrawal("b", 1)
    undone = make("cube-updates", "b--withdrawn", [said], sensor="msi", product="b", tiles=[])
    assert present_state(catalogue_of([*A, *b, said, undone])) == present_state(catalogue_of(A))
    restored = withdrawal("b", 2, "restored")
    redone = make("cube-updates", "b--restored", [restored], sensor="msi", product="b", tiles=[])
    both = catalogue_of([*A, *b, said, undone, restored, redone])
    assert present_state(both) == present_state(catalogue_of([*A, *b]))


def test_a_summary_counts_how_far_products_came() -> None:
    unmasked = scene("d", 500, "d", mgrs_tile="T35TKL")
    mapped = make("land-cover-maps", "m", [A[2]], sheet=[0, 0], ledger="", model="m")
    summary = summary_of(catalogue_of([*A, *CLOUDY, unmasked, mapped]), WEEK)
    assert summary.counts["T34TGR"] == {"found": 2, "registered": 2, "masked": 2, "tiled": 2}
    assert summary.counts["T35TKL"] == {"found": 1, "registered": 1}
    assert summary.tile_weeks["msi"] == 4


def test_a_week_without_maps_is_summarized_without_its_ledger() -> None:
    catalogue = catalogue_of(A)
    summarize(catalogue, WEEK)
    assert not catalogue.memo


def test_the_summary_of_a_week_is_kept_while_its_items_are_the_same() -> None:
    catalogue = catalogue_of(A)
    first = summaries(catalogue)
    assert summaries(catalogue)[0] is first[0]
    more = catalogue_of([*A, *chain(scene("b", 500, "b"), [[1, 0, 0]])])
    more.kept.update(catalogue.kept)
    assert summaries(more)[0] is not first[0]
