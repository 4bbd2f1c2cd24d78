"""How the fetch of a product ended, and what of it and of the others is done next, and when."""

from __future__ import annotations

import time
from collections import Counter
from threading import Event, Lock

from services.ingest.fetch.book import Book
from services.ingest.fetch.outcome import Again, Landed, Outcome, doubled
from services.ingest.fetch.queue import LANES, Wanted
from services.ingest.fetch.setup import Setup
from services.ingest.fetch.work import Work
from shared.items.products import OPEN

TURN_S = 1.0
"""Seconds that a product waits at least which was turned away, so that the others are asked for first."""

SILENT = 8
"""Downloads in a row without an answer after which nothing is fetched for a while, more after each as many."""

SILENT_S = 60.0
"""Seconds that this while lasts at most."""

ONCE_OFFLINE_S = 5.0
"""Seconds after which a run that ends when all is done asks again for what was offline, doubled each time."""

ONCE_ASKED_S = 60.0
"""Seconds that such a run waits at most when a provider asks to be left alone; what it is asked for longer is left."""

ONCE_PAUSE_S = 20.0
"""Seconds that it waits for a product at most before the next try."""

ONCE_TRIES = 12
"""Tries of a product that such a run makes where what fails is the product's, such as that it is offline."""

ONCE_SILENT = 48
"""Downloads in a row without an answer after which such a run leaves the rest to the next one: a provider of which one
answer in eight is good gets through."""


class Ending:
    """Weighs how fetches end, for a term. Its calls may come from any thread.

    Args:
        setup: what the term works in.
        book: where it is written down.
        work: what is left to do.
        ended: set when the term ends.
    """

    def __init__(self, setup: Setup, book: Book, work: Work, ended: Event) -> None:
        self._setup, self._book, self._work, self._ended = setup, book, work, ended
        self._lock, self._tries, self._silent = Lock(), Counter[str](), 0

    def conclude(self, wanted: Wanted, outcome: Outcome) -> None:
        """Take in how the fetch of a product ended."""
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
            now += TURN_S  # the others go first then: it may be the only one that is turned away
        if not once or self._ended.is_set():
            self._work.again(wanted, now + again.after_s, again.reason)
            return
        with self._lock:
            counts = again.why == "product" or (again.why == "room" and self._work.running == 1)
            self._tries[wanted.product] += counts
            tries = self._tries[wanted.product]
        if tries >= ONCE_TRIES or again.asked_s > ONCE_ASKED_S:
            self._work.end(wanted, again.reason)
        elif silent >= ONCE_SILENT:
            self._work.end(wanted, again.reason)
            self._work.leave_all(again.reason)
        else:
            pause_s = max(again.asked_s, min(again.after_s, doubled(ONCE_OFFLINE_S, max(1, tries), ONCE_PAUSE_S)))
            self._work.again(wanted, now + pause_s, again.reason)

    def _held_s(self, again: Again, silent: int) -> float:
        """Return for how many seconds nothing is fetched after a download that did not end well."""
        if again.why in {"everything", "room"}:
            return again.after_s
        if again.why == "provider" and silent >= SILENT:
            return max(again.asked_s, doubled(self._setup.settings.back_off_s, silent // SILENT, SILENT_S))
        return again.asked_s
