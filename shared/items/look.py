"""One look at a store: what was listed once does not change for as long as the look lasts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from shared.items.ends import BrokenRecord, Ends
from shared.items.partition import Key, Partition

if TYPE_CHECKING:
    from shared.items.reader import CatalogueReader


class Look:
    """See `shared.items.partition.Shelf`: each listing is made once, when it is first asked for."""

    def __init__(self, reader: CatalogueReader, ends: Ends) -> None:
        self._reader, self.ends = reader, ends
        self._partitions: dict[Key, Partition] = {}
        self._weeks: dict[str, list[str]] = {}
        self._collections: list[str] | None = None
        self._orders: frozenset[str] | None = None

    def weeks(self, collection: str) -> Sequence[str]:
        """See `Shelf.weeks`."""
        if collection not in self._weeks:
            self._weeks[collection] = self._reader.weeks(collection)
        return self._weeks[collection]

    def partition(self, collection: str, week: str) -> Partition:
        """See `Shelf.partition`."""
        key = (collection, week)
        if key not in self._partitions:
            self._partitions[key] = self._reader.partition(collection, week)
        return self._partitions[key]

    def let_go(self, is_gone: Callable[[str], bool]) -> None:
        """See `Shelf.let_go`."""
        for key in [k for k in self._partitions if is_gone(k[1])]:
            del self._partitions[key]

    def collections(self) -> Sequence[str]:
        """See `Shelf.collections`."""
        if self._collections is None:
            self._collections = self._reader.collections()
        return self._collections

    def failed(self, stage: str, job_id: str) -> bool:
        """See `Shelf.failed`."""
        return self.ends.failed(stage, job_id)

    def broken(self, product: str) -> Sequence[BrokenRecord]:
        """See `Shelf.broken`."""
        return self.ends.broken(product)

    def received(self, unit: str, receipt_id: str) -> bool:
        """See `Shelf.received`."""
        return self.ends.received(unit, receipt_id)

    def orders(self) -> frozenset[str]:
        """See `Shelf.orders`."""
        if self._orders is None:
            self._orders = self._reader.orders()
        return self._orders
