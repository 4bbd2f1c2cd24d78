"""What is done about each product that a search finds: whether it is ours, wanted, known, or back."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from services.ingest.fetch.book import Book, Overtaken, make_record
from services.ingest.fetch.errors import Refused
from services.ingest.fetch.provider import Offer
from services.ingest.fetch.queue import Wanted
from services.ingest.fetch.setbacks import MISSING
from services.ingest.fetch.settings import FetchSettings
from services.ingest.fetch.spans import Catalogue, lane_of, wanted_days, wanted_types, whole_days
from services.ingest.names import SafeName, Sen3Name, parse_product
from shared.area import Area
from shared.area.source import ProductType
from shared.items.ids import digest8
from shared.items.products import COLLECTIONS

DATATAKE = timedelta(hours=2)
"""No datatake of Sentinel-2 is longer."""

_TYPE_REMEDY = "leave it out of `products:`, or dismiss this record"
_NAME = "its name is not one that ingest reads: those of Sentinel-2 and of OLCI"
_NAME_REMEDY = "dismiss this record; a version of ingest that reads the name fetches the product at its next recount"


@dataclass
class Hearing:
    """Takes what searches find. One thread calls this.

    Args:
        area: the study area.
        source: what its file says.
        book: where it is written down.
        settings: of fetching.
        first_look: when this store's stream asked for the first time, by the store's clock.
        heard: told of each product that is to be fetched.
    """

    area: Area
    source: Catalogue
    book: Book
    settings: FetchSettings
    first_look: datetime
    heard: Callable[[Wanted], None]
    _refused: set[str] = field(default_factory=set)

    def hear(self, kind: ProductType, offer: Offer, is_recount: bool = False) -> str:
        """Take a product that was offered; return its week, or an empty text if it is none of ours.

        Args:
            kind: product type that was searched for.
            offer: what was found.
            is_recount: whether what was missing once is to be asked for again.
        """
        parsed = parse_product(offer.name)
        if parsed is None or offer.product_type not in COLLECTIONS:
            self._refuse(offer)
            return ""
        if offer.product_type != kind:
            return ""  # nobody asked for it here: its own search finds it
        offer = offer.model_copy(update={"name": parsed.product})
        collection, week = COLLECTIONS[kind], parsed.week
        if not self.is_asked_for(kind, week, offer):
            return ""
        with suppress(Overtaken):  # then another process heard it, too
            self._hear(collection, week, offer, is_recount)
        return week

    def is_asked_for(self, kind: str, week: str, offer: Offer) -> bool:
        """Return whether a product is of a type and of days that the area and its source ask for now."""
        begin, end = whole_days(*wanted_days(self.area, self.source))
        # The last day is that of the datatake's start: a tile may have been sensed a little after it.
        is_then = int(week[:4]) in self.area.years and begin <= offer.sensed <= end + DATATAKE
        return is_then and kind in wanted_types(self.area, self.source)

    def _hear(self, collection: str, week: str, offer: Offer, is_recount: bool) -> None:
        known, unwanted = self.book.week(collection, week).get(offer.name), self._unwanted(offer)
        reason = unwanted
        if known is None or not known.number:
            self.book.describe(collection, week, offer)
        elif known.state == "withdrawn":
            renamed = self.book.offer(collection, week, offer.name).id != offer.id
            if not renamed and not (is_recount and self.book.reason(known).startswith(MISSING)):
                return
            self.book.describe(collection, week, offer)
            reason = unwanted or "offered again"
        elif known.state not in {"unwanted", "found"} or (known.state == "unwanted") == bool(unwanted):
            return  # else the area's limits changed
        self.book.say(collection, week, offer.name, "unwanted" if unwanted else "found", reason)
        if not unwanted:
            self.heard(self.wanted(collection, week, offer))

    def _refuse(self, offer: Offer) -> None:
        """Leave one record of what ingest does not read: of each type that is unknown, of each name that is."""
        is_named = offer.product_type in COLLECTIONS
        name = f"unknown-{digest8(offer.name if is_named else offer.product_type)}"
        if name not in self._refused:
            why, remedy = f"is a {offer.product_type[:40]!r}, which ingest does not read", _TYPE_REMEDY
            if is_named:
                why, remedy = _NAME, _NAME_REMEDY
            said = Refused(f"{offer.name[:200]!r}: {why}")
            self.book.refuse(name, make_record(name, "", "", said, 1, remedy))
            self._refused.add(name)

    def wanted(self, collection: str, week: str, offer: Offer) -> Wanted:
        """Return a product as it is queued."""
        lane = lane_of(offer.sensed, offer.published, self.first_look, self.settings.forward_days)
        return Wanted(collection, week, offer.name, lane, offer.sensed.timestamp())

    @property
    def since(self) -> datetime:
        """Return when what is wanted without a backfill was published at the earliest."""
        return self.first_look - timedelta(seconds=self.settings.overlap_s)

    def _unwanted(self, offer: Offer) -> str:
        """Return why a product is not to be fetched; empty = it is."""
        limit = self.source.max_cloud_percent
        if limit is not None and offer.cloud_percent is not None and offer.cloud_percent > limit:
            return f"cloudy: {offer.cloud_percent:.0f} %, and max_cloud_percent is {limit:g}"
        if not self.source.backfill and offer.published < self.since:
            return "published before this stream began, and backfill is false"
        return ""


def collection_of(parsed: SafeName | Sen3Name) -> str:
    """Return the collection that a product is registered in."""
    if isinstance(parsed, Sen3Name):
        return COLLECTIONS["OL_1_EFR___"]
    return COLLECTIONS["S2MSI1C" if parsed.level == "L1C" else "S2MSI2A"]
