"""One product at a time: claim it, ask how it is now, fetch it, put it into `landing/`."""

from __future__ import annotations

import shutil
import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event

from services.ingest.fetch.arrival import is_registered, landed
from services.ingest.fetch.book import Book, Overtaken, make_record
from services.ingest.fetch.errors import Corrupt, FetchError, Gone, Misconfigured, Offline, Refused, Unavailable
from services.ingest.fetch.lease import Lease
from services.ingest.fetch.provider import Offer, Provider
from services.ingest.fetch.queue import Wanted
from services.ingest.fetch.settings import FetchSettings
from services.ingest.fetch.usage import Usage
from shared.items.landing import LandingUnit
from shared.items.products import product_prefix, reason_of
from shared.observe.failpoint import failpoint
from shared.observe.logs import get_logger
from shared.observe.metrics import FETCHED_BYTES
from shared.run.context import Observer
from shared.store import Store, StoreUnavailable
from shared.store.space import free_bytes, space_fault

ASSUMED_BYTES = 1_200_000_000
"""Bytes that are counted for a product whose size the provider does not state, until it is there."""

SURE_TRIES = 3
"""Askings after which what a provider says for good is believed: one 404, or one odd redirect, may be a hiccup."""

LONGEST_S = 900.0
"""Seconds that a provider that does not answer is left alone at most."""

WHOLE = "lies in landing/"
"""Why a product is `fetching` that was fetched, and is not registered yet."""

BY_INGEST = "ingest: "
"""How the reason of a product begins that came whole, and that ingest refused."""


DAY_S = 86_400.0
"""Seconds after which a product that is offline is asked for again at the latest."""


def doubled(first_s: float, count: int, longest_s: float) -> float:
    """Return the pause before a next try: doubled with each one so far.

    Args:
        first_s: after the first.
        count: tries so far, from 1.
        longest_s: at most.
    """
    return float(min(first_s * 2.0 ** min(count - 1, 30), longest_s))


class Interrupted(Exception):
    """Raised out of a download when the process stops, or another one took the product over."""


@dataclass(frozen=True)
class Landed:
    """A product came whole."""

    unit: str


@dataclass(frozen=True)
class Ended:
    """Nothing is left to do: it failed, is gone, or somebody else has it."""


@dataclass(frozen=True)
class Again:
    """It is tried again.

    Attributes:
        after_s: in how many seconds.
        reason: why, for people.
        counts: whether a run that ends when all is done gives up after some of these.
    """

    after_s: float
    reason: str
    counts: bool = True


@dataclass
class Downloads:
    """Fetches products, from several threads.

    Attributes:
        store: where they go.
        provider: where they come from.
        book: where it is written down.
        usage: counts the volume.
        settings: of fetching.
        folder: for what is under way, one folder for each product.
        put: puts a file or folder into `landing/`.
        owner: who claims.
        clock: the store's time.
        observer: told how far each is.
        stop: set to interrupt.
    """

    store: Store
    provider: Provider
    book: Book
    usage: Usage
    settings: FetchSettings
    folder: Path
    put: Callable[[Path], LandingUnit]
    owner: str
    clock: Callable[[], float]
    observer: Observer
    stop: Event
    _tries: Counter[str] = field(default_factory=Counter)
    _faults: Counter[str] = field(default_factory=Counter)

    def fetch(self, wanted: Wanted) -> Landed | Ended | Again:
        """Fetch a product; every end of it is written down, and none of them raises."""
        prefix = f"{product_prefix(wanted.collection, wanted.week, wanted.product)}claims/"
        lease = Lease(self.store, prefix, self.owner, self.clock, self.settings.lease_s)
        try:
            if not lease.take():
                return Again(self.settings.lease_s, "another process fetches it")
            failpoint("fetch.claimed")
            try:
                return self._fetch(wanted, lease)
            except FetchError as error:
                return self._weigh(wanted, error)
            finally:
                lease.release()
        except Overtaken:
            return Again(self.settings.lease_s, "another process fetches it")
        except Interrupted:
            return Again(0.0, "interrupted", counts=False)
        except StoreUnavailable as error:
            return Again(self._back_off(wanted), str(error), counts=False)
        except Exception as error:
            if fault := space_fault(error):
                return Again(60.0, f"{self.folder}: {fault}", counts=False)
            return self._weigh_unexpected(wanted, error)

    def _fetch(self, wanted: Wanted, lease: Lease) -> Landed | Ended | Again:
        collection, week, product = wanted.collection, wanted.week, wanted.product
        offer = self.book.offer(collection, week, product)
        if there := self._came_already(wanted, offer):
            return there
        offer = self.provider.describe(offer)
        self.book.describe(collection, week, offer)
        if offer.online is False:
            raise Offline(self._ordered(offer))
        size = offer.size or ASSUMED_BYTES
        if not self.usage.fits(size):
            raise Refused(f"{product}: its {size / 1e9:.1f} GB are more than monthly_gb allows")
        if free_bytes(self.folder) < size * 2 + self.settings.free_gb * 1e9:
            return Again(60.0, f"{self.folder}: less is free than {product} and `free_gb` need", counts=False)
        if not self.usage.reserve(size):
            return Again(3600.0, "monthly_gb is used up", counts=False)
        self.book.say(collection, week, product, "fetching", f"from {self.provider.name}")
        self.observer("fetch", "start", product)
        came = _Came(self, wanted, lease)
        folder = self.folder / product
        folder.mkdir(parents=True, exist_ok=True)
        try:
            path = self.provider.download(offer, folder, came)
        finally:
            self.usage.correct(came.done - size)
            FETCHED_BYTES.labels(self.provider.name).inc(came.done)
        failpoint("fetch.downloaded")
        unit = self.put(path)
        failpoint("fetch.delivered")
        self.book.say(collection, week, product, "fetching", WHOLE)
        shutil.rmtree(folder, ignore_errors=True)
        self._tries.pop(product, None)
        self._faults.pop(product, None)
        self.observer("fetch", "done", product)
        return Landed(unit.name)

    def _came_already(self, wanted: Wanted, offer: Offer) -> Landed | Ended | None:
        """Return what is to do with a product that came, in an earlier life of ours or by hand; None = it did not."""
        known = self.book.week(wanted.collection, wanted.week).get(wanted.product)
        if known is not None and known.state == "found" and known.number > 1:
            return None  # it is wanted again
        unit = landed(self.store, wanted.product)
        if unit is not None:
            told = known is not None and known.state == "fetching" and reason_of(self.store, known) == WHOLE
            if told or _is_whole(unit, offer):
                self.book.say(wanted.collection, wanted.week, wanted.product, "fetching", WHOLE)
                return Landed(unit.name)
        if is_registered(self.store, wanted.collection, wanted.week, wanted.product):
            self.book.say(wanted.collection, wanted.week, wanted.product, "registered", "")
            return Ended()
        return None

    def _ordered(self, offer: Offer) -> str:
        ordered = self.provider.order(offer)
        return "offline, and ordered" if ordered else "offline: the service brings it back when somebody orders it"

    def _weigh(self, wanted: Wanted, error: FetchError) -> Ended | Again:
        """Return what follows from an error of the provider's."""
        product = wanted.product
        get_logger(service="fetch").info("not fetched", product=product, error=str(error), why=type(error).__name__)
        match error:
            case Offline():
                self.book.say(wanted.collection, wanted.week, product, "deferred", str(error))
                self._tries[product] += 1
                return Again(doubled(self.settings.offline_s, self._tries[product], DAY_S), str(error))
            case Unavailable():
                return Again(max(error.retry_after_s or 0.0, self._back_off(wanted)), str(error))
            case Misconfigured():
                self.book.fail_search("credentials", make_record("credentials", "", "", error, 1, _CREDENTIALS))
                return Again(self.settings.poll_s, str(error))
            case Gone() | Refused() if self._count(wanted) < SURE_TRIES:
                return Again(self._back_off(wanted), str(error))
            case Gone():
                self.book.say(wanted.collection, wanted.week, product, "withdrawn", f"not there any more: {error}")
                return Ended()
            case Corrupt() if self._count(wanted) < self.settings.attempts:
                return Again(self._back_off(wanted), str(error))
            case _:
                return self._fail(wanted, error, _REFUSED if isinstance(error, Refused) else _CORRUPT)

    def _weigh_unexpected(self, wanted: Wanted, error: Exception) -> Ended | Again:
        get_logger(service="fetch").exception("unexpected", product=wanted.product)
        if self._count(wanted) < self.settings.attempts:
            return Again(self._back_off(wanted), f"{type(error).__name__}: {error}")
        text = "".join(traceback.format_exception(error))[-20_000:]
        return self._fail(wanted, error, "read the traceback; after a fix, `landstream requeue` this record", text)

    def _fail(self, wanted: Wanted, error: Exception, remedy: str, text: str = "") -> Ended:
        tries = max(1, self._faults.pop(wanted.product, 1))
        record = make_record(wanted.product, wanted.collection, wanted.week, error, tries, remedy, text)
        self.book.fail(wanted.collection, wanted.week, wanted.product, record)
        shutil.rmtree(self.folder / wanted.product, ignore_errors=True)
        self.observer("fetch", "failed", wanted.product, note=str(error))
        return Ended()

    def _count(self, wanted: Wanted) -> int:
        self._faults[wanted.product] += 1
        return self._faults[wanted.product]

    def _back_off(self, wanted: Wanted) -> float:
        self._tries[wanted.product] += 1
        return doubled(self.settings.back_off_s, self._tries[wanted.product], LONGEST_S)


_CORRUPT = "it came damaged each time: look at the provider's own page of it, then `landstream requeue` this record"
_REFUSED = "check the product and the addresses of `source:`, then `landstream requeue` this record"
_CREDENTIALS = "correct the credentials in the environment, or the source's addresses; fetching goes on by itself"


def _is_whole(unit: LandingUnit, offer: Offer) -> bool:
    """Return whether a unit is the archive that was offered: an object appears whole, or not at all."""
    if unit.is_folder or offer.size is None or unit.objects[0].size != offer.size:
        return False
    md5, etag = offer.checksums.get("md5"), unit.objects[0].etag.strip('"')
    return md5 is None or md5 == etag or "-" in etag  # of what was sent in parts, the etag is no MD5


class _Came:
    """Hears how far a download is; keeps its claim young, and interrupts it."""

    def __init__(self, downloads: Downloads, wanted: Wanted, lease: Lease) -> None:
        self._downloads, self._wanted, self._lease = downloads, wanted, lease
        self._renewed_s = time.monotonic()
        self.done = 0

    def __call__(self, done: int, total: int | None) -> None:
        failpoint("fetch.part")
        self.done = max(self.done, done)
        if self._downloads.stop.is_set():
            raise Interrupted
        if time.monotonic() - self._renewed_s > self._downloads.settings.lease_s / 3:
            if not self._lease.renew():
                raise Interrupted
            self._renewed_s = time.monotonic()
        self._downloads.observer("fetch", "progress", self._wanted.product, done, total or 0, "bytes")
