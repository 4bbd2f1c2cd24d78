"""Write an index of each settled week, so that a cold start reads it in two requests per collection."""

from __future__ import annotations

from shared.items.catalogue import Catalogue
from shared.items.reader import INDEXED, CatalogueReader
from shared.items.week_index import Stored, index_key, is_whole, pack, read_index
from shared.items.weeks import STATIC
from shared.store import NotFound, Store


class Indexes:
    """Writes indexes to a store that is far away; a folder is read as fast without.

    Args:
        store: where to.
        reader: lists the week's objects.
    """

    def __init__(self, store: Store, reader: CatalogueReader) -> None:
        self._store, self._reader = store, reader
        self._seen: dict[str, str] = {}
        self._settled: dict[str, str] = {}

    def see(self, catalogue: Catalogue, week: str, token: str) -> None:
        """Index a week once its items are the same as at the look before; whether it is, is looked up once."""
        if not self._store.remote or week == STATIC or self._settled.get(week) == token:
            return
        if self._seen.get(week) != token:
            self._seen[week] = token
            return
        for collection in catalogue.collections:
            if week in catalogue.weeks(collection) and len(catalogue.ids(collection, week)) >= INDEXED:
                self._index(collection, week)
        self._settled[week] = token

    def _index(self, collection: str, week: str) -> None:
        """Write the index of a week's items unless it is there and whole."""
        stored = self._reader.stored(collection, week)
        key = index_key(collection, week, stored)
        if is_whole(self._store, key):
            return
        known = read_index(self._store, collection, week, stored)
        contents: dict[Stored, bytes] = {}
        for o in stored:
            if o.key in self._reader.foreign:
                continue
            try:
                data = known[o.key] if o.key in known else self._store.get(o.key)
            except NotFound:
                return  # an item vanished meanwhile: the next look sees another week
            if self._reader.is_item(o.key, week, data):
                contents[o] = data
        self._store.put(key, pack(contents))
