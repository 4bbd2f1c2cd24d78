"""Rows are divided among threads: each is done once, and an error is heard."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.threads import on_parts


@given(st.integers(0, 60), st.integers(1, 70))
def test_each_row_is_done_once(count: int, at_once: int) -> None:
    done = np.zeros(count, int)

    def work(rows: slice) -> None:
        assert 0 < rows.stop - rows.start <= at_once
        done[rows] += 1

    on_parts(count, at_once, work)
    assert (done == 1).all()


def test_an_error_of_one_thread_is_raised() -> None:
    def work(rows: slice) -> None:
        if rows.start == 8:
            raise ValueError("row 8")

    with pytest.raises(ValueError, match="row 8"):
        on_parts(20, 4, work)
