"""Windows of arrays: what lies outside, across chunks and batches, and what is asked for ahead."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import zarr
from hypothesis import given
from hypothesis import strategies as st
from zarr.core.buffer import default_buffer_prototype
from zarr.storage import MemoryStore

from shared.cube.layout import COMPRESSOR
from shared.cube.windows import AHEAD, BATCH, Part, read_each, read_together
from shared.raster.grid import Window

VALUES = np.arange(1, 2 * 5 * 7 * 3 + 1).reshape(2, 5, 7, 3)
ARRAY = zarr.create_array({}, data=VALUES, chunks=(1, 2, 2, 3), compressors=COMPRESSOR)
windows = st.builds(Window, st.integers(-9, 9), st.integers(-9, 9), st.integers(0, 12), st.integers(0, 12))


def expected(window: Window, week: int = 1) -> np.ndarray:
    padded = np.zeros((2, 45, 47, 3), int)
    padded[:, 20:25, 20:27] = VALUES
    return padded[week, window.y + 20 :, window.x + 20 :][: window.ny, : window.nx]


@given(windows)
def test_a_window_is_zero_outside(window: Window) -> None:
    (found,) = read_together(Part(ARRAY, (1,), window, (3,), "int64"))
    np.testing.assert_array_equal(found, expected(window))


@given(st.lists(st.lists(windows, max_size=3), max_size=20))
def test_groups_come_in_their_order(groups: list[list[Window]]) -> None:
    wanted = ([Part(ARRAY, (week % 2,), w, (3,), "int64") for week, w in enumerate(group)] for group in groups)
    found = list(read_each(wanted))
    assert len(found) == len(groups)
    for group, values in zip(groups, found, strict=True):
        assert len(values) == len(group)
        for week, (window, each) in enumerate(zip(group, values, strict=True)):
            np.testing.assert_array_equal(each, expected(window, week % 2))


def test_where_nothing_is_stored_the_fill_stands() -> None:
    array = zarr.create_array({}, shape=(4, 4), chunks=(2, 2), dtype="float32", compressors=COMPRESSOR)
    array[:2, :2] = 5
    nothing, some = read_together(
        Part(None, (), Window(0, 0, 2, 3), (4,), "uint16"), Part(array, (), Window(1, 1, 2, 4), (), "float32", np.nan)
    )
    assert nothing.shape == (2, 3, 4)
    assert not nothing.any()
    np.testing.assert_array_equal(some, [[5, np.nan, np.nan, np.nan], [np.nan] * 4])


def test_no_more_is_asked_for_than_some_batches_ahead() -> None:
    taken = 0

    def groups() -> Iterator[list[Part]]:
        nonlocal taken
        while True:
            taken += 1
            yield [Part(ARRAY, (0,), Window(0, 0, 2, 2), (3,), "int64")]

    reading = read_each(groups())
    for _ in range(3 * BATCH):
        next(reading)
    assert taken <= (3 + AHEAD + 1) * BATCH
    reading.close()  # type: ignore[attr-defined]


def test_a_damaged_chunk_is_no_value() -> None:
    store = MemoryStore()
    values = np.arange(128 * 128).reshape(128, 128)
    array = zarr.create_array(store, data=values, chunks=(128, 128), compressors=COMPRESSOR, name="values")
    chunk = store._store_dict["values/c/0/0"].to_bytes()
    store._store_dict["values/c/0/0"] = default_buffer_prototype().buffer.from_bytes(
        chunk[:16] + bytes(len(chunk) - 16)
    )
    with pytest.raises(RuntimeError, match="decompress"):
        read_together(Part(array, (), Window(0, 0, 4, 4), (), "int64"))
