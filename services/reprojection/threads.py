"""Work on rows, shared by threads."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

THREADS: Final = 2
"""The cores that a pod may take."""


def on_rows(count: int, rows_at_once: int, work: Callable[[slice], None]) -> None:
    """Do some rows after others, on all threads; which thread does which makes no difference.

    Args:
        count: number of rows.
        rows_at_once: rows of one call.
        work: called with the rows to do; releases the interpreter's lock.
    """
    parts = (slice(first, min(first + rows_at_once, count)) for first in range(0, count, rows_at_once))
    with ThreadPoolExecutor(THREADS) as pool:
        for _ in pool.map(work, parts):
            pass
