"""How often a service is asked, and how long it is left alone."""

from __future__ import annotations

import math
import random
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Final

from services.ingest.fetch.errors import Unavailable
from services.ingest.fetch.network.hosts import origin_of

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
    """Even steps between the requests to each service; used by many threads at once."""

    def __init__(self, rates: Mapping[str, float], otherwise: float, clock: Clock) -> None:
        """Let the first request to each service go at once.

        Args:
            rates: beginning of the addresses of a service -> requests a second.
            otherwise: requests a second to a host of which `rates` says nothing.
            clock: tells the time and waits.
        """
        self._rates = dict(rates)
        self._otherwise = otherwise
        self._clock = clock
        self._lock = threading.Lock()
        self._free: dict[str, float] = {}
        self._held: dict[str, float] = {}

    def wait(self, address: str, longest_s: float = math.inf) -> None:
        """Wait until an address may be asked.

        Args:
            address: absolute.
            longest_s: that a service which wants to be left alone is waited for.

        Raises:
            Unavailable: it wants to be left alone for longer.
        """
        service = self._service(address)
        step = 1 / self._rates.get(service, self._otherwise)
        with self._lock:
            now = self._clock.now()
            self._left(service, now, longest_s)
            start = max(now, self._free.get(service, now), self._held.get(service, now))
            self._free[service] = start + step
        while (pause := max(start - now, self._left(service, now, longest_s))) > 0:
            self._clock.sleep(pause)
            now = self._clock.now()

    def hold(self, address: str, seconds: float) -> None:
        """Leave an address's service alone for some time, whoever asks."""
        service = self._service(address)
        with self._lock:
            self._held[service] = max(self._held.get(service, 0.0), self._clock.now() + seconds)

    def _left(self, service: str, now: float, longest_s: float) -> float:
        """Return for how many seconds more a service is left alone.

        Raises:
            Unavailable: for longer than may be waited.
        """
        left = self._held.get(service, now) - now
        if left > longest_s:
            raise Unavailable(f"{service} wants to be left alone", left)
        return left

    def _service(self, address: str) -> str:
        services = [service for service in self._rates if address.startswith(service)]
        return max(services, key=len, default=origin_of(address).host)
