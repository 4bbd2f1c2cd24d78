"""Fetching as a whole: who leads, the threads that search and download, and what became of what was fetched."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from threading import Event, Lock, Thread

from services.ingest.fetch.arrival import arrival, is_registered
from services.ingest.fetch.book import Book, Overtaken, record_id
from services.ingest.fetch.downloads import BY_INGEST, LONGEST_S, Again, Downloads, Landed, doubled
from services.ingest.fetch.events import Subscribed, queries_of, take_events
from services.ingest.fetch.lease import Lease, StoreClock, new_owner
from services.ingest.fetch.provider import Deletion, Provider
from services.ingest.fetch.queue import LANES, Queue, Wanted
from services.ingest.fetch.searches import Searches
from services.ingest.fetch.settings import FetchSettings
from services.ingest.fetch.spans import Catalogue, lane_of
from services.ingest.fetch.subscription import Subscription
from services.ingest.fetch.usage import Usage
from services.ingest.names import parse_product
from shared.area import Area
from shared.items.landing import LandingUnit
from shared.items.products import OWN, Standing, reason_of
from shared.observe.logs import get_logger
from shared.observe.metrics import FETCH_FAILED, FETCH_OLDEST, FETCH_QUEUE, FETCH_SEARCHED, FETCH_VOLUME
from shared.run.context import Observer, observe_nothing
from shared.run.landed import unit_of
from shared.store import NotFound, Store, StoreUnavailable

TICK_S = 1.0
EVENTS_S = 15.0
"""Seconds between two readings of a subscription."""

SETTLED_EACH = 32
"""Products in `landing/` that are looked at in each round, the longest waiting first."""

ONCE_OFFLINE_S = 5.0
"""Seconds after which a run that ends when all is done asks again for what was offline, doubled each time."""

ONCE_TRIES = 8
"""Tries of a product or a search that such a run makes while the provider does not answer."""


@dataclass(frozen=True)
class Setup:
    """What fetching works in.

    Attributes:
        area: the study area.
        source: what its file says.
        provider: who is asked.
        store: where products go.
        settings: of fetching.
        folder: for what is under way.
        put: puts a file or folder into `landing/`.
        stop: set to end.
        observer: told what is fetched.
        once: end when everything that can be had was fetched and taken in.
        withdraw: withdraws a product that was taken away upstream: (product, week, reason).
        restore: takes that back, as the product is offered again: (product, week, reason).
        tick: called while all is well.
    """

    area: Area
    source: Catalogue
    provider: Provider
    store: Store
    settings: FetchSettings
    folder: Path
    put: Callable[[Path], LandingUnit]
    stop: Event
    withdraw: Callable[[str, str, str], None]
    restore: Callable[[str, str, str], None]
    observer: Observer = observe_nothing
    once: bool = False
    tick: Callable[[], None] = lambda: None


class Fetcher:
    """Fetches what a source offers for an area, while it holds the lead.

    Args:
        setup: what it works in.
    """

    def __init__(self, setup: Setup) -> None:
        self._setup, self._log = setup, get_logger(service="fetch")
        owner = new_owner()
        self._clock = StoreClock(setup.store, owner)
        self._lead = Lease(setup.store, f"{OWN}lead/", owner, self._clock, setup.settings.lease_s)
        self._owner = owner
        self._lock = Lock()
        self._begin()

    def _begin(self) -> None:
        """Begin a term as leader with nothing known."""
        setup, settings = self._setup, self._setup.settings
        self._ended = Event()
        self._searched, self._look_s, self._events_s = False, 0.0, 0.0
        self._subscription: Subscription | None = None
        self._waits: dict[str, str] = {}
        self._landed: OrderedDict[str, tuple[Wanted, str]] = OrderedDict()
        self._given_up: dict[str, int] = {}
        self._queue = Queue(min(settings.backfill_connections, settings.connections))
        self._book = Book(setup.store)

    def run(self) -> None:
        """Lead, or stand by to lead, until told to stop; with `once` until all is done."""
        while not self._setup.stop.is_set():
            try:
                if self._lead.take():
                    self._begin()
                    self._term()
                    if self._setup.once and self.quiet:
                        return
            except StoreUnavailable as error:
                self._log.warning("fetching continues later", error=str(error))
            self._setup.tick()
            self._setup.stop.wait(min(self._setup.settings.lease_s / 3, 5.0))

    @property
    def quiet(self) -> bool:
        """Whether everything that can be had now was fetched and taken in."""
        with self._lock:
            return self._searched and not self._landed and not len(self._queue)

    def waits(self) -> Sequence[str]:
        """Return what fetching waits for, one line each, for people."""
        with self._lock:
            reasons = sorted(set(self._waits.values()))
            return [f"fetch: {sum(r == reason for r in self._waits.values())} x {reason}" for reason in reasons]

    def _term(self) -> None:
        """Lead until told to stop, done, or overtaken."""
        setup, settings = self._setup, self._setup.settings
        setup.folder.mkdir(parents=True, exist_ok=True)
        usage = Usage(setup.store, setup.source.monthly_gb)
        halt = self._ended
        downloads = Downloads(
            setup.store, setup.provider, self._book, usage, settings, setup.folder, setup.put, self._owner, self._clock,
            setup.observer, halt,
        )  # fmt: skip
        searches = Searches(
            setup.area, setup.source, setup.provider, self._book, settings, self._first_look(), self._put,
            self._withdraw, self._restore,
        )  # fmt: skip
        self._take_up(searches.first_look)
        if getattr(setup.source, "subscribe", False) and isinstance(setup.provider, Subscribed) and not setup.once:
            self._subscription = setup.provider.subscription(queries_of(setup.area, searches.types))
        threads = [Thread(target=self._search, args=(searches,), name="fetch-search", daemon=True)]
        threads += [
            Thread(target=self._download, args=(downloads,), name=f"fetch-{n}", daemon=True)
            for n in range(settings.connections)
        ]
        for thread in threads:
            thread.start()
        FETCH_SEARCHED.labels(self._setup.provider.name).set_to_current_time()
        try:
            self._lead_on(usage, searches.first_look)
        finally:
            halt.set()
            self._measure_nothing()
            for thread in threads:
                thread.join(20.0)
            with suppress(StoreUnavailable):
                self._lead.release()

    def _lead_on(self, usage: Usage, first_look: datetime) -> None:
        renewed_s, looked_s = time.monotonic(), time.monotonic()
        settings = self._setup.settings
        while not self._setup.stop.is_set():
            now = time.monotonic()
            if now - renewed_s > settings.lease_s / 3:
                if not self._lead.renew():
                    self._log.warning("another process leads now")
                    return
                renewed_s = now
            self._setup.tick()
            self._settle()
            if now - looked_s > min(settings.poll_s, 30.0):
                self._requeue_failed(first_look)
                looked_s = now
            self._measure(usage)
            if self._setup.once and self.quiet:
                return
            self._setup.stop.wait(0.2 if self._setup.once else TICK_S)

    def _measure(self, usage: Usage) -> None:
        with self._lock:
            for lane in LANES:
                FETCH_QUEUE.labels(lane).set(self._queue.count(lane))
                FETCH_OLDEST.labels(lane).set(self._queue.oldest_s(lane))
        FETCH_VOLUME.labels("used").set(usage.used)
        if usage.limit is not None:
            FETCH_VOLUME.labels("limit").set(usage.limit)

    def _measure_nothing(self) -> None:
        """Leave the telling to whoever leads now."""
        for gauge in (FETCH_QUEUE, FETCH_OLDEST, FETCH_VOLUME, FETCH_FAILED, FETCH_SEARCHED):
            gauge.clear()

    def _first_look(self) -> datetime:
        kept = self._book.kept("first-look")
        if kept is None:
            kept = {"at_s": self._clock()}
            self._book.keep("first-look", kept)
        return datetime.fromtimestamp(float(str(kept["at_s"])), UTC)

    def _take_up(self, first_look: datetime) -> None:
        """Go on with what an earlier term left."""
        store, recorded = self._setup.store, self._book.recorded()
        for known in self._book.walk():
            if known.state == "failed":
                by_ingest = reason_of(store, known).startswith(BY_INGEST)
                if by_ingest and is_registered(store, known.collection, known.week, known.product):
                    self._say(known, "registered", "")
                if by_ingest:
                    continue
                if record_id(known.product) in recorded:
                    self._book.failed[known.product] = known  # until people take the record away
                    continue
                self._say(known, "found", "requeued")
            self._take_up_one(known, first_look)

    def _take_up_one(self, known: Standing, first_look: datetime) -> None:
        try:
            offer = self._book.offer(known.collection, known.week, known.product)
        except NotFound:
            return  # a search will find it again
        lane = lane_of(offer.sensed, offer.published, first_look, self._setup.settings.forward_days)
        self._put(Wanted(known.collection, known.week, known.product, lane, offer.sensed.timestamp()))

    def _put(self, wanted: Wanted) -> None:
        with self._lock:
            self._queue.put(wanted)

    def _search(self, searches: Searches) -> None:
        """Search and recount until this term ends."""
        tries, back_off_s = 0, self._setup.settings.back_off_s
        while not self._ended.is_set():
            try:
                answered = self._search_step(searches)
            except StoreUnavailable as error:
                self._log.warning("the search continues later", error=str(error))
                answered = False
            tries = 0 if answered else tries + 1
            if self._setup.once and (self._searched or tries >= ONCE_TRIES):
                self._searched = True
                return
            if tries:
                self._ended.wait(doubled(back_off_s, tries, LONGEST_S))
            elif not searches.recounting:
                self._ended.wait(TICK_S)

    def _search_step(self, searches: Searches) -> bool:
        """Do what is due of searching: look, or one span of a recount; return whether all was answered."""
        now = time.monotonic()
        if now >= self._look_s:
            if not searches.look():
                return False
            FETCH_SEARCHED.labels(self._setup.provider.name).set_to_current_time()
            self._look_s = now + self._setup.settings.poll_s
            if not searches.recounting and (self._setup.once or self._is_due(searches.recounted)):
                self._book.forget()
                searches.begin_recount(datetime.now(UTC))
        elif self._subscription is not None and now >= self._events_s:
            self._events_s = now + EVENTS_S
            return searches.guarded("events", partial(take_events, self._subscription, searches))
        elif searches.recounting and not searches.recount():
            return False
        self._searched = not searches.recounting
        return True

    def _is_due(self, recounted: datetime | None) -> bool:
        if recounted is None:
            return True
        return (datetime.now(UTC) - recounted).total_seconds() >= self._setup.settings.recount_s

    def _download(self, downloads: Downloads) -> None:
        """Fetch one product after the other until this term ends."""
        while not self._ended.is_set():
            with self._lock:
                full = len(self._landed) >= self._setup.settings.ahead
                wanted = None if full else self._queue.take(time.monotonic())
            if wanted is None:
                self._ended.wait(0.2)
                continue
            self._conclude(wanted, downloads.fetch(wanted))

    def _conclude(self, wanted: Wanted, outcome: object) -> None:
        with self._lock:
            self._waits.pop(wanted.product, None)
            match outcome:
                case Landed(unit):
                    self._queue.ended(wanted)
                    self._landed[wanted.product] = (wanted, unit)
                case Again() as again if not self._is_given_up(wanted, again):
                    self._waits[wanted.product] = again.reason
                    self._queue.again(wanted, time.monotonic() + self._pause_s(wanted, again))
                case Again() as again:
                    self._waits[wanted.product] = again.reason
                    self._queue.ended(wanted)
                case _:
                    self._queue.ended(wanted)

    def _is_given_up(self, wanted: Wanted, again: Again) -> bool:
        """Return whether a run that ends when all is done leaves a product to the next one."""
        if not self._setup.once or not again.counts:
            return self._setup.once and again.after_s >= 3600
        self._given_up[wanted.product] = self._given_up.get(wanted.product, 0) + 1
        return self._given_up[wanted.product] >= ONCE_TRIES

    def _pause_s(self, wanted: Wanted, again: Again) -> float:
        if not self._setup.once:
            return again.after_s
        return min(again.after_s, doubled(ONCE_OFFLINE_S, self._given_up.get(wanted.product, 1), LONGEST_S))

    def _settle(self) -> None:
        """Look what became of what lies in `landing/`."""
        with self._lock:
            looked = list(self._landed.items())[:SETTLED_EACH]
        for product, (wanted, name) in looked:
            unit = unit_of(self._setup.store, name)
            found = arrival(self._setup.store, wanted.collection, wanted.week, product, unit)
            with self._lock:
                if found is None:
                    self._landed.move_to_end(product)
                    continue
                self._landed.pop(product, None)
            known = self._book.week(wanted.collection, wanted.week)[product]
            if found.registered:
                self._say(known, "registered", "")
                self._supersede(known)
            elif unit is None:
                self._say(known, "found", found.fault)
                self._put(wanted)
            else:
                self._say(known, "failed", BY_INGEST + found.fault)

    def _supersede(self, known: Standing) -> None:
        """Say of the lower versions of a registered product's scene, or of itself, that they are superseded."""
        own = parse_product(known.product)
        if own is None:
            return
        same = []
        for other in list(self._book.week(known.collection, known.week).values()):
            parsed = parse_product(other.product)
            if parsed is not None and parsed.scene == own.scene and other.state in {"registered", "superseded"}:
                same.append((parsed.version, other))
        highest = max((version for version, _ in same), default=())
        for version, other in same:
            if version < highest and other.state == "registered":
                self._say(other, "superseded", "a newer version of its scene is registered")

    def _say(self, known: Standing, state: str, reason: str) -> None:
        with suppress(Overtaken):
            self._book.say(known.collection, known.week, known.product, state, reason)  # type: ignore[arg-type]

    def _requeue_failed(self, first_look: datetime) -> None:
        """Take up what failed, and whose failure record people took away; count the rest."""
        recorded = self._book.recorded() if self._book.failed else frozenset()
        for product, known in list(self._book.failed.items()):
            if record_id(product) not in recorded:
                del self._book.failed[product]
                self._say(known, "found", "requeued")
                self._take_up_one(known, first_look)
        dismissed = self._book.dismissed() if self._book.failed else frozenset()
        failed = sum(record_id(product) not in dismissed for product in list(self._book.failed))
        FETCH_FAILED.labels(self._setup.provider.name).set(failed)

    def _withdraw(self, known: Standing, deletion: Deletion) -> None:
        reason = f"taken away by {self._setup.provider.name}: {deletion.cause or 'no cause given'}"
        self._setup.withdraw(known.product, known.week, reason)
        self._say(known, "withdrawn", reason)

    def _restore(self, known: Standing) -> None:
        self._setup.restore(known.product, known.week, f"offered again by {self._setup.provider.name}")
