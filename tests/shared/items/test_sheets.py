from __future__ import annotations

import random

import pytest

from shared.geo import TileIndex
from shared.items.sheets import count_tiles, runs_of
from tests.tiles import in_halo, tiles_of_runs


def test_halo() -> None:
    assert [in_halo(TileIndex(r, 40), (0, 1)) for r in (0, 31, 32, 33)] == [True, True, True, False]
    assert [in_halo(TileIndex(5, c), (0, 1)) for c in (30, 31, 64, 65)] == [False, True, True, False]


@pytest.mark.parametrize("seed", range(5))
def test_runs_come_apart_as_they_were_made(seed: int) -> None:
    rng = random.Random(seed)
    tiles = sorted({TileIndex(rng.randrange(5), rng.randrange(9)) for _ in range(25)})
    assert tiles_of_runs(runs_of(tiles)) == tiles
    assert count_tiles(runs_of(tiles)) == len(tiles)
