"""Work on rows or columns, shared by threads: whoever does it releases the interpreter's lock."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

THREADS: Final = min(8, len(os.sched_getaffinity(0)))
"""The cores that this process may use; of a machine with many, a share."""


def on_parts(count: int, at_once: int, work: Callable[[slice], None]) -> None:
    """Do some rows after others, on all threads; which thread does which makes no difference.

    Args:
        count: number of rows, or of columns.
        at_once: rows of one call.
        work: called with the rows to do, which it alone changes.
    """
    parts = (slice(first, min(first + at_once, count)) for first in range(0, count, at_once))
    with ThreadPoolExecutor(THREADS) as pool:
        for _ in pool.map(work, parts):
            pass
