"""How jobs ended that left no item: failure records, and receipts of landing units."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from shared.items.keys import DISMISSED, FAILURES, failure_key, receipt_key

OF_WITHDRAWALS = ("--restored", "--withdrawn")
"""What the jobs of a product that was withdrawn or restored are called beside it."""


@dataclass(frozen=True)
class BrokenRecord:
    """A failure record that says that a picture cannot be decoded.

    Attributes:
        job: id of the job that failed.
        collection: of what it was to make.
        week: of that.
        inputs: ids of the items that it was given, among them the one with the picture.
    """

    job: str
    collection: str
    week: str
    inputs: frozenset[str]


def parse_broken(data: bytes) -> BrokenRecord | None:
    """Read a failure record; None where it speaks of anything else, or is no record."""
    try:
        record: Any = json.loads(data)
        if record["broken"] is not True:
            return None
        inputs = frozenset(str(i) for i in record["inputs"])
        return BrokenRecord(str(record["job"]), str(record["collection"]), str(record["week"]), inputs)
    except (ValueError, LookupError, TypeError):
        return None


def job_of(record_key: str) -> str:
    """Return the id of the job that a failure record's key names."""
    return record_key.rpartition("/")[2].removesuffix(".json")


def products_of(job_id: str) -> set[str]:
    """Return the product that a job's id names, also without what a withdrawal's job is called beside it."""
    product = job_id.rpartition("--")[0]
    return {product, *(product.removesuffix(suffix) for suffix in OF_WITHDRAWALS)}


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

    def broken(self, product: str) -> Sequence[BrokenRecord]:
        """Return the records that say that a product's picture cannot be decoded."""

    def received(self, unit: str, receipt_id: str) -> bool:
        """Return whether a landing unit, as it is, has its receipt."""


class AskedEnds:
    """Asks the store for each record by its name: what an event needs is a few, whatever the store holds."""

    def __init__(self, objects: Records, read: Callable[[str], BrokenRecord | None]) -> None:
        self._objects, self._read = objects, read
        self._stages: list[str] | None = None

    def failed(self, stage: str, job_id: str) -> bool:
        """See `Ends.failed`."""
        return self._objects.exists(failure_key(stage, job_id))

    def broken(self, product: str) -> Sequence[BrokenRecord]:
        """See `Ends.broken`."""
        if self._stages is None:
            self._stages = sorted(self._objects.children(FAILURES))
        keys = (key for stage in self._stages for key in self._objects.keys(f"{FAILURES}{stage}/{product}--"))
        named = (key for key in keys if product in products_of(job_of(key)) and not key.endswith(DISMISSED))
        return [r for key in named if (r := self._read(key)) is not None]

    def received(self, unit: str, receipt_id: str) -> bool:
        """See `Ends.received`."""
        return self._objects.exists(receipt_key(unit, receipt_id))
