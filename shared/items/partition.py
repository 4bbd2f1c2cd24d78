"""The items of one collection in one week: their ids at once, their content when it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import Protocol

from shared.items.ends import BrokenRecord, products_of
from shared.items.ids import ItemId, split_id
from shared.items.item import Item
from shared.items.keys import failure_key, receipt_key

Key = tuple[str, str]
"""Collection and week: what names a partition."""

Load = Callable[[Iterable[str]], Mapping[str, Item]]
"""Reads items by id; those that vanished, or are not items, are missing from the answer."""


class Partition:
    """An immutable list of ids; items are read once, one by one or all together.

    Args:
        ids: of the items that exist.
        load: reads some of them.
    """

    def __init__(self, ids: Iterable[str], load: Load) -> None:
        self.ids: Mapping[str, ItemId] = {i: split_id(i) for i in sorted(ids)}
        self._load, self._items, self._missing = load, dict[str, Item](), set[str]()
        self._indexes: dict[str, dict[str, tuple[Item, ...]]] = {}

    def get(self, item_id: str) -> Item | None:
        """Return one item; None where there is none."""
        return self._items.get(item_id) or next(iter(self.some((item_id,))), None)

    def some(self, ids: Iterable[str]) -> list[Item]:
        """Return those of some items that exist, in the order given."""
        wanted = [i for i in ids if i in self.ids]
        unread = [i for i in wanted if i not in self._items and i not in self._missing]
        if unread:
            self._items.update(self._load(unread))
            self._missing.update(i for i in unread if i not in self._items)
        return [self._items[i] for i in wanted if i in self._items]

    def all(self) -> list[Item]:
        """Return every item, by id."""
        if len(self._items) + len(self._missing) < len(self.ids):
            self.some(self.ids)
        return [item for i in self.ids if (item := self._items.get(i)) is not None]

    def keep(self, other: Partition) -> None:
        """Take over what another partition has read: an item never changes."""
        # A copy, made in one step: threads share a reader, and another one may be reading into the other partition.
        read = other._items.copy()
        self._items.update({i: item for i, item in read.items() if i in self.ids})

    @property
    def loaded(self) -> int:
        """How many items it holds in memory."""
        return len(self._items)

    @cached_property
    def by_product(self) -> Mapping[str, Sequence[ItemId]]:
        """Ids by the product that they name."""
        found: dict[str, list[ItemId]] = {}
        for parsed in self.ids.values():
            found.setdefault(parsed.product, []).append(parsed)
        return found

    def index(self, name: str) -> Mapping[str, tuple[Item, ...]]:
        """Return the items by a `landstream:` property of theirs, as text; each group by id."""
        if name not in self._indexes:
            found: dict[str, list[Item]] = {}
            for item in self.all():
                found.setdefault(str(item.properties.get(f"landstream:{name}")), []).append(item)
            self._indexes[name] = {value: tuple(items) for value, items in found.items()}
        return self._indexes[name]


class Shelf(Protocol):
    """One look at what a store holds; what was looked at once does not change for as long as the look lasts."""

    def weeks(self, collection: str) -> Sequence[str]:
        """Return the weeks in which a collection has items, ascending, `static` among them."""

    def partition(self, collection: str, week: str) -> Partition:
        """Return the items of a collection in a week."""

    def let_go(self, is_gone: Callable[[str], bool]) -> None:
        """Forget the weeks that are gone; asked for again, they may be listed again."""

    def collections(self) -> Sequence[str]:
        """Return the collections that have items, by name."""

    def failed(self, stage: str, job_id: str) -> bool:
        """Return whether a job has a failure record."""

    def broken(self, product: str) -> Sequence[BrokenRecord]:
        """Return the failure records that say that a product's picture cannot be decoded."""

    def received(self, unit: str, receipt_id: str) -> bool:
        """Return whether a landing unit in its present state has its receipt."""

    def orders(self) -> frozenset[str]:
        """Return the keys of the standing orders to reprocess."""


class MemoryShelf:
    """Items that are in memory already.

    Args:
        items: the items.
        failures: keys of failure records.
        receipts: keys of receipts.
        orders: keys of orders to reprocess.
        broken: records of pictures that cannot be decoded.
    """

    def __init__(
        self,
        items: Iterable[Item] = (),
        failures: Iterable[str] = (),
        receipts: Iterable[str] = (),
        orders: Iterable[str] = (),
        broken: Iterable[BrokenRecord] = (),
    ) -> None:
        self._failures, self._receipts, self._orders = frozenset(failures), frozenset(receipts), frozenset(orders)
        self._broken = tuple(broken)
        found: dict[Key, dict[str, Item]] = {}
        for item in items:
            found.setdefault((item.collection, item.week), {})[item.id] = item
        self._partitions = {key: Partition(group, _pick(group)) for key, group in found.items()}

    def weeks(self, collection: str) -> Sequence[str]:
        """See `Shelf.weeks`."""
        return sorted(week for c, week in self._partitions if c == collection)

    def partition(self, collection: str, week: str) -> Partition:
        """See `Shelf.partition`."""
        return self._partitions.get((collection, week)) or Partition((), lambda ids: {})

    def let_go(self, is_gone: Callable[[str], bool]) -> None:
        """See `Shelf.let_go`."""

    def collections(self) -> Sequence[str]:
        """See `Shelf.collections`."""
        return sorted({collection for collection, _ in self._partitions})

    def failed(self, stage: str, job_id: str) -> bool:
        """See `Shelf.failed`."""
        return failure_key(stage, job_id) in self._failures

    def broken(self, product: str) -> Sequence[BrokenRecord]:
        """See `Shelf.broken`."""
        return [record for record in self._broken if product in products_of(record.job)]

    def received(self, unit: str, receipt_id: str) -> bool:
        """See `Shelf.received`."""
        return receipt_key(unit, receipt_id) in self._receipts

    def orders(self) -> frozenset[str]:
        """See `Shelf.orders`."""
        return self._orders


def _pick(group: Mapping[str, Item]) -> Load:
    return lambda ids: {i: group[i] for i in ids}
