"""What follows from a fetch that did not end well: another try, after which pause, or a failure record."""

from __future__ import annotations

import shutil
import traceback
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from services.ingest.fetch.arrival import is_registered
from services.ingest.fetch.book import Book, make_record
from services.ingest.fetch.errors import Corrupt, FetchError, Gone, Misconfigured, Offline, Refused, Unavailable
from services.ingest.fetch.outcome import DAY_S, LONGEST_S, Again, Ended, doubled
from services.ingest.fetch.queue import Wanted
from services.ingest.fetch.settings import FetchSettings
from shared.items.products import OPEN, State
from shared.observe.logs import get_logger
from shared.run.context import Observer
from shared.store import Store

SURE_TRIES = 5
"""Askings in a row after which what a provider says for good is believed: one 404, or one odd redirect, may be a
hiccup."""

TURNED_AWAY = 3
"""Products in a row, or times that one product, may be turned away before credentials, or the product, are blamed."""

SAME_TRIES = 3
"""Times that a product comes with the same wrong checksum after which that is believed."""

MISSING = "not there any more"
"""How the reason of a product begins that was not found, without the provider's word that it was taken away."""

CREDENTIALS = "credentials"
"""What the failure record of absent or wrong credentials is called."""

_CORRUPT = "it came damaged each time: look at the provider's own page of it, then `landstream requeue` this record"
_REFUSED = "check the product and the addresses of `source:`, then `landstream requeue` this record"
_TOO_LARGE = "raise `monthly_gb` of `source:`, then `landstream requeue` this record"
_CREDENTIALS = (
    "correct the credentials in the environment, or the source's addresses, and restart fetch; without a restart it "
    "tries again once an hour"
)


class TooLarge(Refused):
    """Raised when a product is larger than all that may be fetched in a month."""


@dataclass
class Setbacks:
    """Weighs how fetches ended; from several threads, each product from one at a time.

    Attributes:
        store: where products go.
        book: where it is written down.
        settings: of fetching.
        folder: for what is under way, one folder for each product.
        observer: told what failed.
    """

    store: Store
    book: Book
    settings: FetchSettings
    folder: Path
    observer: Observer
    _tries: Counter[str] = field(default_factory=Counter)
    _faults: Counter[str] = field(default_factory=Counter)
    _rows: dict[str, int] = field(default_factory=dict)
    _digests: dict[str, Counter[str]] = field(default_factory=dict)
    _turned_away: set[str] = field(default_factory=set)
    _accepted: bool = False

    def overcome(self, product: str) -> None:
        """Forget the tries of a product: it came."""
        self._tries.pop(product, None)
        self._forget(product)
        self._turned_away.clear()
        if not self._accepted:
            self.book.answered(CREDENTIALS)
            self._accepted = True

    def weigh(self, wanted: Wanted, error: FetchError) -> Ended | Again:
        """Return what follows from an error of the provider's."""
        product = wanted.product
        known = self.book.week(wanted.collection, wanted.week).get(product)
        if known is not None and known.state not in OPEN:
            return Ended()  # taken away meanwhile
        get_logger(service="fetch").info("not fetched", product=product, error=str(error), why=type(error).__name__)
        row = self._rows[product] = self._rows.get(product, 0) + 1 if isinstance(error, (Gone, Refused)) else 0
        match error:
            case Offline():
                self.book.say(wanted.collection, wanted.week, product, "deferred", str(error))
                self._tries[product] += 1
                return Again(doubled(self.settings.offline_s, self._tries[product], DAY_S), str(error))
            case Unavailable():
                asked_s, pause_s = min(error.retry_after_s or 0.0, DAY_S), self.back_off(wanted)
                self._tell(wanted, error)
                return Again(max(asked_s, pause_s), str(error), "provider", asked_s)
            case Misconfigured():
                return self._turn_away(wanted, error)
            case Gone() | Refused() if row < SURE_TRIES and not isinstance(error, TooLarge):
                return self._later(wanted, error)
            case Gone():
                return self._miss(wanted, error)
            case Corrupt() if self._count(wanted) < self.settings.attempts and not self._is_same(wanted, error):
                return self._later(wanted, error)
            case _:
                return self._fail(wanted, error, _remedy(error))

    def _later(self, wanted: Wanted, error: FetchError) -> Again:
        pause_s = self.back_off(wanted)
        self._tell(wanted, error)
        return Again(pause_s, str(error))

    def _tell(self, wanted: Wanted, error: FetchError) -> None:
        """Write down what keeps a product that is tried again: one object, written over with each try."""
        tries = self._tries[wanted.product]
        reason = f"tried {tries} {'time' if tries == 1 else 'times'}, to be tried again: {error}"
        self.book.say(wanted.collection, wanted.week, wanted.product, "fetching", reason)

    def _turn_away(self, wanted: Wanted, error: Misconfigured) -> Ended | Again:
        """Blame the product while others come, and credentials or addresses when several in a row do not."""
        self._turned_away.add(wanted.product)
        if not self._accepted or len(self._turned_away) >= TURNED_AWAY:
            self._accepted = False
            self.book.fail_search(CREDENTIALS, make_record(CREDENTIALS, "", "", error, 1, _CREDENTIALS))
            self.back_off(wanted)
            self._tell(wanted, Misconfigured(f"credentials or addresses do not serve: {error}"))
            return Again(self.settings.poll_s, str(error), "everything")
        if self._count(wanted) < TURNED_AWAY:
            return self._later(wanted, error)
        self._turned_away.discard(wanted.product)
        return self._fail(wanted, error, _REFUSED)

    def _miss(self, wanted: Wanted, error: Gone) -> Ended:
        """Say that a product is not there; if it had come before, what came stays until the provider says more."""
        there = is_registered(self.store, wanted.collection, wanted.week, wanted.product)
        state: State = "registered" if there else "withdrawn"
        self.book.say(wanted.collection, wanted.week, wanted.product, state, f"{MISSING}: {error}")
        self._forget(wanted.product)
        return Ended()

    def weigh_unexpected(self, wanted: Wanted, error: Exception) -> Ended | Again:
        """Return what follows from an error that nobody expected: some tries, then a record with its traceback."""
        get_logger(service="fetch").exception("unexpected", product=wanted.product)
        if self._count(wanted) < self.settings.attempts:
            return Again(self.back_off(wanted), f"{type(error).__name__}: {error}")
        text = "".join(traceback.format_exception(error))[-20_000:]
        return self._fail(wanted, error, "read the traceback; after a fix, `landstream requeue` this record", text)

    def _fail(self, wanted: Wanted, error: Exception, remedy: str, text: str = "") -> Ended:
        tries = max(1, self._faults[wanted.product], self._rows.get(wanted.product, 0))
        self._forget(wanted.product)
        record = make_record(wanted.product, wanted.collection, wanted.week, error, tries, remedy, text)
        self.book.fail(wanted.collection, wanted.week, wanted.product, record)
        shutil.rmtree(self.folder / wanted.product, ignore_errors=True)
        self.observer("fetch", "failed", wanted.product, note=str(error))
        return Ended()

    def _is_same(self, wanted: Wanted, error: Corrupt) -> bool:
        """Return whether a product came damaged in the same way again and again: that is how it is upstream."""
        seen = self._digests.setdefault(wanted.product, Counter())
        seen[error.digest] += 1
        return bool(error.digest) and seen[error.digest] >= SAME_TRIES

    def _forget(self, product: str) -> None:
        self._faults.pop(product, None)
        self._rows.pop(product, None)
        self._digests.pop(product, None)

    def _count(self, wanted: Wanted) -> int:
        self._faults[wanted.product] += 1
        return self._faults[wanted.product]

    def back_off(self, wanted: Wanted) -> float:
        """Count a try of a product, and return the pause after it, in seconds."""
        self._tries[wanted.product] += 1
        return doubled(self.settings.back_off_s, self._tries[wanted.product], LONGEST_S)


def _remedy(error: FetchError) -> str:
    if isinstance(error, TooLarge):
        return _TOO_LARGE
    return _REFUSED if isinstance(error, Refused) else _CORRUPT
