"""Rasters made strip by strip, whatever is asked for in which order."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from services.tiler.strips import Strips
from services.tiler.warp import Index, gather

VALUES = np.arange(1, 47 * 5 * 2 + 1, dtype=np.uint16).reshape(47, 5, 2)
spans = st.tuples(st.integers(-20, 60), st.integers(1, 30))


class Parts(Strips):
    """Strips of `VALUES`, noted as they are begun."""

    def __init__(self, side: int) -> None:
        super().__init__(VALUES.shape, "uint16")
        self._side = side
        self.begun: list[int] = []

    @property
    def side(self) -> int:
        return self._side

    def begin(self, row: int, rows: int) -> Callable[[], np.ndarray]:
        self.begun.append(row)
        return lambda: VALUES[row : row + rows].copy()


def rectangle(top: int, rows: int) -> Index:
    return np.arange(top, top + rows)[:, None], np.arange(-1, 6)[None]


def slanted(top: int, rows: int) -> Index:
    y, x = np.mgrid[top : top + rows, -1:6]
    return y + x, x


@given(st.integers(1, 50), st.lists(spans, max_size=8), st.sampled_from([rectangle, slanted]), st.none() | spans)
def test_any_rows_in_any_order(
    side: int, asked: list[tuple[int, int]], place: Callable[[int, int], Index], last: tuple[int, int] | None
) -> None:
    parts = Parts(side)
    if last:
        parts.expect([place(*last)])
    for top, rows in asked:
        index = place(top, rows)
        parts.hold([index])
        np.testing.assert_array_equal(parts.take(index), gather(VALUES, index))


@given(st.integers(1, 50), st.integers(1, 20), st.sampled_from([rectangle, slanted]))
def test_from_north_to_south_each_strip_is_made_once(side: int, rows: int, place: Callable[[int, int], Index]) -> None:
    parts = Parts(side)
    for top in range(-5, 60, rows):
        parts.hold([place(top, rows)])
    assert parts.begun == list(range(0, 47, side))
