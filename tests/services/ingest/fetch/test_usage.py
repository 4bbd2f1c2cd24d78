"""The volume of 30 days: counted before bytes come, kept over restarts, and forgotten day by day."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from services.ingest.fetch.usage import Usage, used_bytes
from shared.store import FolderStore

DAY = datetime(2024, 5, 31, 12, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "store")


def test_what_was_counted_holds_after_a_restart(store: FolderStore) -> None:
    usage = Usage(store, 1e-6, lambda: DAY)  # a thousand bytes
    assert usage.reserve(600)
    assert not usage.reserve(600)
    again = Usage(store, 1e-6, lambda: DAY)
    assert again.used == 600
    assert not again.reserve(401)
    assert again.reserve(400)
    assert used_bytes(store, DAY) == 1000


def test_thirty_days_count_and_the_day_before_does_not(store: FolderStore) -> None:
    now = [DAY]
    usage = Usage(store, 1e-6, lambda: now[0])
    assert usage.reserve(1000)
    now[0] = DAY + timedelta(days=29)
    assert not usage.reserve(1)
    assert used_bytes(store, now[0]) == 1000
    now[0] = DAY + timedelta(days=30)
    assert usage.reserve(1000)
    assert used_bytes(store, now[0]) == 1000
    assert Usage(store, None, lambda: now[0]).used == 1000


def test_what_did_not_come_is_given_back(store: FolderStore) -> None:
    usage = Usage(store, 1e-6, lambda: DAY)
    assert usage.reserve(1000)
    usage.correct(-900)
    assert usage.used == 100
    assert usage.has_room(900)
    assert not usage.has_room(901)
    usage.correct(-900)
    assert usage.used == 0, "never less than nothing"


def test_without_a_limit_it_only_counts(store: FolderStore) -> None:
    usage = Usage(store, None, lambda: DAY)
    assert usage.reserve(10**15)
    assert usage.fits(10**15)
    assert usage.has_room(10**15)
    assert usage.used == 10**15
    assert usage.limit is None


def test_a_product_that_is_larger_than_the_limit_never_fits(store: FolderStore) -> None:
    usage = Usage(store, 1e-6, lambda: DAY)
    assert usage.fits(1000)
    assert not usage.fits(1001)


def test_threads_do_not_exceed_the_limit_together(store: FolderStore) -> None:
    usage, got = Usage(store, 1e-7, lambda: DAY), list[bool]()
    threads = [threading.Thread(target=lambda: got.append(usage.reserve(10))) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(got) == 10
    assert usage.used == 100
