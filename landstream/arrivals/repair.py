"""What of the fetching that failed can be tried again, and what cannot."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from shared.items.catalogue import Catalogue
from shared.items.products import COLLECTIONS, FETCH, Standing, standings, weeks_of
from shared.run.failure import standing_failures
from shared.store import Store


def standing_fetches(store: Store, catalogue: Catalogue, foreign: dict[str, str]) -> Iterator[dict[str, Any]]:
    """Yield the failure records of products that did not come, those that stand; searches repeat by themselves.

    Args:
        store: where they lie.
        catalogue: what exists.
        foreign: receives key -> why of what is not a failure record.
    """
    found = standing_failures(store, catalogue, foreign)
    return (record for record in found if record["stage"] == FETCH and record.get("week"))


def left_over(store: Store, queued: Collection[str]) -> Iterator[Standing]:
    """Yield where the products stand that failed, or lie in an archive, and were not queued; a week at a time."""
    for collection in COLLECTIONS.values():
        for week in weeks_of(store, collection):
            for standing in standings(store, collection, week):
                if standing.state in {"failed", "deferred"} and standing.product not in queued:
                    yield standing
