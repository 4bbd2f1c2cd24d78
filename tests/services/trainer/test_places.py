"""Places: which are listed, which are drawn, and which are read together."""

from __future__ import annotations

import numpy as np
import pytest

from services.trainer.places import Place, group_places, list_places, list_rounds
from shared.raster.grid import Window


def test_places_are_labelled_blocks_in_observed_tiles() -> None:
    blocks = np.array([[1, 0, 1, 1], [0, 1, 1, 0]], bool)
    observed = {"2018-W22": np.array([[True, False]]), "2018-W20": np.array([[False, True]])}
    places = list_places(blocks, observed, 99, 0)
    assert places == [
        Place("2018-W20", 0, 2), Place("2018-W20", 0, 3), Place("2018-W20", 1, 2),
        Place("2018-W22", 0, 0), Place("2018-W22", 1, 1),
    ]  # fmt: skip
    drawn = list_places(blocks, observed, 3, 0)
    assert len(drawn) == 3
    assert [p for p in places if p in drawn] == drawn == list_places(blocks, observed, 3, 0)


def test_blocks_are_drawn_with_all_of_their_weeks() -> None:
    blocks = np.ones((4, 4), bool)
    observed = {f"2018-W{week}": np.ones((2, 2), bool) for week in (20, 21, 22)}
    drawn = list_places(blocks, observed, 10, 0, whole=True)
    assert len(drawn) == 9, "three blocks with three weeks each"
    assert drawn == sorted(drawn) == list_places(blocks, observed, 10, 0, whole=True)
    assert len({(place.row, place.col) for place in drawn}) == 3
    assert len(list_places(blocks, observed, 2, 0, whole=True)) == 3, "one block at least"


def test_neighbours_are_read_together_and_never_more_than_each_by_itself() -> None:
    week = "2018-W20"
    dense = [Place(week, row, col) for row in range(8) for col in range(8)]
    (group,) = group_places(dense, 32)
    assert group.members == tuple(range(64))
    assert group.around(32) == Window(-32, -32, 8 * 128 + 64, 8 * 128 + 64)
    assert len(group_places([*dense, Place("2018-W21", 0, 0), Place(week, 8, 0)], 32)) == 3, "another week, and square"
    quarters = [*dense[:4], *dense[8:12], Place(week, 7, 7)]
    assert [len(g.members) for g in group_places(quarters, 32)] == [8, 1], "a part that is dense, and one afar"
    corners = [Place(week, 0, 0), Place(week, 3, 3)]
    assert [g.members for g in group_places(corners, 32)] == [(0,), (1,)]
    assert [g.around(0) for g in group_places(corners, 0)] == [Window(0, 0, 128, 128), Window(384, 384, 128, 128)]


BLOCKS = np.random.default_rng(1).random((20, 26)) < 0.7
OBSERVED = {f"2018-W{week}": np.random.default_rng(week).random((10, 13)) < 0.8 for week in (20, 21, 22)}


@pytest.mark.parametrize("whole", [False, True])
def test_rounds_go_through_all_places_once(whole: bool) -> None:
    rounds = list_rounds(BLOCKS, OBSERVED, 90, 99, 0, whole)
    everything = list_places(BLOCKS, OBSERVED, 10**6, 0)
    assert sorted(place for places in rounds for place in places) == everything
    assert all(places == sorted(places) and len(places) <= 90 for places in rounds)
    assert len(rounds) <= len(everything) // 45, "they are full"
    fewer = list_rounds(BLOCKS, OBSERVED, 90, 3, 0, whole)
    assert fewer == rounds[:3]
    assert list_rounds(BLOCKS, OBSERVED, 90, 3, 1, whole) != fewer
    weeks = [{place.week for place in places} for places in rounds]
    assert any(len(found) > 1 for found in weeks), "they are mixed"
    if whole:
        blocks = [{(place.row, place.col) for place in places} for places in rounds]
        assert sum(map(len, blocks)) == len(set().union(*blocks)), "a block comes with all of its weeks"
    else:
        groups = [len(group_places(places, 32)) for places in rounds]
        assert sum(groups) < len(everything) / 8, "neighbours come together"


def test_nothing_has_no_rounds() -> None:
    assert list_rounds(BLOCKS & False, OBSERVED, 90, 99, 0) == []
