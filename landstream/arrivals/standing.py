"""Why a product that is not registered stands where it does: its state, failure record, and the monthly volume."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic_core import from_json

from services.ingest.fetch.book import BY_INGEST, Book, record_id
from services.ingest.fetch.usage import ASSUMED_BYTES, DAYS, used_bytes
from shared.area import Area
from shared.area.source import FolderSource
from shared.items.keys import dismissal_key, failure_key
from shared.items.products import FETCH, Standing
from shared.run.failure import BadRecord, parse_record
from shared.store import NotFound, Store


class Reasons:
    """Tells why products stand where they do; what it reads once holds for one account.

    Args:
        store: where they are written down.
        area: the study area.
        now: UTC.
    """

    def __init__(self, store: Store, area: Area, now: datetime) -> None:
        self._store, self._book = store, Book(store)
        source = area.source
        limit_gb = None if source is None or isinstance(source, FolderSource) else source.monthly_gb
        self._limit = None if limit_gb is None else limit_gb * 1e9
        self._used = used_bytes(store, now)

    def of(self, standing: Standing) -> str:
        """Return why a product of which there is no item stands where it does; empty = nobody knows."""
        said = self._said(standing)
        reason = str(said.get("reason") or "")
        match standing.state:
            case "found":
                return self._why_waiting(standing, reason)
            case "deferred":
                return f"deferred since {str(said.get('at', ''))[:10]}: {reason}"
            case "fetching":
                return f"being fetched since {said.get('at', '')}: {reason}"
            case "failed":
                return self._why_failed(standing, reason)
            case "registered":
                return ""  # its item should be there
            case "superseded" | "withdrawn" | "unwanted":
                return f"{standing.state}: {reason}"

    def _why_waiting(self, standing: Standing, reason: str) -> str:
        why = "waits in the queue" + (f" ({reason})" if reason else "")
        if self._limit is None or self._used + self._size(standing) <= self._limit:
            return why
        volume = f"{self._used / 1e9:.1f} of {self._limit / 1e9:g} GB within {DAYS} days"
        return f"{why}: the monthly volume is used up ({volume})"

    def _why_failed(self, standing: Standing, reason: str) -> str:
        if reason.startswith(BY_INGEST):
            return f"failed in {reason}; correct it, then put the product into landing/"
        key = failure_key(FETCH, record_id(standing.product))
        try:
            record = parse_record(self._store.get(key), key)
        except NotFound:
            return f"failed: {reason}; its record was taken away, and it is tried again"
        except BadRecord as error:
            return f"failed: {reason}; its record {key} cannot be read ({error})"
        dismissed = self._store.exists(dismissal_key(FETCH, record_id(standing.product)))
        return f"failed: {record.get('fault')}; {record.get('remedy')}" + (" (dismissed)" if dismissed else "")

    def _said(self, standing: Standing) -> dict[str, Any]:
        if not standing.number:
            return {}
        try:
            said = from_json(self._store.get(standing.key))
        except (NotFound, ValueError):
            return {"reason": "its state cannot be read"}
        return said if isinstance(said, dict) else {}

    def _size(self, standing: Standing) -> int:
        try:
            offer = self._book.offer(standing.collection, standing.week, standing.product)
        except (NotFound, ValueError):
            return ASSUMED_BYTES
        return offer.size or ASSUMED_BYTES
