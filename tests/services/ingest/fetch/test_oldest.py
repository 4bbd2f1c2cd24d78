"""For how long the first product of a lane has waited."""

from __future__ import annotations

from services.ingest.fetch.queue import Lane, Queue, Wanted
from tests.services.ingest.fetch.conftest import StoodClock


def wanted(product: str, lane: Lane = "forward") -> Wanted:
    return Wanted("sentinel-2-l2a", "2018-W23", product, lane, 0.0)


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
