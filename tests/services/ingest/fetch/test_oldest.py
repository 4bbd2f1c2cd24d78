"""For how long the first product of a lane has waited."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

from services.ingest.fetch import term
from services.ingest.fetch.book import Book
from services.ingest.fetch.queue import Lane, Queue, Wanted
from shared.items.products import Standing
from shared.store import FolderStore
from tests.services.ingest.fetch.conftest import StoodClock
from tests.services.ingest.fetch.workshop import L2A, Bench, Serving, name_of, until


def wanted(product: str, lane: Lane = "forward") -> Wanted:
    return Wanted("sentinel-2-l2a", "2018-W23", product, lane, 0.0)


def test_what_waited_in_an_earlier_process_waits_on(stood: StoodClock) -> None:
    queue = Queue(3, stood.now)
    queue.put(wanted("a"))
    stood.time += 10
    queue.put(wanted("b"), waited_s=7200.0)
    queue.put(wanted("c"), waited_s=60.0)
    assert queue.oldest_s("forward") == 7200
    for oldest in (60, 10):
        taken = queue.take(0.0)
        while taken is not None and taken.product not in {"b", "c"}:
            queue.again(taken, 1.0)
            taken = queue.take(0.0)
        assert taken is not None
        queue.ended(taken)
        assert queue.oldest_s("forward") == oldest
    queue.drain()
    assert queue.oldest_s("forward") == 0


def test_how_long_a_product_waits_is_told_from_when_it_was_found(tmp_path: Path) -> None:
    now = [datetime(2026, 1, 1, tzinfo=UTC)]
    book = Book(FolderStore(tmp_path), lambda: now[0])
    week, product = "2018-W23", name_of()
    assert book.waited_s(Standing(L2A, week, product, 0, "found")) == 0
    book.say(L2A, week, product, "found", "")
    now[0] += timedelta(hours=7)
    assert book.waited_s(book.week(L2A, week)[product]) == 7 * 3600
    tried = book.say(L2A, week, product, "fetching", "tried 1 time")
    now[0] += timedelta(hours=1)
    assert book.waited_s(tried) == 8 * 3600
    book.say(L2A, week, product, "failed", "")
    again = book.say(L2A, week, product, "found", "requeued")
    now[0] += timedelta(hours=1)
    assert book.waited_s(again) == 3600


def test_a_restart_does_not_make_a_product_younger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(term, "TICK_S", 0.05)
    bench = Bench(FolderStore(tmp_path / "store"), tmp_path / "fetch")
    now, name = datetime.now(UTC), name_of()
    offer = bench.shop.add(name, size=10**15)  # more than the disk has room for
    book = Book(bench.store, lambda: now - timedelta(hours=7))
    book.describe(L2A, "2018-W23", offer)
    book.say(L2A, "2018-W23", name, "found", "")
    lane = {"lane": "backfill"}
    with Serving(bench, bench.fetcher(once=False)):
        until(lambda: (REGISTRY.get_sample_value("landstream_fetch_oldest_seconds", lane) or 0) > 6 * 3600)


def test_the_oldest_of_a_lane_is_the_one_that_was_added_first(stood: StoodClock) -> None:
    queue = Queue(3, stood.now)
    assert queue.oldest_s("forward") == 0
    queue.put(wanted("a"))
    stood.time += 10
    queue.put(wanted("b"))
    queue.put(wanted("c", "backfill"))
    stood.time += 5
    queue.put(wanted("a"))
    assert (queue.oldest_s("forward"), queue.oldest_s("backfill")) == (15, 5)
    first = queue.take(0.0)
    assert first == wanted("a")
    assert queue.oldest_s("forward") == 15, "it is not here yet"
    queue.again(first, 3600.0)
    assert queue.oldest_s("forward") == 15, "it waits still, whatever for"
    second = queue.take(0.0)
    assert second == wanted("b")
    queue.ended(second)
    taken = queue.take(3600.0)
    assert taken == wanted("a")
    queue.ended(taken)
    assert queue.oldest_s("forward") == 0
