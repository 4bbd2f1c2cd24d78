"""What whoever leads tells of fetching, as metrics."""

from __future__ import annotations

from collections.abc import Mapping

from services.ingest.fetch.queue import LANES
from services.ingest.fetch.usage import Usage
from services.ingest.fetch.work import Work
from shared.items.products import MISSING, State
from shared.observe.metrics import (
    FETCH_FAILED,
    FETCH_MISSING,
    FETCH_OLDEST,
    FETCH_QUEUE,
    FETCH_SEARCHED,
    FETCH_VOLUME,
)


def tell(work: Work, usage: Usage) -> None:
    """Tell what waits, and the volume."""
    for lane in LANES:
        FETCH_QUEUE.labels(lane).set(work.count(lane))
        FETCH_OLDEST.labels(lane).set(work.oldest_s(lane))
    FETCH_VOLUME.labels("used").set(usage.used)
    if usage.limit is not None:
        FETCH_VOLUME.labels("limit").set(usage.limit)


def tell_answered(provider: str) -> None:
    """Tell that the provider answered just now."""
    FETCH_SEARCHED.labels(provider).set_to_current_time()


def tell_failed(provider: str, count: int) -> None:
    """Tell how many failures of fetching stand that people have to see to."""
    FETCH_FAILED.labels(provider).set(count)


def tell_missing(missing: Mapping[State, int]) -> None:
    """Tell what two recounts named and did not come."""
    for state in MISSING:
        FETCH_MISSING.labels(state).set(missing.get(state, 0))


def clear() -> None:
    """Leave the telling to another process."""
    for gauge in (FETCH_QUEUE, FETCH_OLDEST, FETCH_VOLUME, FETCH_FAILED, FETCH_SEARCHED, FETCH_MISSING):
        gauge.clear()
