"""Polygons on both sides of a split: found from the cube, and left out of what is learned from."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.trainer.deal import count_labels
from services.trainer.ground import ground_of
from services.trainer.places import list_places
from services.trainer.polygons import (
    PolygonSet,
    forbidden_polygons,
    in_windows,
    learned_from,
    of_blocks,
    polygons_in,
)
from services.trainer.reading import read_windows
from services.trainer.split import BLOCK_PX, HELD_OUT, deal_holdout
from shared.area.training import TrainingSettings
from shared.items.model_inputs import ModelInputs
from shared.stage.declare import RejectScene
from tests.catalogues import AREA
from tests.services.trainer.fake_cube import FakeCube

CUBE = FakeCube(AREA, ("2018-W20",))
HOLDOUT = deal_holdout(count_labels(CUBE, len(AREA.labels.classes)))  # type: ignore[arg-type]
TESTED = HOLDOUT == HELD_OUT


@given(st.lists(st.lists(st.integers(0, 400), max_size=9), max_size=5), st.lists(st.integers(0, 500), min_size=1))
def test_a_set_holds_what_it_was_given(added: list[list[int]], asked: list[int]) -> None:
    polygons, given = PolygonSet(), {number for numbers in added for number in numbers} - {0}
    for numbers in added:
        polygons.add(np.array(numbers, np.uint32))
    assert polygons.holds(np.array(asked, np.uint32)).tolist() == [number in given for number in asked]


def windows():  # type: ignore[no-untyped-def]
    return read_windows(CUBE, list_places(HOLDOUT > 0, {"2018-W20": CUBE.observed("2018-W20")}, 999, 0), ModelInputs())  # type: ignore[arg-type]


def test_no_polygon_has_pixels_on_both_sides() -> None:
    read, settings = windows(), TrainingSettings(split="polygons")
    nowhere = np.zeros(TESTED.shape, bool)
    loose = ground_of(read, TESTED, nowhere, settings).targets
    shared = in_windows(CUBE, read, forbidden_polygons(CUBE, TESTED, settings))  # type: ignore[arg-type]
    strict = ground_of(read, TESTED, nowhere, settings, shared).targets
    side = BLOCK_PX
    tested = {
        int(number)
        for row, col in np.argwhere(TESTED)
        for number in np.unique(CUBE.polygons(row * side, col * side, side, side))
    } - {0}
    learned = set()
    for place, target in zip(read.places, strict, strict=True):
        numbers = CUBE.polygons(place.row * side - 32, place.col * side - 32, side + 64, side + 64)
        learned |= set(np.unique(numbers[target > 0]).tolist())
    assert learned
    assert not learned & tested
    assert 0 < np.count_nonzero(strict) < np.count_nonzero(loose)
    assert (strict[strict > 0] == loose[strict > 0]).all()
    found = learned_from(CUBE, read, strict)  # type: ignore[arg-type]
    assert not (found.holds(np.array(sorted(tested), np.uint32))).any()
    assert found.holds(np.array(sorted(learned), np.uint32)).all()


def test_blocks_allow_them() -> None:
    assert forbidden_polygons(CUBE, TESTED, TrainingSettings()) is None  # type: ignore[arg-type]


def test_labels_without_polygons_cannot_be_split_by_them() -> None:
    class Older(FakeCube):
        has_polygons = False

    with pytest.raises(RejectScene, match=r"holds no polygons of its labels.*reprocess rasterize"):
        forbidden_polygons(Older(AREA, ("2018-W20",)), TESTED, TrainingSettings(split="polygons"))  # type: ignore[arg-type]


def test_polygons_of_blocks_and_windows_are_those_of_the_cube() -> None:
    read = windows()
    blocks = of_blocks(CUBE, read.places[:2])  # type: ignore[arg-type]
    place = read.places[1]
    assert (blocks[1] == CUBE.polygons(place.row * BLOCK_PX, place.col * BLOCK_PX, BLOCK_PX, BLOCK_PX)).all()
    everything = polygons_in(CUBE, HOLDOUT > 0)  # type: ignore[arg-type]
    inside = in_windows(CUBE, read, everything)  # type: ignore[arg-type]
    assert inside[:, 32:-32, 32:-32][read.labels[:, 32:-32, 32:-32] > 0].all()
