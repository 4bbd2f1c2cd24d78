"""Rasters that are read from north to south: some rows in memory, the strip below them on its way."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.tiler.warp import Index, gather

Wait = Callable[[], NDArray[Any]]
"""Waits for a strip (rows, x, ...) that was begun."""


@dataclass(frozen=True)
class _Coming:
    top: int
    bottom: int
    wait: Wait


class Strips(ABC):
    """A raster (y, x, ...), of which it holds some rows.

    Asked from north to south, each strip is made once; the next one is made while those above it are used.

    Args:
        shape: of the raster; the first two axes are y and x.
        dtype: of its values.
    """

    def __init__(self, shape: tuple[int, ...], dtype: str) -> None:
        self._shape, self._dtype, self._end = shape, dtype, shape[0]
        self._held: list[tuple[int, NDArray[Any]]] = []
        self._coming: _Coming | None = None

    @property
    @abstractmethod
    def side(self) -> int:
        """Rows of a strip."""

    @abstractmethod
    def begin(self, row: int, rows: int) -> Wait:
        """Begin to make the rows [row, row + rows)."""

    def expect(self, last: Sequence[Index]) -> None:
        """Tell the southernmost windows that will be asked for: what lies below them is not made."""
        self._end = _span(last, self._shape[0])[1]

    def hold(self, windows: Sequence[Index]) -> None:
        """Have the rows of some windows at hand; rows above them are dropped."""
        first, last = _span(windows, self._shape[0])
        if first >= last:
            return
        held, coming = [(top, strip) for top, strip in self._held if top + len(strip) > first], self._coming
        if held and held[0][0] <= first:
            bottom = held[-1][0] + len(held[-1][1])
        else:
            is_coming = coming is not None and coming.top <= first < coming.bottom
            held, bottom = [], coming.top if coming and is_coming else first // self.side * self.side
        while bottom < last:
            if held and first > held[0][0]:
                # A view would keep the whole strip.
                held[0] = first, held[0][1][first - held[0][0] :].copy()
            self._held = held
            if coming is None or coming.top != bottom:
                coming = self._begun(bottom)
            held.append((bottom, coming.wait()))
            bottom = coming.bottom
            self._coming = coming = self._begun(bottom) if bottom < self._end else None
        self._held = held

    def _begun(self, row: int) -> _Coming:
        rows = min(self.side, self._shape[0] - row)
        return _Coming(row, row + rows, self.begin(row, rows))

    def take(self, index: Index) -> NDArray[Any]:
        """Return the values (ny, nx, ...) at an index whose rows are held; 0 outside the raster."""
        rows, cols = index
        first, last = int(rows.min()), int(rows.max()) + 1
        found = [gather(s, (rows - top, cols)) for top, s in self._held if top < last and first < top + len(s)]
        if not found:
            return np.zeros((*np.broadcast_shapes(rows.shape, cols.shape), *self._shape[2:]), self._dtype)
        # Each pixel is in one of the strips, and 0 in the others.
        return found[0] if len(found) == 1 else np.maximum.reduce(found)


def _span(windows: Sequence[Index], height: int) -> tuple[int, int]:
    """Return the first row of some windows and the one after their last, within a raster so high."""
    return (
        max(0, min(int(rows.min()) for rows, _ in windows)),
        min(height, max(int(rows.max()) for rows, _ in windows) + 1),
    )
