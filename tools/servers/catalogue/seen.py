"""What the server saw: requests, whole deliveries, and what the limits of the real services forbid."""

from __future__ import annotations

import select
import socket
import threading
import time
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Limits:
    """What a client may do; what is more is counted as forbidden, and answered all the same.

    Attributes:
        streams: downloads at once.
        rates: requests within any second, by route.
        minute_rates: requests within any minute, by route.
        sessions: password grants that hold at once; a further one is refused.
        password_grants: password grants in all; None = any number.
    """

    streams: int = 4
    rates: Mapping[str, int] = field(default_factory=dict)
    minute_rates: Mapping[str, int] = field(default_factory=dict)
    sessions: int = 100
    password_grants: int | None = None


class Seen:
    """Counts; every method may be called from any thread.

    Args:
        limits: beyond which a request is forbidden.
    """

    def __init__(self, limits: Limits) -> None:
        self.requests: Counter[str] = Counter()
        """Requests by route; beside them `password grant` and `refresh grant`."""
        self.whole: Counter[str] = Counter()
        """How often a product (name), an object (key) or an asset (path) was sent to its last byte, unspoiled."""
        self.faults: Counter[str] = Counter()
        """Faults that were committed, by kind."""
        self.forbidden: list[str] = []
        """One line for each thing that a client must not do."""
        self.early: Counter[str] = Counter()
        """Requests by route that came while `Retry-After` asked for none; those on their way already are among them."""
        self.most_streams = 0
        """Downloads at once, at most."""
        self._limits = limits
        self._times: dict[tuple[str, int], deque[float]] = {}
        self._closed_until: dict[str, float] = {}
        self._streams: set[socket.socket] = set()
        self._lock = threading.RLock()

    @property
    def whole_twice(self) -> list[str]:
        """What was delivered whole more than once."""
        with self._lock:
            return sorted(name for name, times in self.whole.items() if times > 1)

    def request(self, route: str) -> None:
        """Count a request."""
        with self._lock:
            self.requests[route] += 1
            self.early[route] += time.monotonic() < self._closed_until.get(route, 0.0)
            for rates, seconds in ((self._limits.rates, 1), (self._limits.minute_rates, 60)):
                rate = rates.get(route)
                if rate is not None and self._too_many(route, rate, seconds):
                    self.forbid(f"more than {rate} requests in {seconds} s: {route}")

    def _too_many(self, route: str, rate: int, seconds: int) -> bool:
        """Note the time of a request; return whether one too many came within some seconds."""
        times = self._times.setdefault((route, seconds), deque(maxlen=rate + 1))
        times.append(time.monotonic())
        return len(times) > rate and times[-1] - times[0] < seconds

    def close(self, route: str, seconds: float) -> None:
        """Note that clients were told to leave a route alone for some seconds."""
        with self._lock:
            self._closed_until[route] = time.monotonic() + seconds

    def count(self, what: str) -> None:
        """Count a grant."""
        with self._lock:
            self.requests[what] += 1
            allowed = self._limits.password_grants
            if what == "password grant" and allowed is not None and self.requests[what] > allowed:
                self.forbid(f"more than {allowed} password grants")

    def fault(self, kind: str) -> None:
        """Count a fault."""
        with self._lock:
            self.faults[kind] += 1

    def delivered(self, what: str) -> None:
        """Count a whole delivery."""
        with self._lock:
            self.whole[what] += 1

    def forbid(self, reason: str) -> None:
        """Note what a client must not do."""
        with self._lock:
            self.forbidden.append(reason)

    @contextmanager
    def stream(self, connection: socket.socket) -> Iterator[None]:
        """Count a download while it lasts."""
        with self._lock:
            # A client that has left is noticed at the next write alone; until then it holds no stream.
            self._streams = {other for other in self._streams if not has_left(other)} | {connection}
            self.most_streams = max(self.most_streams, len(self._streams))
            if len(self._streams) > self._limits.streams:
                self.forbid(f"more than {self._limits.streams} downloads at once")
        try:
            yield
        finally:
            self.end_stream(connection)

    def end_stream(self, connection: socket.socket) -> None:
        """Count a download no more: all but its last bytes are sent."""
        with self._lock:
            self._streams.discard(connection)


def has_left(connection: socket.socket) -> bool:
    """Return whether the client has closed its end of a connection, without waiting."""
    poll = select.poll()
    try:
        poll.register(connection, select.POLLIN)
        return bool(poll.poll(0)) and not connection.recv(1, socket.MSG_PEEK)
    except (OSError, ValueError):  # it is closed on this side
        return True
