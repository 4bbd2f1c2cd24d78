"""What a subscription tells between two searches; the searches stay the truth."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from services.ingest.fetch.provider import Query
from services.ingest.fetch.providers.subscription import Subscription
from services.ingest.fetch.searches import Searches
from shared.area import Area
from shared.area.source import ProductType

MOST_READS = 200
"""Readings in one go, each of 20 events: what is queued beyond waits for the next one, and searches run meanwhile."""

KEPT = "subscription"
"""Under what the id of our subscription is kept: after what is wanted changed, it alone may be ended."""


@runtime_checkable
class Subscribed(Protocol):
    """A provider that tells of new products."""

    def subscription(self, wanted: list[Query]) -> Subscription:
        """Return the account's subscription; see `services.ingest.fetch.providers.cdse.Cdse`."""


def queries_of(area: Area, types: tuple[ProductType, ...]) -> list[Query]:
    """Return what an area's stream wants to hear of."""
    return [Query(kind, area.polygon) for kind in types]


def take_events(subscription: Subscription, searches: Searches) -> None:
    """Read what the subscription tells, write it down, and only then acknowledge it.

    Raises:
        FetchError: it does not answer well; what was not acknowledged comes again.
    """
    own = str((searches.book.kept(KEPT) or {}).get("id", ""))
    for _ in range(MOST_READS):
        events = subscription.read(own)
        if subscription.id != own:
            own = subscription.id
            searches.book.keep(KEPT, {"id": own})
        for event in events:
            for kind in searches.types:
                if event.offer is not None and event.offer.product_type == kind:
                    searches.hear(kind, event.offer)
        if not events:
            return
        subscription.acknowledge(events[-1])
