"""Searches: what was published since the last look, and the recount of all that a source offers for the area."""

from __future__ import annotations

import traceback
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import partial

from services.ingest.fetch.book import Book, Overtaken, make_record
from services.ingest.fetch.errors import FetchError, Gone, Misconfigured, Refused, Unavailable
from services.ingest.fetch.hearing import DATATAKE, Hearing
from services.ingest.fetch.lease import utc_now
from services.ingest.fetch.provider import Deletion, Offer, Provider, Query
from services.ingest.fetch.queue import Wanted
from services.ingest.fetch.settings import FetchSettings
from services.ingest.fetch.spans import Catalogue, Span, spans, wanted_days, wanted_types, weeks_in, whole_days
from services.ingest.names import parse_product
from shared.area import Area
from shared.area.source import ProductType
from shared.items.ids import digest8
from shared.items.products import COLLECTIONS, MISSING, Standing, State, expected_key
from shared.items.weeks import rfc3339
from shared.observe.failpoint import failpoint
from shared.observe.logs import get_logger
from shared.store import StoreUnavailable

REMEDIES: dict[type[FetchError], str] = {
    Misconfigured: "correct the area's `source:` or the credentials; fetching goes on by itself",
    Refused: "check that the address is that of the service; the search is repeated by itself",
    Unavailable: "nothing: it is tried again by itself; look at the service's own status page if it lasts",
}

_SETTLED = frozenset({"registered", "superseded", "failed"})
"""States of a product that is fetched again when its bytes change: what is under way is described anew anyway."""

_PUBLISHED = "published"


@dataclass
class Searches:
    """Asks a provider what it has for an area. One thread calls this.

    Args:
        area: the study area.
        source: what its file says.
        provider: who is asked.
        book: where it is written down.
        settings: of fetching.
        first_look: when this store's stream asked for the first time, by the store's clock.
        heard: told of each product that is to be fetched.
        withdraw: told of each product that was taken away upstream, and that we know.
        now: tells the time, UTC.

    Attributes:
        faults: search -> why it failed, of those that were not answered since.
        hopeless: whether what was asked last failed in a way that asking again soon does not mend.
        silent: whether the last look was not answered for any product type.
    """

    area: Area
    source: Catalogue
    provider: Provider
    book: Book
    settings: FetchSettings
    first_look: datetime
    heard: Callable[[Wanted], None]
    withdraw: Callable[[Standing, Deletion], None]
    now: Callable[[], datetime] = utc_now
    hopeless: bool = False
    faults: dict[str, str] = field(default_factory=dict)
    silent: bool = False
    _left: list[tuple[ProductType, Span]] = field(default_factory=list)
    _unasked: list[ProductType] = field(default_factory=list)
    _began: datetime | None = None
    _missing: dict[tuple[str, str], Counter[State]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._hearing = Hearing(self.area, self.source, self.book, self.settings, self.first_look, self.heard)

    @property
    def types(self) -> tuple[ProductType, ...]:
        """Product types that are asked for."""
        return wanted_types(self.area, self.source)

    def look(self) -> bool:
        """Ask for what was published since the newest product seen; return whether all was answered."""
        answers = [self.guarded(f"search-{kind}", partial(self._look, kind)) for kind in self.types]
        self.silent = not any(answers)
        return all(answers)

    def begin_recount(self) -> None:
        """Ask again for everything, span after span; see `recount`."""
        now, fresh = self.now(), timedelta(days=self.settings.forward_days)
        since = date.min if self.source.backfill else (self._hearing.since - fresh).date()
        asked = list(spans(self.area, self.source, since, now.date()))
        self._left = [(kind, span) for span in reversed(asked) for kind in reversed(self.types)]
        self._unasked, self._began = list(self.types), now

    def recount(self) -> bool:
        """Ask for the next span of a recount, at its end for what was taken away; return whether it was answered.

        A product type whose last look was not answered is not asked for: its turn comes again.
        """
        if self._left:
            kind, span = asked = self._left.pop()
            # Whoever does not answer a look would leave a second record of the same trouble.
            is_silent = f"search-{kind}" in self.faults
            if is_silent or not self.guarded(f"recount-{kind}", partial(self._recount, kind, span)):
                self._left.insert(0, asked)  # the others need not wait for it
                return False
            return True
        kind = self._unasked.pop()
        if not self.guarded(f"deletions-{kind}", partial(self._deletions, kind)):
            self._unasked.insert(0, kind)
            return False
        if not self._unasked:
            missing = sum(self._missing.values(), Counter[State]())
            at = rfc3339(self._began or self.now())
            self.book.keep("recounted", {"at": at, "of": self._asked_for, "missing": missing})
        return True

    @property
    def missing(self) -> dict[State, int]:
        """Return where products stand that the last two whole recounts named and that did not come -> how many."""
        kept = self.book.kept("recounted")
        return dict(kept.get("missing", {})) if kept else {}  # type: ignore[call-overload]  # as written

    @property
    def recounting(self) -> bool:
        """Whether something is left to ask for."""
        return bool(self._left or self._unasked)

    @property
    def recounted(self) -> datetime | None:
        """When the last whole recount began; None = there was none of what the area and its source ask for now."""
        kept = self.book.kept("recounted")
        return datetime.fromisoformat(str(kept["at"])) if kept and kept.get("of") == self._asked_for else None

    @property
    def _asked_for(self) -> str:
        return digest8([self.source.model_dump(mode="json"), self.area.aoi, sorted(self.area.years), list(self.types)])

    def guarded(self, name: str, question: Callable[[], None]) -> bool:
        """Ask; return whether it was answered. What breaks off is asked again, and leaves a record until it is."""
        self.hopeless = False
        try:
            question()
        except (StoreUnavailable, Overtaken):
            raise
        except Exception as error:
            text = "" if isinstance(error, FetchError) else "".join(traceback.format_exception(error))[-20_000:]
            get_logger(service="fetch").warning("search failed", search=name, error=str(error), traceback=text)
            remedy = next((r for cls, r in REMEDIES.items() if isinstance(error, cls)), REMEDIES[Unavailable])
            self.book.fail_search(name, make_record(name, "", "", error, 1, remedy, text))
            self.hopeless = isinstance(error, (Misconfigured, Refused))
            self.faults[name] = str(error)
            return False
        self.book.answered(name)
        self.faults.pop(name, None)
        return True

    def _look(self, kind: ProductType) -> None:
        kept = self.book.kept(f"cursors/{kind}")
        newest = datetime.fromisoformat(str(kept["published"])) if kept else self.first_look
        since = newest - timedelta(seconds=self.settings.overlap_s)
        first, last = wanted_days(self.area, self.source)
        if first > last:
            return
        query = Query(kind, self.area.polygon, whole_days(first, last), (since, None))
        seen = newest
        for offer in self.provider.search(query):
            self._hearing.hear(kind, offer)
            # A provider whose clock is ahead must not carry us over what it publishes until then.
            seen = max(seen, min(offer.published, self.now()))
        failpoint("fetch.searched")
        if seen != newest or not kept:  # only now: newest come first, and what broke off lacks older ones
            self.book.keep(f"cursors/{kind}", {"published": rfc3339(seen)})

    def _recount(self, kind: ProductType, span: Span) -> None:
        collection, counted = COLLECTIONS[kind], defaultdict[str, dict[str, str]](dict)
        begin, end = span
        # The week is that of the datatake's start: a tile may have been sensed a little after the week's end.
        for offer in self.provider.search(Query(kind, self.area.polygon, (begin, end + DATATAKE))):
            if week := self._hearing.hear(kind, offer, is_recount=True):
                counted[week][offer.name] = _fingerprint(offer)
        failpoint("fetch.searched")
        for week in weeks_in(span):
            self._compare(collection, week, counted[week])

    def _compare(self, collection: str, week: str, counted: dict[str, str]) -> None:
        """Write down what a week's recount found; fetch again what changed since the last one."""
        name = expected_key(collection, week)
        kept = self.book.kept_at(name)
        before: dict[str, str] = dict(kept["products"]) if kept else {}  # type: ignore[call-overload]  # as written
        for product in sorted(counted.keys() & before.keys()):
            if _differ(counted[product], before[product]):
                known = self.book.week(collection, week).get(product)
                if known is not None and known.state in _SETTLED:
                    self._want_again(known, counted[product])
        standings = self.book.week(collection, week)
        stood = (standings[product].state for product in counted.keys() & before.keys() & standings.keys())
        self._missing[collection, week] = Counter(state for state in stood if state in MISSING)
        if counted != before or (kept is None and counted):
            self.book.keep_at(name, {"products": counted})

    def _want_again(self, known: Standing, counted: str) -> None:
        """Fetch a product again, unless what was fetched last is what is offered now."""
        offer = self.book.offer(known.collection, known.week, known.product)
        algorithm, _, value = counted.partition(":")
        fetched = _stated(offer, algorithm)  # a description states more than a search: the same kind is compared
        if value and fetched and fetched != value:
            self.book.say(known.collection, known.week, known.product, "found", "its checksum changed upstream")
            self.heard(self._hearing.wanted(known.collection, known.week, offer))

    def hear(self, kind: ProductType, offer: Offer) -> str:
        """Take a product that was offered outside a search; see `Hearing.hear`."""
        return self._hearing.hear(kind, offer)

    def is_asked_for(self, known: Standing, offer: Offer) -> bool:
        """Return whether a product that was found once is asked for now; see `Hearing.is_asked_for`."""
        return self._hearing.is_asked_for(offer.product_type, known.week, offer)

    def _deletions(self, kind: ProductType) -> None:
        """Ask for what was taken away since it was last asked for, whatever else the source asked for then."""
        name, years, now = f"deletions/{kind}", sorted(self.area.years), self.now()
        kept = self.book.kept(name)
        # Of a year that was not wanted until now, no deletion was heard.
        is_known = kept is not None and kept.get("years") == years
        last = datetime.fromisoformat(str(kept["asked"])) if kept and is_known else self.first_look
        since = last - timedelta(seconds=self.settings.overlap_s)
        self._hear_deletions(COLLECTIONS[kind], self.provider.deletions(kind, since))
        self.book.keep(name, {"asked": rfc3339(now), "years": years})

    def _hear_deletions(self, collection: str, gone: Iterable[Deletion]) -> None:
        for deletion in gone:
            parsed = parse_product(deletion.name)
            if parsed is None:
                continue
            week = parsed.week
            if int(week[:4]) not in self.area.years:
                continue
            known = self.book.week(collection, week).get(parsed.product)
            if known is not None and known.state != "withdrawn":
                offer = self.book.offer(collection, week, parsed.product)
                if deletion.id in {"", offer.id}:  # the name may have come back under another id
                    self._lose(known, offer, deletion)

    def _lose(self, known: Standing, offer: Offer, deletion: Deletion) -> None:
        """Withdraw a product that was taken away, unless it is offered under another id by now."""
        try:
            found = self.provider.describe(offer)
        except Gone:
            found = offer
        if found.id == offer.id:
            self.withdraw(known, deletion)
            return
        if known.state in _SETTLED:
            self._want_again(known, _fingerprint(found))
        self.book.describe(known.collection, known.week, found)


def _fingerprint(offer: Offer) -> str:
    """Return what changes when a product's bytes do: a checksum, or the time of publication where none is stated."""
    # MD5 first: it is what every catalogue that states a checksum states in its searches, too.
    kind = next((name for name in ("md5", *sorted(offer.checksums)) if name in offer.checksums), _PUBLISHED)
    return f"{kind}:{_stated(offer, kind)}"


def _stated(offer: Offer, kind: str) -> str:
    """Return the value of a kind of fingerprint; empty where the provider does not tell."""
    return rfc3339(offer.published) if kind == _PUBLISHED else offer.checksums.get(kind, "")


def _differ(one: str, other: str) -> bool:
    """Return whether two fingerprints tell of different bytes: of one algorithm, with another value."""
    return one != other and bool(one) and one.partition(":")[0] == other.partition(":")[0]
