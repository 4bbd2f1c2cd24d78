"""Reads the catalogue from a store, again and again, at the cost of what is new."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Lock
from typing import Protocol

from shared.area import Area
from shared.items.catalogue import Catalogue
from shared.items.item import BadItem, Item
from shared.items.keys import BadKey, split_item_key
from shared.items.listing import Listing

ITEMS = "items/"
READERS, BATCH = 16, 512
"""Items that are read at once, and those after which the time is looked at."""


class Reader(Protocol):
    """What the catalogue needs of a store."""

    def keys(self, prefix: str) -> Iterable[str]:
        """Every key below a prefix."""

    def get(self, key: str) -> bytes:
        """The object's bytes.

        Raises:
            LookupError: there is none.
        """


class CatalogueReader:
    """Keeps the immutable items it has read, so that a snapshot costs one listing.

    Attributes:
        foreign: key -> why, of what lies below `items/` and is no item; it is left alone.
    """

    def __init__(self, reader: Reader, area: Area) -> None:
        self._reader, self._area = reader, area
        self._items: dict[str, Item] = {}
        self.foreign: dict[str, str] = {}
        self._unread = 0
        self._snapshot: Catalogue | None = None
        self._lock = Lock()
        # Failures and receipts first: a job that ends in between is then seen as due, never as lost.
        self._listings = [
            Listing(partial(reader.keys, prefix), key=str) for prefix in ("failures/", "receipts/", "reprocess/", ITEMS)
        ]

    @property
    def whole(self) -> bool:
        """Whether all that is known to be there is read, and all was listed: else a snapshot lacks a part."""
        return all(lst.whole for lst in self._listings) and not self._unread

    def snapshot(self, within_s: float = math.inf) -> Catalogue:
        """The catalogue as listed now; the same object while nothing changed.

        Args:
            within_s: each of its listings, and the reading of new items, takes no longer; what they do not come to
                stands as it was, and the next snapshot goes on with it.
        """
        with self._lock:
            return self._refresh(within_s)

    def _refresh(self, within_s: float) -> Catalogue:
        failures, receipts, orders, listed = (frozenset(listing.look(within_s)) for listing in self._listings)
        keys, others = listed - self.foreign.keys(), (failures, receipts, orders)
        same = keys == self._items.keys()
        if not same:
            self._items = {key: item for key, item in self._items.items() if key in keys}
            self._read(keys - self._items.keys(), within_s)
        self._unread = len(keys - self.foreign.keys()) - len(self._items)
        last = self._snapshot
        if last is None or not same or others != (last.failures, last.receipts, last.orders):
            self._snapshot = last = Catalogue(self._items.values(), self._area, *others)
        return last

    def _read(self, keys: Iterable[str], within_s: float) -> None:
        """Read items, several at once: a store far away answers each only after a while."""
        deadline, keys = time.monotonic() + within_s, list(keys)
        with ThreadPoolExecutor(READERS) as pool:
            for first in range(0, len(keys), BATCH):
                batch = keys[first : first + BATCH]
                for key, item in zip(batch, pool.map(self._item, batch), strict=True):
                    if item is not None:
                        self._items[key] = item
                if time.monotonic() > deadline:
                    return

    def _item(self, key: str) -> Item | None:
        """An item; None where it is gone since the listing, or no item."""
        try:
            return Item.parse(self._reader.get(key), split_item_key(key)[1])
        except LookupError:
            return None
        except (BadKey, BadItem) as error:
            self.foreign[key] = str(error)
            return None
