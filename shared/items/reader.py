"""Reads items from a store, week by week, at the cost of what is new."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import RLock
from typing import TYPE_CHECKING, Protocol

from shared.area import Area
from shared.items.catalogue import Catalogue, Rule
from shared.items.ends import AskedEnds, BrokenRecord, Ends, parse_broken
from shared.items.ids import split_id
from shared.items.item import BadItem, Item
from shared.items.keys import ITEMS, ORDERS, item_key, items_prefix, split_order_key
from shared.items.look import Look
from shared.items.partition import Key, Partition
from shared.items.properties import check_facts
from shared.items.week_index import Listed, Stored, read_index
from shared.items.weeks import STATIC, BadKey, check_week

if TYPE_CHECKING:
    from shared.items.summary import KeptSummary

READERS = 16
"""Items that are read at once: a store far away answers each only after a while."""

INDEXED = 16
"""From so many unread items on, their index is looked for first."""

KEPT = 4000
"""Items of weeks that are kept in memory between two looks: some 100 MB."""

MOST_BYTES = 16 << 20
"""An object that is larger is not an item: one of ours takes some 10 KB, that of a sheet of many scenes 100 KB."""


class Objects(Protocol):
    """What reading the catalogue needs of a store."""

    remote: bool

    def keys(self, prefix: str) -> Iterable[str]:
        """Yield every key below a prefix."""

    def list(self, prefix: str) -> Iterable[Listed]:
        """Yield every object below a prefix."""

    def children(self, prefix: str) -> Iterable[str]:
        """Yield the names directly below a prefix."""

    def exists(self, key: str) -> bool:
        """Return whether there is an object."""

    def get(self, key: str) -> bytes:
        """Return the object's bytes.

        Raises:
            LookupError: there is none.
        """


class CatalogueReader:
    """Keeps items that it has read, so that a look costs one listing for each week that is asked for.

    Args:
        objects: the store.
        area: the study area.
        rules: collection -> what is current in it.

    Attributes:
        foreign: key -> why, of what was found that is not what its place says: below `items/` an item, below
            `reprocess/` an order, below `failures/` a failure record; it is left alone.
    """

    def __init__(self, objects: Objects, area: Area, rules: Mapping[str, Rule]) -> None:
        self._objects, self._area, self._rules = objects, area, rules
        self._kept: OrderedDict[Key, Partition] = OrderedDict()
        self._summaries: dict[str, KeptSummary] = {}
        self.foreign: dict[str, str] = {}
        self._lock = RLock()

    def look(self, ends: Ends | None = None) -> Look:
        """Begin one look at the store.

        Args:
            ends: what is known of failure records and receipts, from a listing of all; asked for one by one otherwise.
        """
        return Look(self, ends or AskedEnds(self._objects, self.broken_record))

    def snapshot(self, ends: Ends | None = None) -> Catalogue:
        """Return the catalogue as it is now; each of its weeks is listed when it is first asked for."""
        return self.of(self.look(ends))

    def of(self, look: Look) -> Catalogue:
        """Return the catalogue of a look."""
        return Catalogue(look, self._area, self._rules, self._summaries)

    def weeks(self, collection: str) -> list[str]:
        """List the weeks of a collection."""
        prefix = f"{ITEMS}{collection}/"
        return sorted(name for name in self._objects.children(prefix) if self._is_week(prefix, name))

    def _is_week(self, prefix: str, name: str) -> bool:
        try:
            check_week(name)
        except BadKey as error:
            self.foreign[prefix + name] = str(error)
            return False
        return True

    def collections(self) -> list[str]:
        """List the collections."""
        found = sorted(self._objects.children(ITEMS))
        for name in found:
            if self._objects.exists(ITEMS + name):
                self.foreign[ITEMS + name] = "an object where collections are"
        return [name for name in found if ITEMS + name not in self.foreign]

    def orders(self) -> frozenset[str]:
        """List the orders to reprocess."""
        return frozenset(filter(self._is_order, self._objects.keys(ORDERS)))

    def _is_order(self, key: str) -> bool:
        try:
            split_order_key(key)
        except BadKey as error:
            self.foreign[key] = str(error)
            return False
        return True

    def partition(self, collection: str, week: str) -> Partition:
        """List a week of a collection; what was read of it before is kept."""
        key = (collection, week)
        prefix = items_prefix(collection, week)
        # Far away, one listing tells what an index would be called, too; in a folder each etag would be read.
        far = self._objects.remote and week != STATIC
        stored = self.stored(collection, week) if far else []
        keys = [o.key for o in stored] if far else [prefix + name for name in self._objects.children(prefix)]
        ids = [i for key in keys if key not in self.foreign and (i := self._id(prefix, key)) is not None]
        with self._lock:
            before = self._kept.get(key)
            if before is not None and list(before.ids) == sorted(ids):
                self._kept.move_to_end(key)
                return before
            found = Partition(ids, partial(self._load, collection, week, stored))
            if before is not None:
                found.keep(before)
            self._kept[key] = found
            self._kept.move_to_end(key)
            self._let_go()
            return found

    def _id(self, prefix: str, key: str, size: int = 0) -> str | None:
        """Return the id of an object below a week; None of one whose key or size, in bytes, is not that of an item."""
        name = key.removeprefix(prefix)
        try:
            if not name.endswith(".json") or "/" in name:
                raise BadKey(f"{key!r} is not items/<collection>/<week>/<id>.json")
            if size > MOST_BYTES:
                raise BadKey(f"an item has no {size:,} bytes")
            return split_id(name.removesuffix(".json")).text
        except BadKey as error:
            self.foreign[key] = str(error)
            return None

    def _let_go(self) -> None:
        """Forget the weeks that were not asked for lately, beyond a number of items."""
        weekly = [key for key in self._kept if key[1] != STATIC]
        total = sum(self._kept[key].loaded for key in weekly)
        for key in weekly[:-1]:
            if total <= KEPT:
                return
            total -= self._kept.pop(key).loaded

    def _load(self, collection: str, week: str, stored: Sequence[Stored], ids: Iterable[str]) -> dict[str, Item]:
        keys = {item_key(collection, week, i): i for i in ids}
        found: dict[str, Item] = {}
        if stored and len(keys) >= INDEXED:
            for key, data in read_index(self._objects, collection, week, stored).items():
                if key in keys and (item := self._parse(key, week, data)) is not None:
                    found[keys[key]] = item
        rest = [key for key, i in keys.items() if i not in found]
        for key, item in zip(rest, self._read(rest, week), strict=True):
            if item is not None:
                found[keys[key]] = item
        return found

    def _read(self, keys: Sequence[str], week: str) -> Iterator[Item | None]:
        if not self._objects.remote or len(keys) < 2:
            yield from (self._item(key, week) for key in keys)
            return
        with ThreadPoolExecutor(min(READERS, len(keys))) as pool:
            yield from pool.map(lambda key: self._item(key, week), keys)

    def _item(self, key: str, week: str) -> Item | None:
        """Read an item; None where it is gone since the listing, or not an item."""
        try:
            return self._parse(key, week, self._objects.get(key))
        except LookupError:
            return None

    def _parse(self, key: str, week: str, data: bytes) -> Item | None:
        try:
            item = Item.parse(data, week)
            if item.key != key:
                raise BadItem(f"says that it is {item.collection} {item.id}")
            check_facts(item)
            return item
        except (BadKey, BadItem) as error:
            self.foreign[key] = str(error)
            return None

    def is_item(self, key: str, week: str, data: bytes) -> bool:
        """Return whether the bytes of an object are the item that its key says."""
        return self._parse(key, week, data) is not None

    def stored(self, collection: str, week: str) -> list[Stored]:
        """List a week's items as objects: all that look like one, whatever this process knows of their content.

        An index is named by this list, so that whoever writes it and whoever looks for it call it the same.
        """
        prefix = items_prefix(collection, week)
        listed = self._objects.list(prefix)
        return [Stored(o.key, o.size, o.etag) for o in listed if self._id(prefix, o.key, o.size) is not None]

    def broken_record(self, key: str) -> BrokenRecord | None:
        """Read a failure record; None where it does not speak of a picture that cannot be decoded, or is gone.

        It is read anew each time: requeued, a job may end otherwise under the same key.
        """
        try:
            return parse_broken(self._objects.get(key))
        except LookupError:
            return None
