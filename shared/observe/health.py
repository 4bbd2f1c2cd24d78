"""Health of a service: alive while its loop ticks."""

from __future__ import annotations

import time
from threading import Lock

from shared.observe.metrics import TICK


class Health:
    """Remembers when each loop ticked last.

    Args:
        limit_s: a loop silent for longer is not alive.
    """

    def __init__(self, limit_s: float = 60.0) -> None:
        self.limit_s = limit_s
        self._ticks: dict[str, float] = {}
        self._lock = Lock()

    def tick(self, stage: str) -> None:
        """Record that a loop is alive."""
        with self._lock:
            self._ticks[stage] = time.monotonic()
        TICK.labels(stage).set_to_current_time()

    def silent(self) -> list[str]:
        """Return the loops that have not ticked for longer than the limit."""
        now = time.monotonic()
        with self._lock:
            return sorted(s for s, t in self._ticks.items() if now - t > self.limit_s)
