"""What one listing tells about failure records and receipts, for a look at everything."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from shared.items.ends import BrokenRecord, job_of, products_of
from shared.items.keys import DISMISSED, dismissal_key, failure_key, receipt_key
from shared.store import Store


class ListedEnds:
    """See `shared.items.ends.Ends`.

    Args:
        store: asked for the receipt of a unit that has some.
        failures: all keys below `failures/`: of records, and of what says that one was dismissed.
        received: names of the landing units that have a receipt.
        read: reads a failure record; None where it does not speak of a picture that cannot be decoded.
    """

    def __init__(
        self,
        store: Store,
        failures: Iterable[str],
        received: Iterable[str],
        read: Callable[[str], BrokenRecord | None],
    ) -> None:
        self._store, self._read = store, read
        found = frozenset(failures)
        self._dismissals = frozenset(key for key in found if key.endswith(DISMISSED))
        self.failures, self.units = found - self._dismissals, frozenset(received)
        self._records: dict[str, list[str]] = {}
        for key in self.failures:
            for product in products_of(job_of(key)):
                self._records.setdefault(product, []).append(key)

    def failed(self, stage: str, job_id: str) -> bool:
        """See `Ends.failed`."""
        return failure_key(stage, job_id) in self.failures

    def dismissed(self, stage: str, job_id: str) -> bool:
        """Return whether a job's failure record was dismissed: the job is not due, and does not count as failed."""
        return dismissal_key(stage, job_id) in self._dismissals

    def has_records(self, product: str) -> bool:
        """Return whether a failure record names a product, or a landing unit."""
        return product in self._records

    def broken(self, product: str) -> Sequence[BrokenRecord]:
        """See `Ends.broken`."""
        return [r for key in self._records.get(product, ()) if (r := self._read(key)) is not None]

    def received(self, unit: str, receipt_id: str) -> bool:
        """See `Ends.received`."""
        return unit in self.units and self._store.exists(receipt_key(unit, receipt_id))
