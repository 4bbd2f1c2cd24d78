"""Searches: what was published since the last look, and the recount of all that a source offers for the area."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import partial

from services.ingest.fetch.book import Book, make_record
from services.ingest.fetch.errors import FetchError, Misconfigured, Refused, Unavailable
from services.ingest.fetch.provider import Deletion, Offer, Provider, Query
from services.ingest.fetch.queue import Wanted
from services.ingest.fetch.settings import FetchSettings
from services.ingest.fetch.spans import Catalogue, Span, lane_of, spans, wanted_days, wanted_types, weeks_in, whole_days
from services.ingest.names import SafeName, parse_product
from shared.area import Area
from shared.area.source import ProductType
from shared.items.ids import digest8
from shared.items.products import COLLECTIONS, Standing, expected_key
from shared.items.weeks import iso_week, rfc3339
from shared.observe.logs import get_logger

REMEDIES: dict[type[FetchError], str] = {
    Misconfigured: "correct the area's `source:` or the credentials; fetching goes on by itself",
    Refused: "check that the address is that of the service; the search is repeated by itself",
    Unavailable: "nothing: it is tried again by itself; look at the service's own status page if it lasts",
}

Heard = Callable[[Wanted], None]
"""Takes a product that is to be fetched."""


@dataclass
class Searches:
    """Asks a provider what it has for an area. One thread calls this.

    Attributes:
        area: the study area.
        source: what its file says.
        provider: who is asked.
        book: where it is written down.
        settings: of fetching.
        first_look: when this store's stream asked for the first time, by the store's clock.
        heard: told of each product that is to be fetched.
        withdraw: told of each product that was taken away upstream, and that we know.
        restore: told of each that was taken away, and is offered again.
    """

    area: Area
    source: Catalogue
    provider: Provider
    book: Book
    settings: FetchSettings
    first_look: datetime
    heard: Heard
    withdraw: Callable[[Standing, Deletion], None]
    restore: Callable[[Standing], None]
    _left: list[tuple[ProductType, Span]] = field(default_factory=list)
    _unasked: list[ProductType] = field(default_factory=list)
    _began: datetime | None = None

    @property
    def types(self) -> tuple[ProductType, ...]:
        """Product types that are asked for."""
        return wanted_types(self.area, self.source)

    def look(self) -> bool:
        """Ask for what was published since the newest product seen; return whether all was answered."""
        answers = [self.guarded(f"search-{kind}", partial(self._look, kind)) for kind in self.types]
        return all(answers)

    def begin_recount(self, now: datetime) -> None:
        """Ask again for everything, span after span; see `recount`."""
        since = date.min if self.source.backfill else self._since.date()
        asked = list(spans(self.area, self.source, since, now.date()))
        self._left = [(kind, span) for span in reversed(asked) for kind in reversed(self.types)]
        self._unasked, self._began = list(self.types), now

    def recount(self) -> bool:
        """Ask for the next span of a recount, at its end for what was taken away; return whether it was answered."""
        if self._left:
            kind, span = self._left[-1]
            if not self.guarded(f"recount-{kind}", partial(self._recount, kind, span)):
                return False
            self._left.pop()
            return True
        kind = self._unasked[-1]
        if not self.guarded(f"deletions-{kind}", partial(self._deletions, kind)):
            return False
        self._unasked.pop()
        if not self._unasked:
            self.book.keep("recounted", {"at": rfc3339(self._began or datetime.now(UTC))})
        return True

    @property
    def recounting(self) -> bool:
        """Whether something is left to ask for."""
        return bool(self._left or self._unasked)

    @property
    def recounted(self) -> datetime | None:
        """When the last whole recount began; None = there was none."""
        kept = self.book.kept("recounted")
        return datetime.fromisoformat(str(kept["at"])) if kept else None

    def guarded(self, name: str, question: Callable[[], None]) -> bool:
        """Ask; return whether it was answered. What breaks off is asked again, and leaves a record until it is."""
        try:
            question()
        except FetchError as error:
            get_logger(service="fetch").warning("search failed", search=name, error=str(error))
            remedy = next(r for cls, r in REMEDIES.items() if isinstance(error, cls) or cls is Unavailable)
            self.book.fail_search(name, make_record(name, "", "", error, 1, remedy))
            return False
        self.book.answered(name)
        return True

    def _look(self, kind: ProductType) -> None:
        kept = self.book.kept(f"cursors/{kind}")
        newest = datetime.fromisoformat(str(kept["published"])) if kept else self.first_look
        since = newest - timedelta(seconds=self.settings.overlap_s)
        query = Query(kind, self.area.polygon, whole_days(*wanted_days(self.area, self.source)), (since, None))
        seen = newest
        for offer in self.provider.search(query):
            self.hear(kind, offer)
            # A provider whose clock is ahead must not carry us over what it publishes until then.
            seen = max(seen, min(offer.published, datetime.now(UTC)))
        if seen != newest or not kept:  # only now: newest come first, and what broke off lacks older ones
            self.book.keep(f"cursors/{kind}", {"published": rfc3339(seen)})

    def _recount(self, kind: ProductType, span: Span) -> None:
        collection, counted = COLLECTIONS[kind], defaultdict[str, dict[str, str]](dict)
        for offer in self.provider.search(Query(kind, self.area.polygon, span)):
            if week := self.hear(kind, offer):
                counted[week][offer.name] = _fingerprint(offer)
        for week in weeks_in(span):
            self._compare(collection, week, counted[week], span)

    def _compare(self, collection: str, week: str, counted: dict[str, str], span: Span) -> None:
        """Write down what a week's recount found; fetch again what changed since the last one."""
        name = expected_key(collection, week)
        kept = self.book.kept_at(name)
        before: dict[str, str] = dict(kept["products"]) if kept else {}  # type: ignore[call-overload]  # as written
        for product in sorted(counted.keys() & before.keys()):
            if counted[product] != before[product] and counted[product] and before[product]:
                known = self.book.week(collection, week).get(product)
                if known is not None and known.state in {"registered", "superseded", "failed"}:
                    self._want_again(known, "its checksum changed upstream")
        if counted != before or (kept is None and counted):
            self.book.keep_at(name, {"products": counted})

    def _want_again(self, known: Standing, reason: str) -> None:
        offer = self.provider.describe(self.book.offer(known.collection, known.week, known.product))
        self.book.describe(known.collection, known.week, offer)
        self.book.say(known.collection, known.week, known.product, "found", reason)
        self.heard(self._wanted(known.collection, known.week, offer))

    def hear(self, kind: ProductType, offer: Offer) -> str:
        """Take a product that was offered; return its week, or an empty text if it is none of ours."""
        parsed = parse_product(offer.name)
        if parsed is None or offer.product_type not in COLLECTIONS:
            said = Refused(f"{offer.name[:200]!r}: is a {offer.product_type[:40]!r}, which ingest does not read")
            name = f"unknown-{digest8(offer.name)}"
            remedy = "leave it out of `products:`, or dismiss this record"
            self.book.fail_search(name, make_record(name, "", "", said, 1, remedy))
            return ""
        if offer.product_type != kind:
            return ""  # nobody asked for it here: its own search finds it
        start = parsed.datatake_start if isinstance(parsed, SafeName) else parsed.start
        collection, week = COLLECTIONS[kind], iso_week(start)
        if int(week[:4]) not in self.area.years:
            return ""
        known = self.book.week(collection, week).get(parsed.product)
        reason = self._unwanted(offer)
        if known is None or self._is_back(known, offer):
            self.book.describe(collection, week, offer)
            if known is not None:
                self.restore(known)
        elif known.state not in {"unwanted", "found"} or (known.state == "unwanted") == bool(reason):
            return week  # else the area's limits changed
        self.book.say(collection, week, parsed.product, "unwanted" if reason else "found", reason)
        if not reason:
            self.heard(self._wanted(collection, week, offer))
        return week

    def _is_back(self, known: Standing, offer: Offer) -> bool:
        """Return whether a product that was taken away is offered again: as another one of the same name."""
        if known.state != "withdrawn":
            return False
        return self.book.offer(known.collection, known.week, known.product).id != offer.id

    def _wanted(self, collection: str, week: str, offer: Offer) -> Wanted:
        lane = lane_of(offer.sensed, offer.published, self.first_look, self.settings.forward_days)
        return Wanted(collection, week, offer.name, lane, offer.sensed.timestamp())

    @property
    def _since(self) -> datetime:
        """Return when what is wanted without a backfill was published at the earliest."""
        return self.first_look - timedelta(seconds=self.settings.overlap_s)

    def _unwanted(self, offer: Offer) -> str:
        """Return why a product is not to be fetched; empty = it is."""
        limit = self.source.max_cloud_percent
        if limit is not None and offer.cloud_percent is not None and offer.cloud_percent > limit:
            return f"cloudy: {offer.cloud_percent:.0f} %, and max_cloud_percent is {limit:g}"
        if not self.source.backfill and offer.published < self._since:
            return "published before this stream began, and backfill is false"
        return ""

    def _deletions(self, kind: ProductType) -> None:
        last = self.recounted
        since = (last or self.first_look) - timedelta(seconds=self.settings.overlap_s)
        self._hear_deletions(COLLECTIONS[kind], self.provider.deletions(kind, since))

    def _hear_deletions(self, collection: str, gone: Iterable[Deletion]) -> None:
        for deletion in gone:
            parsed = parse_product(deletion.name)
            if parsed is None:
                continue
            start = parsed.datatake_start if isinstance(parsed, SafeName) else parsed.start
            week = iso_week(start)
            known = self.book.week(collection, week).get(parsed.product)
            if known is not None and known.state != "withdrawn":
                offer = self.book.offer(collection, week, parsed.product)
                if offer.id == deletion.id or not deletion.id:  # the name may have come back under another id
                    self.withdraw(known, deletion)


def _fingerprint(offer: Offer) -> str:
    """Return what changes when a product's bytes do; empty where the provider does not tell."""
    return next((f"{name}:{offer.checksums[name]}" for name in sorted(offer.checksums)), "")
