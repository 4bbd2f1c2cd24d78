"""Where the updates of a week lie, and the ledger that the cube is to hold."""

from __future__ import annotations

import random

import numpy as np
import pytest

from shared.geo import TileIndex
from shared.items.ids import product_number
from shared.items.sheets import SHEET_TILES, runs_of
from shared.items.tiles import digest_ledger, sheet_window, week_tiles
from tests.catalogues import AREA, WEEK, catalogue_of, chain, scene
from tests.tiles import in_halo, sheet_of

WIDE = AREA.model_copy(update={"grid_spec": AREA.grid_spec.model_copy(update={"rows": 70, "cols": 100})})


def test_ledger_digest_counts_the_halo_and_only_what_is_current() -> None:
    a, b = chain(scene("a", 500, "a"), [[0, 0, 3]]), chain(scene("b", 206, "b"), [[1, 0, 0]])
    rows, cols = sheet_window((0, 0), AREA.grid)
    ledger = np.zeros((len(rows), len(cols), 32), np.uint64)
    ledger[0, 0:4, 0] = product_number("a")
    ledger[1, 0, 0] = product_number("b")
    tiles = week_tiles(catalogue_of([*a, *b]), WEEK)
    assert tiles.ledger_digest((0, 0)) == digest_ledger(ledger)
    assert week_tiles(catalogue_of([*a, *b]), "2018-W24").ledger_digest((0, 0)) == digest_ledger(np.zeros_like(ledger))
    assert list(tiles.inside) == [(0, 0)]
    newer = [*a, *b, *chain(scene("b2", 500, "b"), [])]
    only_a = week_tiles(catalogue_of(a), WEEK).ledger_digest((0, 0))
    assert week_tiles(catalogue_of(newer), WEEK).ledger_digest((0, 0)) == only_a


@pytest.mark.parametrize("seed", range(6))
def test_the_expected_ledger_is_the_one_that_the_tiles_tell(seed: int) -> None:
    rng = random.Random(seed)
    chains, touched = [], {}
    for n in range(9):
        corner = rng.randrange(60), rng.randrange(90)
        tiles = {TileIndex(corner[0] + rng.randrange(9), corner[1] + rng.randrange(9)) for _ in range(25)}
        chains += chain(scene(f"p{n}", 500, f"p{n}"), runs_of(tiles))
        for tile in tiles:
            touched.setdefault(tile, []).append(product_number(f"p{n}"))
    found = week_tiles(catalogue_of(chains, WIDE), WEEK)
    assert set(found.inside) == {sheet_of(tile) for tile in touched}
    for sheet in found.inside:
        rows, cols = sheet_window(sheet, WIDE.grid)
        ledger = np.zeros((len(rows), len(cols), 32), np.uint64)
        for tile, numbers in touched.items():
            if in_halo(tile, sheet):
                ledger[tile.row - rows.start, tile.col - cols.start, : len(numbers)] = sorted(numbers)
        assert found.ledger_digest(sheet) == digest_ledger(ledger)


def test_the_window_of_a_sheet_ends_with_the_grid() -> None:
    assert sheet_window((0, 0), WIDE.grid) == (range(SHEET_TILES + 1), range(SHEET_TILES + 1))
    assert sheet_window((1, 2), WIDE.grid) == (range(31, 65), range(63, 97))
    assert sheet_window((2, 3), WIDE.grid) == (range(63, 70), range(95, 100))
