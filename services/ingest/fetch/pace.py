"""How often a host is asked, and how long it is left alone."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Final

FIRST_WAIT_S: Final = 0.5
LONGEST_BACKOFF_S: Final = 30.0
LONGEST_RETRY_AFTER_S: Final = 24 * 3600.0
"""A provider's wish to be left alone counts up to this: a wrong date would silence us for years."""


@dataclass(frozen=True)
class Clock:
    """What tells the time and waits; tests give their own.

    Attributes:
        now: seconds that never go back.
        sleep: waits for seconds.
        today: seconds since 1970, UTC.
    """

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    today: Callable[[], float] = time.time


def backoff(tries: int) -> float:
    """Return how many seconds to wait after some failed tries: doubled each time, and half of it by chance."""
    longest = min(LONGEST_BACKOFF_S, FIRST_WAIT_S * 2.0 ** min(tries - 1, 10))
    return random.uniform(longest / 2, longest)


def retry_after(text: str | None, today: float) -> float | None:
    """Read `Retry-After`: seconds, or a date of HTTP.

    Args:
        text: the header's; None if there is none.
        today: seconds since 1970, UTC.

    Returns:
        seconds, from 0 to `LONGEST_RETRY_AFTER_S`; None where it says nothing that can be read.
    """
    if text is None:
        return None
    text = text.strip()
    if text.isascii() and text.isdecimal():
        seconds = float(text[:12])
    else:
        try:
            when = parsedate_to_datetime(text)
        except ValueError:
            return None
        seconds = (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp() - today
    return min(max(seconds, 0.0), LONGEST_RETRY_AFTER_S)


class Pace:
    """A token bucket for each host; used by many threads at once."""

    def __init__(self, rates: Mapping[str, float], otherwise: float, clock: Clock) -> None:
        """Fill each bucket with one second's requests.

        Args:
            rates: host -> requests a second.
            otherwise: requests a second for a host that is not named.
            clock: tells the time and waits.
        """
        self._rates = dict(rates)
        self._otherwise = otherwise
        self._clock = clock
        self._lock = threading.Lock()
        self._due: dict[str, float] = {}
        self._held: dict[str, float] = {}

    def wait(self, host: str) -> None:
        """Wait until a host may be asked once more."""
        rate = self._rates.get(host, self._otherwise)
        with self._lock:
            now = self._clock.now()
            start = max(now, self._held.get(host, now))
            due = max(self._due.get(host, start), start) + 1 / rate
            self._due[host] = due
            pause = max(start, due - max(1.0, 1 / rate)) - now
        if pause > 0:
            self._clock.sleep(pause)

    def hold(self, host: str, seconds: float) -> None:
        """Leave a host alone for some time, whoever asks."""
        with self._lock:
            self._held[host] = max(self._held.get(host, 0.0), self._clock.now() + seconds)
