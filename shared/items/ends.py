"""How jobs ended that left no item: failure records, and receipts of landing units."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from shared.items.keys import FAILURES, failure_key, receipt_key


class Records(Protocol):
    """What asking for a record needs of a store."""

    def keys(self, prefix: str) -> Iterable[str]:
        """Yield every key below a prefix."""

    def children(self, prefix: str) -> Iterable[str]:
        """Yield the names directly below a prefix."""

    def exists(self, key: str) -> bool:
        """Return whether there is an object."""


class Ends(Protocol):
    """How jobs ended that left no item: failure records, and receipts of landing units."""

    def failed(self, stage: str, job_id: str) -> bool:
        """Return whether a job has a failure record."""

    def broken(self, product: str) -> bool:
        """Return whether a record says that a product's picture cannot be decoded."""

    def received(self, unit: str, receipt_id: str) -> bool:
        """Return whether a landing unit, as it is, has its receipt."""


class AskedEnds:
    """Asks the store for each record by its name: what an event needs is a few, whatever the store holds."""

    def __init__(self, objects: Records, is_broken_record: Callable[[str], bool]) -> None:
        self._objects, self._is_broken_record = objects, is_broken_record
        self._stages: list[str] | None = None

    def failed(self, stage: str, job_id: str) -> bool:
        """See `Ends.failed`."""
        return self._objects.exists(failure_key(stage, job_id))

    def broken(self, product: str) -> bool:
        """See `Ends.broken`."""
        if self._stages is None:
            self._stages = sorted(self._objects.children(FAILURES))
        records = (key for stage in self._stages for key in self._objects.keys(f"{FAILURES}{stage}/{product}--"))
        return any(map(self._is_broken_record, records))

    def received(self, unit: str, receipt_id: str) -> bool:
        """See `Ends.received`."""
        return self._objects.exists(receipt_key(unit, receipt_id))
