"""The ledger of a week: what is merged where."""

from __future__ import annotations

import pytest
import zarr

from services.tiler.ledger import Ledger
from shared.cube.layout import LEDGER_SLOTS
from shared.geo import TileIndex
from shared.stage import RejectScene, RetryLater

WEEK = 25
OLD, NEW, OTHER = 2**64 - 3, 2**63 + 1, 7


@pytest.fixture
def array() -> zarr.Array:
    return zarr.open_group({}, mode="w").create_array("scenes", shape=(53, 4, 4, LEDGER_SLOTS), dtype="uint64")


@pytest.fixture
def ledger(array: zarr.Array) -> Ledger:
    return Ledger(array, WEEK)


def test_forget_takes_one_product_out(ledger: Ledger) -> None:
    here, there = TileIndex(1, 2), TileIndex(3, 3)
    for tile in (here, there):
        for number in (NEW, OTHER):
            ledger.add(tile, number, "p")
    ledger.forget([here], NEW)
    assert [int(n) for n in ledger.numbers[here] if n] == [OTHER]
    assert [int(n) for n in ledger.numbers[there] if n] == [OTHER, NEW]
    assert ledger.lacking([here, there], NEW) == [here]


def test_a_rebuild_needs_every_scene_of_its_tiles(ledger: Ledger) -> None:
    tile = TileIndex(0, 0)
    ledger.add(tile, OLD, "p")
    ledger.add(tile, OTHER, "q")
    ledger.require_known([tile], {OLD, OTHER})
    with pytest.raises(RetryLater, match="after this was planned"):
        ledger.require_known([tile], {OLD})


def test_it_is_sorted_and_full_at_32(array: zarr.Array, ledger: Ledger) -> None:
    tile = TileIndex(2, 3)
    for number in range(LEDGER_SLOTS, 0, -1):
        ledger.add(tile, number, "p")
    with pytest.raises(RejectScene, match="holds 32 scenes"):
        ledger.add(tile, NEW, "one too many")
    ledger.save()
    assert array[WEEK, 2, 3].tolist() == list(range(1, LEDGER_SLOTS + 1))
    assert not array[WEEK - 1].any()
    assert Ledger(array, WEEK).holding([5, 0]) == [tile]
