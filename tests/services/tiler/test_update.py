"""The steps of an update, with a sensor of one number a tile: the largest observation stays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import permutations

import pytest
import zarr

from services.tiler.arrays import array_at
from services.tiler.ledger import Ledger
from services.tiler.superseded import Superseded
from services.tiler.update import Progress, Sensor, Tiles, rebuild_then_merge
from shared.cube.layout import LEDGER_SLOTS
from shared.geo import TileIndex
from shared.stage import BrokenPicture, RetryLater

WEEK = 25
NOW = datetime(2026, 11, 28, tzinfo=UTC)
LEFT, RIGHT = TileIndex(0, 0), TileIndex(0, 1)


@dataclass(frozen=True)
class Reading:
    """An observation of the same value in some tiles."""

    number: int
    value: int
    tiles: tuple[TileIndex, ...] = (LEFT, RIGHT)

    @property
    def product(self) -> str:
        return f"product {self.number}"


def clear(group: zarr.Group, week: int, tile: TileIndex) -> None:
    array_at(group, "sensor/value")[(week, *tile)] = 0


def merge(
    group: zarr.Group, week: int, reading: Reading, ledger: Ledger, only: Tiles | None, progress: Progress
) -> None:
    values = array_at(group, "sensor/value")
    for tile in ledger.lacking([t for t in reading.tiles if only is None or t in only], reading.number):
        ledger.add(tile, reading.number, reading.product)
        values[(week, *tile)] = max(int(values[(week, *tile)]), reading.value)


SENSOR = Sensor("sensor", clear, merge)


@pytest.fixture
def group() -> zarr.Group:
    return new_group()


def new_group() -> zarr.Group:
    group = zarr.open_group({}, mode="w")
    group.create_array("sensor/value", shape=(53, 1, 2), dtype="uint8")
    group.create_array("sensor/scenes", shape=(53, 1, 2, LEDGER_SLOTS), dtype="uint64")
    return group


def update(
    group: zarr.Group,
    reading: Reading | None,
    others: tuple[Reading, ...] = (),
    outdated: tuple[int, ...] = (),
    again: Tiles | None = None,
    **since_withdrawn: tuple[int, ...],
) -> None:
    opened: dict[int, Callable[[], Reading]] = {o.number: (lambda o=o: o) for o in others}
    rebuild_then_merge(
        SENSOR, group, WEEK, reading, others=opened, outdated=outdated, again=again, now=NOW, **since_withdrawn
    )


def state(group: zarr.Group) -> tuple[list[int], list[list[int]]]:
    ledger = array_at(group, "sensor/scenes")[WEEK, 0].tolist()
    return array_at(group, "sensor/value")[WEEK, 0].tolist(), [[n for n in tile if n] for tile in ledger]


def test_no_order_changes_the_result() -> None:
    readings = [Reading(1, 5), Reading(2, 9, (RIGHT,)), Reading(3, 7, (LEFT,))]
    found = []
    for order in permutations([*readings, readings[0]]):
        group = new_group()
        for reading in order:
            update(group, reading)
        found.append(state(group))
    assert found == [([7, 9], [[1, 3], [1, 2]])] * len(found)


def test_what_was_superseded_leaves_no_trace(group: zarr.Group) -> None:
    old, new, other = Reading(1, 200, (LEFT,)), Reading(2, 5, (LEFT,)), Reading(3, 7)
    update(group, old)
    update(group, other)
    update(group, new, (other,), (old.number,))
    assert state(group) == ([7, 7], [[2, 3], [3]])
    with pytest.raises(Superseded):
        update(group, old)


def test_a_withdrawal_only_rebuilds(group: zarr.Group) -> None:
    bad, other = Reading(1, 200), Reading(3, 7, (RIGHT,))
    update(group, bad)
    update(group, other)
    update(group, None, (other,), (bad.number,))
    assert state(group) == ([0, 7], [[], [3]])


def test_the_version_below_a_withdrawn_one_is_back_in_all_its_tiles(group: zarr.Group) -> None:
    lower, cloudier, other = Reading(1, 5), Reading(2, 9, (LEFT,)), Reading(3, 7, (RIGHT,))
    update(group, lower)
    update(group, other)
    update(group, cloudier, (other,), (lower.number,))
    assert state(group) == ([9, 7], [[2], [3]])
    since_withdrawn = {"restored": (lower.number, other.number), "revived": (lower.number,)}
    update(group, None, (lower, other), (cloudier.number,), **since_withdrawn)
    assert state(group) == ([5, 7], [[1], [1, 3]])


def test_nothing_is_rebuilt_without_every_scene_of_its_tiles(group: zarr.Group) -> None:
    old, unknown = Reading(1, 200), Reading(4, 7)
    update(group, old)
    update(group, unknown)
    with pytest.raises(RetryLater):
        update(group, Reading(2, 5), (), (old.number,))


def test_after_a_conflict_only_the_tiles_of_the_other_writer_are_merged_again(group: zarr.Group) -> None:
    reading, other = Reading(1, 9), Reading(2, 7, (LEFT,))
    update(group, other)
    # What a rebase leaves: the ledger's chunk is this writer's, the other's values stand in one tile.
    update(group, reading)
    array_at(group, "sensor/value")[WEEK, 0, 0] = 7
    update(group, reading, again={LEFT})
    assert state(group) == ([9, 9], [[1, 2], [1]])
    array_at(group, "sensor/value")[WEEK, 0] = 0
    update(group, reading, again=set())
    assert state(group)[0] == [0, 0], "no tile in common: nothing is merged again"


def test_another_product_that_is_broken_does_not_make_this_one_broken(group: zarr.Group) -> None:
    def broken(*_: object) -> None:
        raise BrokenPicture("B03_10m.jp2", "is corrupt", "deliver it again")

    update(group, Reading(1, 200))
    sensor, others = Sensor("sensor", clear, broken), {3: lambda: Reading(3, 7)}
    with pytest.raises(RetryLater, match="another scene of the week is broken"):
        rebuild_then_merge(sensor, group, WEEK, Reading(2, 5), others=others, outdated=[1], again=None, now=NOW)
    with pytest.raises(BrokenPicture):
        rebuild_then_merge(sensor, group, WEEK, Reading(2, 5), others={}, outdated=[], again=None, now=NOW)
