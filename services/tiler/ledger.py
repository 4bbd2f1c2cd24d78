"""The ledger of the cube: which products are merged into which tiles of a week."""

from __future__ import annotations

from collections.abc import Iterable, Set
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from shared.cube.layout import LEDGER_SLOTS
from shared.geo import TileIndex
from shared.stage import RejectScene, RetryLater


class Ledger:
    """The ledger of one week: which products are merged into which tiles."""

    def __init__(self, array: zarr.Array[Any], week: int) -> None:
        self._array, self._week = array, week
        self.numbers: NDArray[np.uint64] = np.asarray(array[week])
        self._before = self.numbers.copy()

    def holding(self, numbers: Iterable[int]) -> list[TileIndex]:
        """Tiles that hold any of these products."""
        wanted = np.array(sorted(set(numbers) - {0}), np.uint64)
        rows, cols = np.asarray(np.isin(self.numbers, wanted).any(axis=2)).nonzero()
        return [TileIndex(int(r), int(c)) for r, c in zip(rows, cols, strict=True)]

    def lacking(self, tiles: Iterable[TileIndex], number: int) -> list[TileIndex]:
        """Those of the tiles that do not hold a product yet."""
        return [t for t in tiles if np.uint64(number) not in self.numbers[t]]

    def forget(self, tiles: Iterable[TileIndex], number: int) -> None:
        """Take one product out of some tiles."""
        for tile in tiles:
            left = [int(n) for n in self.numbers[tile] if n and n != np.uint64(number)]
            self.numbers[tile] = left + [0] * (LEDGER_SLOTS - len(left))

    def require_known(self, tiles: Iterable[TileIndex], known: Set[int]) -> None:
        """Check that some tiles can be rebuilt from what is at hand.

        Raises:
            RetryLater: a scene is merged there that the plan did not know; another plan does.
        """
        if {int(n) for t in tiles for n in self.numbers[t]} - {0} - known:
            raise RetryLater("a scene was merged into a tile that is to be rebuilt after this was planned")

    def clear(self, tile: TileIndex) -> None:
        """Forget what was merged into a tile."""
        self.numbers[tile] = 0

    def add(self, tile: TileIndex, number: int, product: str) -> None:
        """Note a product.

        Raises:
            RejectScene: the tile-week is full.
        """
        held = [int(n) for n in self.numbers[tile] if n]
        if len(held) == LEDGER_SLOTS:
            raise RejectScene(
                product,
                f"tile {tile.row}, {tile.col} holds {LEDGER_SLOTS} scenes of this week already",
                "withdraw one of them, or leave this scene out",
            )
        self.numbers[tile] = sorted([*held, number]) + [0] * (LEDGER_SLOTS - len(held) - 1)

    def save(self) -> None:
        """Write the chunks that changed."""
        _, rows, cols, _ = self._array.chunks
        for r in range(0, self.numbers.shape[0], rows):
            for c in range(0, self.numbers.shape[1], cols):
                part = (slice(r, r + rows), slice(c, c + cols))
                if (self.numbers[part] != self._before[part]).any():
                    self._array[(self._week, *part)] = self.numbers[part]
