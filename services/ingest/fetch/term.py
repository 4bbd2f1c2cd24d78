"""A term of whoever leads: the threads that search and download, and what they share; nothing outlives the term."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from threading import Event, Lock, Thread

from services.ingest.fetch import gauges
from services.ingest.fetch.aftermath import Aftermath
from services.ingest.fetch.book import WHOLE, Book, Overtaken
from services.ingest.fetch.downloads import Downloads
from services.ingest.fetch.ending import Ending
from services.ingest.fetch.events import Subscribed, queries_of, take_events
from services.ingest.fetch.hearing import collection_of
from services.ingest.fetch.lease import Lease, StoreClock
from services.ingest.fetch.outcome import LONGEST_S, doubled
from services.ingest.fetch.provider import Deletion
from services.ingest.fetch.providers.subscription import Subscription
from services.ingest.fetch.queue import Wanted
from services.ingest.fetch.searches import Searches
from services.ingest.fetch.setup import Setup
from services.ingest.fetch.spans import lane_of
from services.ingest.fetch.usage import Usage
from services.ingest.fetch.work import Work
from services.ingest.names import parse_product
from shared.items.products import OPEN, Standing, standing
from shared.observe.logs import get_logger
from shared.store import NotFound, StoreUnavailable

TICK_S = 1.0
IDLE_S = 0.2
REQUEUE_S = 30.0
"""Seconds between two looks whether people took failure records away, at most."""

EVENTS_S = 15.0
"""Seconds between two readings of a subscription."""

STOP_S = 4.0
"""Seconds that threads are waited for at the end: one that is late dies with the process, and holds its claim."""

ONCE_LOOKS = 5
"""Tries of a search that such a run makes: a minute, beside the tries of each request."""


class Term:
    """One term.

    Args:
        setup: what it works in.
        clock: the store's time.
        owner: who claims.

    Raises:
        StoreUnavailable: the store is away.
    """

    def __init__(self, setup: Setup, clock: StoreClock, owner: str) -> None:
        self._setup, self._log, settings = setup, get_logger(service="fetch"), setup.settings
        setup.folder.mkdir(parents=True, exist_ok=True)
        self._ended, self._lock = Event(), Lock()
        self._is_searched = self._is_resumed = self._is_looked = self._is_recounted = False
        self._look_tries, self._look_s, self._events_s = 0, 0.0, 0.0
        self._is_later_recount, self._is_repair_due, self._broken = False, False, list[Exception]()
        self._book = Book(setup.store, clock.now)
        self._work = Work(
            min(settings.backfill_connections, settings.connections), settings.ahead, settings.connections
        )
        self._ending = Ending(setup, self._book, self._work, self._ended)
        self._aftermath = Aftermath(setup.store, self._book, self._work, self._take_up, self._restore, setup.area)
        self._usage = Usage(setup.store, setup.source.monthly_gb, clock.now)
        self._first_look = self._begun(clock)
        self._downloads = Downloads(
            setup.store, setup.provider, self._book, self._usage, settings, setup.folder, setup.put, owner, clock,
            setup.observer, self._ended, setup.alone,
        )  # fmt: skip
        self._searches = Searches(
            setup.area, setup.source, setup.provider, self._book, settings, self._first_look, self._work.put,
            self._withdraw, clock.now,
        )  # fmt: skip
        self._subscription = self._subscribed()

    def _subscribed(self) -> Subscription | None:
        provider, is_asked = self._setup.provider, getattr(self._setup.source, "subscribe", False)
        if not is_asked or self._setup.once or not isinstance(provider, Subscribed):
            return None
        return provider.subscription(queries_of(self._setup.area, self._searches.types))

    def run(self, lead: Lease) -> None:
        """Work until told to stop, done, or overtaken.

        Raises:
            StoreUnavailable: the store is away.
        """
        self._clear()
        tasks = [("search", self._search), ("resume", self._resume)]
        tasks += [(str(n), self._download) for n in range(self._setup.settings.connections)]
        threads = [Thread(target=partial(self._guard, task), name=f"fetch-{n}", daemon=True) for n, task in tasks]
        for thread in threads:
            thread.start()
        gauges.tell_answered(self._setup.provider.name)  # silent from here on, if it is
        gauges.tell_missing(self._searches.missing)
        try:
            self._lead_on(lead)
        finally:
            self._ended.set()
            gauges.clear()  # whoever leads now tells
            deadline_s = time.monotonic() + STOP_S
            for thread in threads:
                thread.join(max(0.0, deadline_s - time.monotonic()))
        if self._broken:
            raise self._broken[0]

    @property
    def quiet(self) -> bool:
        """Whether everything that can be had now was fetched and taken in."""
        return self._is_searched and self._is_resumed and self._work.is_done

    def waits(self) -> Sequence[str]:
        """Return what fetching waits for, one line each, for people."""
        faults = [f"fetch: {name}: {fault}" for name, fault in sorted(dict(self._searches.faults).items())]
        return faults + [f"fetch: {count} x {reason}" for reason, count in sorted(self._work.waits().items())]

    def _guard(self, task: Callable[[], None]) -> None:
        """Run a thread's task; what nobody expected ends the term, and is raised by it."""
        try:
            task()
        except Exception as error:
            self._log.exception("fetching broke")
            self._broken.append(error)
            self._ended.set()

    def _lead_on(self, lead: Lease) -> None:
        setup, settings = self._setup, self._setup.settings
        renewed_s = looked_s = time.monotonic()
        while not setup.stop.is_set() and not self._ended.is_set():
            now = time.monotonic()
            if now - renewed_s > settings.lease_s / 3:
                if not lead.renew():
                    self._log.warning("another process leads now")
                    return
                renewed_s = now
            setup.tick()
            self._aftermath.settle()
            if self._is_resumed and self._is_repair_due:
                self._is_repair_due = False
                self._aftermath.begin_repair()
            self._aftermath.repair()
            if self._is_resumed and now - looked_s > min(settings.poll_s, REQUEUE_S):
                self._aftermath.requeue()
                gauges.tell_failed(setup.provider.name, self._aftermath.count_failed())
                looked_s = now
            gauges.tell(self._work, self._usage)
            if setup.once and self.quiet:
                return
            setup.stop.wait(IDLE_S if setup.once else TICK_S)

    def _begun(self, clock: StoreClock) -> datetime:
        """Return when this store's stream asked for the first time."""
        kept = self._book.kept("first-look")
        if kept is None:
            kept = {"at_s": clock()}
            self._book.keep("first-look", kept)
        return datetime.fromtimestamp(float(str(kept["at_s"])), UTC)

    def _clear(self) -> None:
        """Remove what earlier terms left half of products that are not wanted any more."""
        for path in self._setup.folder.iterdir():
            parsed = parse_product(path.name)
            if parsed is not None and path.is_dir() and not path.is_symlink():
                known = standing(self._setup.store, collection_of(parsed), parsed.week, parsed.product)
                if known is None or known.state not in OPEN:
                    shutil.rmtree(path, ignore_errors=True)

    def _resume(self) -> None:
        """Go on with what an earlier term left, beside all else: it may be much."""
        while not self._ended.is_set():
            try:
                self._aftermath.resume()
                self._aftermath.requeue()
                self._is_resumed = True
                return
            except StoreUnavailable as error:
                self._log.warning("fetching continues later", error=str(error))
                self._ended.wait(TICK_S)

    def _take_up(self, known: Standing) -> None:
        try:
            offer = self._book.offer(known.collection, known.week, known.product)
        except NotFound:
            self._log.warning("nothing says what it is", product=known.product)
            return
        if not self._searches.is_asked_for(known, offer) and self._book.reason(known) != WHOLE:
            with suppress(Overtaken):
                reason = "of a type, or of days, that the area's `source:` does not ask for any more"
                self._book.say(known.collection, known.week, known.product, "unwanted", reason)
            return
        lane = lane_of(offer.sensed, offer.published, self._first_look, self._setup.settings.forward_days)
        wanted = Wanted(known.collection, known.week, known.product, lane, offer.sensed.timestamp())
        self._work.put(wanted, self._book.waited_s(known))

    def _search(self) -> None:
        """Search and recount until this term ends."""
        tries, once = 0, self._setup.once
        while not self._ended.is_set():
            try:
                answered = self._search_step()
            except (StoreUnavailable, Overtaken) as error:
                self._log.warning("the search continues later", error=str(error))
                answered = False
            tries = 0 if answered else tries + 1
            is_hopeless = tries > 0 and self._searches.hopeless
            if once and (self._is_searched or tries >= ONCE_LOOKS or (is_hopeless and not self._searches.recounting)):
                self._is_searched = True
                return
            if tries:
                pause_s = self._back_off(1 if once and is_hopeless else tries, LONGEST_S)
                self._ended.wait(min(pause_s, max(IDLE_S, self._look_s - time.monotonic())))
            elif not self._searches.recounting:
                self._ended.wait(IDLE_S if once else TICK_S)

    def _search_step(self) -> bool:
        """Do what is due of searching: look, and one span of a recount; return whether any of it was answered."""
        searches, answers = self._searches, list[bool]()
        if time.monotonic() >= self._look_s:
            is_whole = searches.look()
            answers.append(not searches.silent)
            self._look_tries = 0 if is_whole else self._look_tries + 1
            poll_s = self._setup.settings.poll_s
            self._look_s = time.monotonic() + (poll_s if is_whole else self._back_off(self._look_tries, poll_s))
            if is_whole:
                gauges.tell_answered(self._setup.provider.name)
                self._is_looked = True
            if not searches.silent and not searches.recounting and self._is_recount_due():
                self._book.forget()
                self._is_later_recount = searches.recounted is not None  # whoever counted before, this term or another
                searches.begin_recount()
                self._is_recounted = True
        if self._subscription is not None and time.monotonic() >= self._events_s:
            self._events_s = time.monotonic() + EVENTS_S
            answers.append(searches.guarded("events", partial(take_events, self._subscription, searches)))
        if searches.recounting:
            answers.append(searches.recount())
            if not searches.recounting:
                gauges.tell_missing(searches.missing)
                self._is_repair_due = self._is_later_recount and not self._setup.once
        self._is_searched = self._is_looked and not searches.recounting
        return any(answers) or not answers

    def _back_off(self, tries: int, longest_s: float) -> float:
        return doubled(self._setup.settings.back_off_s, tries, longest_s)

    def _is_recount_due(self) -> bool:
        recounted = self._searches.recounted
        if recounted is None or (self._setup.once and not self._is_recounted):
            return True
        return (self._searches.now() - recounted).total_seconds() >= self._setup.settings.recount_s

    def _download(self) -> None:
        """Fetch one product after the other until this term ends."""
        while not self._ended.is_set():
            wanted = self._work.take(time.monotonic())
            if wanted is None:
                self._ended.wait(IDLE_S)
                continue
            self._ending.conclude(wanted, self._downloads.fetch(wanted))

    def _withdraw(self, known: Standing, deletion: Deletion) -> None:
        reason = f"taken away by {self._setup.provider.name}: {deletion.cause[:200] or 'no cause given'}"
        self._setup.withdraw(known.product, known.week, reason)
        self._book.say(known.collection, known.week, known.product, "withdrawn", reason)

    def _restore(self, known: Standing) -> None:
        self._setup.restore(known.product, known.week, f"offered again by {self._setup.provider.name}")
