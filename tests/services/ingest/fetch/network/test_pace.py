"""How often services are asked, and how long they are left alone."""

from __future__ import annotations

import threading
from email.utils import formatdate

import pytest

from services.ingest.fetch.errors import Unavailable
from services.ingest.fetch.network.pace import (
    LONGEST_BACKOFF_S,
    LONGEST_RETRY_AFTER_S,
    Clock,
    Pace,
    backoff,
    retry_after,
)
from tests.services.ingest.fetch.conftest import StoodClock


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (None, None),
        ("2", 2.0),
        (" 0 ", 0.0),
        ("-5", None),
        ("soon", None),
        ("", None),
        ("²", None),
        ("1" * 400, LONGEST_RETRY_AFTER_S),
        (formatdate(1030, usegmt=True), 30.0),
        (formatdate(900, usegmt=True), 0.0),
        ("Fri, 31 Dec 9998 23:59:59 GMT", LONGEST_RETRY_AFTER_S),
        ("Fri, 99 Dec 2026 23:59:59 GMT", None),
    ],
)
def test_retry_after_is_read_and_capped(text: str | None, seconds: float | None) -> None:
    assert retry_after(text, 1000.0) == seconds


def test_waits_grow_and_differ_by_chance() -> None:
    assert 0.25 <= backoff(1) <= 0.5
    assert LONGEST_BACKOFF_S / 2 <= backoff(50) <= LONGEST_BACKOFF_S
    assert len({backoff(3) for _ in range(10)}) > 1


def test_a_service_is_asked_in_even_steps_and_others_are_not_held_up(stood: StoodClock) -> None:
    pace = Pace({"http://a/stac": 4.0}, 2.0, stood.clock())
    for _ in range(5):
        pace.wait("http://a/stac/search")
    assert stood.time == pytest.approx(1001.0)
    pace.wait("http://a/odata")
    assert stood.time == pytest.approx(1001.0)
    pace.wait("http://a/odata")
    assert stood.time == pytest.approx(1001.5)


def test_a_service_that_wants_to_be_left_alone_is(stood: StoodClock) -> None:
    pace = Pace({}, 100.0, stood.clock())
    pace.hold("http://a/x", 7.0)
    pace.wait("http://b/x")
    assert stood.time == 1000.0
    pace.wait("http://a/y")
    assert stood.time == pytest.approx(1007.0)


def test_a_service_that_wants_to_be_left_alone_for_long_is_not_waited_for(stood: StoodClock) -> None:
    pace = Pace({}, 100.0, stood.clock())
    pace.hold("http://a/x", 61.0)
    with pytest.raises(Unavailable) as caught:
        pace.wait("http://a/y", 60.0)
    assert (caught.value.retry_after_s, stood.slept) == (61.0, [])
    pace.wait("http://b/y", 60.0)
    stood.time += 1.0
    pace.wait("http://a/y", 60.0)
    assert stood.time == pytest.approx(1061.0)


def test_a_wish_that_comes_while_somebody_waits_is_heard(stood: StoodClock) -> None:
    def sleep(seconds: float) -> None:
        stood.sleep(seconds)
        pace.hold("http://a/x", 7200.0)

    pace = Pace({}, 1.0, Clock(stood.now, sleep, stood.now))
    pace.wait("http://a/x", 60.0)
    with pytest.raises(Unavailable):
        pace.wait("http://a/x", 60.0)
    assert stood.time == pytest.approx(1001.0)


def test_threads_share_the_steps() -> None:
    clock = StoodClock()
    pace = Pace({}, 10.0, clock.clock())
    threads = [threading.Thread(target=pace.wait, args=("http://a/",)) for _ in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert clock.time >= 1000.7 - 1e-6
