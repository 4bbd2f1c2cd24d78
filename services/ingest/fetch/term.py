"""A term of whoever leads: the threads that search and download, and what they share; nothing outlives the term."""

from __future__ import annotations

import shutil
import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from threading import Event, Lock, Thread

from services.ingest.fetch.aftermath import Aftermath
from services.ingest.fetch.book import Book, Overtaken
from services.ingest.fetch.downloads import Downloads
from services.ingest.fetch.events import Subscribed, queries_of, take_events
from services.ingest.fetch.hearing import collection_of
from services.ingest.fetch.lease import Lease, StoreClock
from services.ingest.fetch.outcome import LONGEST_S, Again, Landed, Outcome, doubled
from services.ingest.fetch.provider import Deletion
from services.ingest.fetch.queue import LANES, Wanted
from services.ingest.fetch.searches import Searches
from services.ingest.fetch.setup import Setup
from services.ingest.fetch.spans import lane_of
from services.ingest.fetch.subscription import Subscription
from services.ingest.fetch.usage import Usage
from services.ingest.fetch.work import Work
from services.ingest.names import parse_product
from shared.items.products import OPEN, Standing, standing
from shared.observe.logs import get_logger
from shared.observe.metrics import FETCH_FAILED, FETCH_OLDEST, FETCH_QUEUE, FETCH_SEARCHED, FETCH_VOLUME
from shared.store import NotFound, StoreUnavailable

TICK_S = 1.0
IDLE_S = 0.2
REQUEUE_S = 30.0
"""Seconds between two looks whether people took failure records away, at most."""

EVENTS_S = 15.0
"""Seconds between two readings of a subscription."""

STOP_S = 4.0
"""Seconds that threads are waited for at the end: one that is late dies with the process, and holds its claim."""

SILENT = 8
"""Downloads in a row without an answer after which nothing is fetched for a while, more after each as many."""

SILENT_S = 60.0
"""Seconds that this while lasts at most."""

ONCE_OFFLINE_S = 5.0
"""Seconds after which a run that ends when all is done asks again for what was offline, doubled each time."""

ONCE_ASKED_S = 60.0
"""Seconds that such a run waits at most when a provider asks to be left alone; what it is asked for longer is left."""

ONCE_TRIES = 8
"""Tries of a product that such a run makes while the provider does not answer."""

ONCE_LOOKS = 5
"""Tries of a search that such a run makes: a minute, beside the tries of each request."""

ONCE_SILENT = 32
"""Downloads in a row without an answer after which such a run leaves the rest to the next one."""


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
        self._look_tries, self._look_s, self._tries, self._broken = 0, 0.0, Counter[str](), list[Exception]()
        self._silent, self._events_s = 0, 0.0
        self._recounts, self._is_repair_due = 0, False
        self._book = Book(setup.store, clock.now)
        self._work = Work(
            min(settings.backfill_connections, settings.connections), settings.ahead, settings.connections
        )
        self._aftermath = Aftermath(setup.store, self._book, self._work, self._take_up, self._restore)
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
        FETCH_SEARCHED.labels(self._setup.provider.name).set_to_current_time()  # silent from here on, if it is
        try:
            self._lead_on(lead)
        finally:
            self._ended.set()
            self._measure_nothing()
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
                FETCH_FAILED.labels(setup.provider.name).set(self._aftermath.count_failed())
                looked_s = now
            self._measure()
            if setup.once and self.quiet:
                return
            setup.stop.wait(IDLE_S if setup.once else TICK_S)

    def _measure(self) -> None:
        for lane in LANES:
            FETCH_QUEUE.labels(lane).set(self._work.count(lane))
            FETCH_OLDEST.labels(lane).set(self._work.oldest_s(lane))
        FETCH_VOLUME.labels("used").set(self._usage.used)
        if self._usage.limit is not None:
            FETCH_VOLUME.labels("limit").set(self._usage.limit)

    def _measure_nothing(self) -> None:
        """Leave the telling to whoever leads now."""
        for gauge in (FETCH_QUEUE, FETCH_OLDEST, FETCH_VOLUME, FETCH_FAILED, FETCH_SEARCHED):
            gauge.clear()

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
        lane = lane_of(offer.sensed, offer.published, self._first_look, self._setup.settings.forward_days)
        self._work.put(Wanted(known.collection, known.week, known.product, lane, offer.sensed.timestamp()))

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
                FETCH_SEARCHED.labels(self._setup.provider.name).set_to_current_time()
                self._is_looked = True
            if not searches.silent and not searches.recounting and self._is_recount_due():
                self._book.forget()
                searches.begin_recount()
                self._is_recounted = True
        if self._subscription is not None and time.monotonic() >= self._events_s:
            self._events_s = time.monotonic() + EVENTS_S
            answers.append(searches.guarded("events", partial(take_events, self._subscription, searches)))
        if searches.recounting:
            answers.append(searches.recount())
            if not searches.recounting:
                self._recounts += 1
                self._is_repair_due = self._recounts > 1 and not self._setup.once
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
            self._conclude(wanted, self._downloads.fetch(wanted))

    def _conclude(self, wanted: Wanted, outcome: Outcome) -> None:
        if isinstance(outcome, Landed):
            self._work.land(wanted, outcome.unit)
            with self._lock:
                self._silent = 0
        elif isinstance(outcome, Again):
            self._postpone(wanted, outcome)
        else:
            known = self._book.week(wanted.collection, wanted.week).get(wanted.product)
            if known is not None and known.state in OPEN:  # it came back while it was under way
                self._work.again(wanted, time.monotonic(), "offered again")
            else:
                self._work.end(wanted)

    def _postpone(self, wanted: Wanted, again: Again) -> None:
        """Put a product back; or leave it to the next run, if this one ends when all is done."""
        now, once = time.monotonic(), self._setup.once
        with self._lock:
            self._silent = silent = self._silent + 1 if again.why == "provider" else 0
        if again.why in {"everything", "past"} and once:
            self._work.end(wanted, again.reason)
            self._work.leave_all(again.reason, LANES if again.why == "everything" else ("backfill",))
            return
        if again.why == "past":
            self._work.hold_past(now + again.after_s)
        if not once and (held_s := self._held_s(again, silent)):
            self._work.hold(now + held_s)
            now += TICK_S  # the others go first then: it may be the only one that is turned away
        if not once or self._ended.is_set():
            self._work.again(wanted, now + again.after_s, again.reason)
            return
        with self._lock:
            counts = again.why in {"product", "provider"} or (again.why == "room" and self._work.running == 1)
            self._tries[wanted.product] += counts
            tries = self._tries[wanted.product]
        if tries >= ONCE_TRIES or again.asked_s > ONCE_ASKED_S:
            self._work.end(wanted, again.reason)
        elif silent >= ONCE_SILENT:
            self._work.end(wanted, again.reason)
            self._work.leave_all(again.reason)
        else:
            pause_s = max(again.asked_s, min(again.after_s, doubled(ONCE_OFFLINE_S, max(1, tries), LONGEST_S)))
            self._work.again(wanted, now + pause_s, again.reason)

    def _held_s(self, again: Again, silent: int) -> float:
        """Return for how many seconds nothing is fetched after a download that did not end well."""
        if again.why in {"everything", "room"}:
            return again.after_s
        if again.why == "provider" and silent >= SILENT:
            return max(again.asked_s, self._back_off(silent // SILENT, SILENT_S))
        return again.asked_s

    def _withdraw(self, known: Standing, deletion: Deletion) -> None:
        reason = f"taken away by {self._setup.provider.name}: {deletion.cause[:200] or 'no cause given'}"
        self._setup.withdraw(known.product, known.week, reason)
        self._book.say(known.collection, known.week, known.product, "withdrawn", reason)

    def _restore(self, known: Standing) -> None:
        self._setup.restore(known.product, known.week, f"offered again by {self._setup.provider.name}")
