"""A partition is read by several threads at once: the runners of one process and its driver share them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from threading import Thread

import pytest

from shared.items.partition import Partition
from tests.catalogues import item

ITEMS = {i.id: i for i in (item("cloud-masks", f"p{n:04d}--v1-0a1b2c3d") for n in range(2000))}


@pytest.fixture
def eager_threads() -> Iterator[None]:
    """Threads that take turns a thousand times as often as they do otherwise."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("eager_threads")
def test_what_another_thread_reads_meanwhile_may_be_kept() -> None:
    for _ in range(20):
        before = Partition(ITEMS, lambda ids: {i: ITEMS[i] for i in ids})
        reading = Thread(target=lambda p: [p.get(i) for i in ITEMS], args=(before,))
        reading.start()
        try:
            while reading.is_alive():
                Partition(ITEMS, lambda ids: {}).keep(before)
        finally:
            reading.join()
        after = Partition(ITEMS, lambda ids: {})
        after.keep(before)
        assert after.loaded == len(ITEMS)


def test_only_what_still_exists_is_kept() -> None:
    before = Partition(ITEMS, lambda ids: {i: ITEMS[i] for i in ids})
    before.all()
    gone, *rest = ITEMS
    after = Partition(rest, lambda ids: {})
    after.keep(before)
    assert (after.loaded, after.get(gone), after.get(rest[0])) == (len(rest), None, ITEMS[rest[0]])
