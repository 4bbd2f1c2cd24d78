"""The volume that was fetched, day by day, in the store: a limit for 30 days holds over restarts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from threading import Lock

from pydantic_core import from_json

from services.ingest.fetch.lease import utc_now
from shared.items.ids import canonical
from shared.items.keys import check_key
from shared.items.products import OWN
from shared.store import Store

PREFIX = f"{OWN}usage/"
DAYS = 30
"""The services count rolling 30 days."""

ASSUMED_BYTES = 1_200_000_000
"""Bytes that are counted for a product whose size the provider does not state, until it is there."""


def used_bytes(store: Store, today: datetime) -> int:
    """Return the bytes that were fetched in the 30 days up to today, UTC."""
    return sum(_days(store, today).values())


def _days(store: Store, today: datetime) -> dict[str, int]:
    first = (today - timedelta(days=DAYS - 1)).date().isoformat()
    names = (name.removesuffix(".json") for name in store.children(PREFIX))
    return {name: int(from_json(store.get(_key(name)))["bytes"]) for name in names if name >= first}


def _key(day: str) -> str:
    return check_key(f"{PREFIX}{day}.json")


class Usage:
    """Counts volume against a limit. One process counts at a time: whoever holds the lead.

    Args:
        store: where the days are kept.
        limit_gb: gigabytes (10^9 bytes) for 30 days; None = no limit.
        now: tells the time, UTC.
    """

    def __init__(self, store: Store, limit_gb: float | None, now: Callable[[], datetime] = utc_now) -> None:
        self._store, self._limit, self._now = store, None if limit_gb is None else int(limit_gb * 1e9), now
        self._lock = Lock()
        self._counted = _days(store, now())

    def reserve(self, size: int) -> bool:
        """Count bytes that are about to be fetched, before they are; return whether the limit allows them."""
        with self._lock:
            if self._limit is not None and self._total() + size > self._limit:
                return False
            self._add(size)
            return True

    def correct(self, size: int) -> None:
        """Add bytes, or take back those that were reserved and did not come."""
        with self._lock:
            self._add(size)

    def has_room(self, size: int) -> bool:
        """Return whether the limit allows so many bytes now; nothing is counted."""
        return self._limit is None or self.used + size <= self._limit

    def fits(self, size: int) -> bool:
        """Return whether a product of so many bytes could ever be fetched within the limit."""
        return self._limit is None or size <= self._limit

    @property
    def used(self) -> int:
        """Bytes of the last 30 days."""
        with self._lock:
            return self._total()

    @property
    def limit(self) -> int | None:
        """Bytes that 30 days may have."""
        return self._limit

    def _total(self) -> int:
        first = (self._now() - timedelta(days=DAYS - 1)).date().isoformat()
        for day in [day for day in self._counted if day < first]:
            del self._counted[day]
        return sum(self._counted.values())

    def _add(self, size: int) -> None:
        if size:
            day = self._now().date().isoformat()
            self._counted[day] = max(0, self._counted.get(day, 0) + size)
            self._store.put(_key(day), canonical({"bytes": self._counted[day]}))
