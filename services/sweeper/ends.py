"""What one listing tells about failure records and receipts, for a look at everything."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from shared.items.keys import failure_key, receipt_key
from shared.store import Store


class ListedEnds:
    """See `shared.items.reader.Ends`.

    Args:
        store: asked for the receipt of a unit that has some.
        failures: keys of all failure records.
        received: names of the landing units that have a receipt.
        is_broken_record: whether a failure record speaks of a picture that cannot be decoded.
    """

    def __init__(
        self,
        store: Store,
        failures: Iterable[str],
        received: Iterable[str],
        is_broken_record: Callable[[str], bool],
    ) -> None:
        self._store, self._is_broken_record = store, is_broken_record
        self.failures, self.units = frozenset(failures), frozenset(received)
        self._records: dict[str, list[str]] = {}
        for key in self.failures:
            product, _, _ = key.rpartition("/")[2].rpartition("--")
            self._records.setdefault(product, []).append(key)

    def failed(self, stage: str, job_id: str) -> bool:
        """See `Ends.failed`."""
        return failure_key(stage, job_id) in self.failures

    def has_records(self, product: str) -> bool:
        """Return whether a failure record names a product, or a landing unit."""
        return product in self._records

    def broken(self, product: str) -> bool:
        """See `Ends.broken`."""
        return any(map(self._is_broken_record, self._records.get(product, ())))

    def received(self, unit: str, receipt_id: str) -> bool:
        """See `Ends.received`."""
        return unit in self.units and self._store.exists(receipt_key(unit, receipt_id))
