"""One product at a time: claim it, ask how it is now, fetch it, put it into `landing/`."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from threading import Event, Lock

from services.ingest.completeness import why_incomplete
from services.ingest.fetch.arrival import is_registered, landed
from services.ingest.fetch.book import WHOLE, Book, Overtaken
from services.ingest.fetch.came import Came, Interrupted
from services.ingest.fetch.errors import FetchError, Offline
from services.ingest.fetch.lease import Lease
from services.ingest.fetch.outcome import Again, Ended, Landed, Outcome
from services.ingest.fetch.provider import Offer, Provider
from services.ingest.fetch.queue import Lane, Wanted
from services.ingest.fetch.setbacks import Setbacks, TooLarge
from services.ingest.fetch.settings import FetchSettings
from services.ingest.fetch.usage import ASSUMED_BYTES, Usage
from shared.items.landing import LandingUnit, unit_keys
from shared.items.products import OPEN, Standing, product_prefix, reason_of
from shared.observe.failpoint import failpoint
from shared.observe.logs import get_logger
from shared.observe.metrics import FETCHED_BYTES
from shared.run.context import Observer
from shared.run.deliver import DeliveryStopped
from shared.sizes import human
from shared.store import Store, StoreUnavailable
from shared.store.space import free_bytes, space_fault

FOR_FORWARD = 0.2
"""Share of `monthly_gb` that is kept for what is new: the past does without it."""


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
        alone: whether this process alone has the store.
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
    alone: bool = False
    _lock: Lock = field(default_factory=Lock)
    _room: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._setbacks = Setbacks(self.store, self.book, self.settings, self.folder, self.observer)

    def fetch(self, wanted: Wanted) -> Outcome:
        """Fetch a product; every end of it is written down, and none of them raises."""
        try:
            try:
                outcome = self._claimed(wanted)
                if not isinstance(outcome, Again):
                    shutil.rmtree(self.folder / wanted.product, ignore_errors=True)
                return outcome
            except (StoreUnavailable, Overtaken, Interrupted, DeliveryStopped):
                raise
            except Exception as error:
                if self.stop.is_set():
                    raise Interrupted from error  # its connections were closed under it
                if fault := space_fault(error):
                    return Again(60.0, f"{self.folder}: {fault}", "room")
                return self._setbacks.weigh_unexpected(wanted, error)
        except Overtaken:
            return Again(self.settings.lease_s, "another process fetches it")
        except (Interrupted, DeliveryStopped):
            return Again(0.0, "interrupted", "ours")
        except StoreUnavailable as error:
            return Again(self._setbacks.back_off(wanted), str(error), "ours")

    def _claimed(self, wanted: Wanted) -> Outcome:
        prefix = f"{product_prefix(wanted.collection, wanted.week, wanted.product)}claims/"
        lease = Lease(self.store, prefix, self.owner, self.clock, self.settings.lease_s, self.alone)
        if not lease.take():
            return Again(self.settings.lease_s, "another process fetches it")
        failpoint("fetch.claimed")
        try:
            return self._fetch(wanted, lease)
        except FetchError as error:
            return self._setbacks.weigh(wanted, error)
        finally:
            lease.release()

    def _fetch(self, wanted: Wanted, lease: Lease) -> Outcome:
        collection, week, product = wanted.collection, wanted.week, wanted.product
        said = self.book.reread(collection, week, product)
        if not said or said[-1].state not in OPEN:
            return Ended()  # taken away or fetched meanwhile, or not wanted any more
        offer = self.book.offer(collection, week, product)
        # What had come to an end before is wanted again: what lies there, and its item, may be of the older bytes.
        is_renewed = any(known.state in {"registered", "superseded", "failed", "withdrawn"} for known in said)
        there = self._is_told(said[-1]) or (None if is_renewed else self._came_already(wanted, offer))
        if there:
            return there
        if used_up := self._used_up(wanted.lane, offer.size or 0):
            return used_up
        if not self._has_room(offer.size or 0):
            return self._no_room()
        offer = self.provider.describe(offer)
        self.book.describe(collection, week, offer)
        if is_renewed and (there := self._lies_there(wanted, offer, certain=True)):
            return there
        if offer.online is False:
            raise Offline(self._ordered(offer))
        size = offer.size or ASSUMED_BYTES
        if not self.usage.fits(size):
            raise TooLarge(f"{product}: its {human(size)} are more than monthly_gb allows")
        with self._with_room(product, size) as there_is:
            if not there_is:
                return self._no_room()
            if (used_up := self._used_up(wanted.lane, size)) or not self.usage.reserve(size):
                return used_up or Again(3600.0, "monthly_gb is used up", "everything")
            return self._bring(wanted, lease, offer, size, said[-1])

    def _bring(self, wanted: Wanted, lease: Lease, offer: Offer, reserved: int, last: Standing) -> Outcome:
        """Download a product, and put it into `landing/`."""
        collection, week, product = wanted.collection, wanted.week, wanted.product
        folder = self.folder / product
        folder.mkdir(parents=True, exist_ok=True)
        begun_s = time.monotonic()
        came = Came(lease, folder, self.stop, partial(self.observer, "fetch", "progress", product, note="bytes"))
        try:
            fetching = self.book.say(collection, week, product, "fetching", f"from {self.provider.name}", last)
            self.observer("fetch", "start", product)
            path = self.provider.download(offer, folder, came)
        finally:
            self.usage.correct(came.fetched - reserved)
            FETCHED_BYTES.labels(self.provider.name).inc(came.fetched)
        failpoint("fetch.downloaded")
        came.keep()  # whoever slept over it must not put what another one brings
        if self.book.reread(collection, week, product)[-1:] != [fetching]:
            return Ended()  # taken away meanwhile
        unit = self.put(path)
        failpoint("fetch.delivered")
        self.book.say(collection, week, product, "fetching", WHOLE, fetching)
        self._setbacks.overcome(product)
        self.observer("fetch", "done", product)
        took_s = round(time.monotonic() - begun_s, 1)
        log = get_logger(service="fetch")
        log.info("fetched", product=product, lane=wanted.lane, bytes=came.fetched, took_s=took_s)
        return Landed(unit.name)

    @contextmanager
    def _with_room(self, product: str, size: int) -> Iterator[bool]:
        """Keep room on the disk for a product, beside those under way; say whether there is some."""
        with self._lock:
            enough = self._has_room(size)
            if enough:
                self._room[product] = size
        try:
            yield enough
        finally:
            with self._lock:
                self._room.pop(product, None)

    def _has_room(self, size: int) -> bool:
        return free_bytes(self.folder) >= 2 * size + sum(list(self._room.values())) + self.settings.free_gb * 1e9

    def _no_room(self) -> Again:
        return Again(60.0, f"{self.folder}: less is free than products and `free_gb` need", "room")

    def _used_up(self, lane: Lane, size: int) -> Again | None:
        """Return what is waited for while the month's volume has no room; the past leaves some of it for what is new.

        Nothing is waited for where a product is larger than all of it.
        """
        usage = self.usage
        if usage.limit is None or not usage.fits(size):
            return None
        if not usage.has_room(size):
            return Again(3600.0, "monthly_gb is used up", "everything" if lane == "forward" else "past")
        kept = int(usage.limit * FOR_FORWARD) if lane == "backfill" else 0
        if usage.fits(size + kept) and not usage.has_room(size + kept):
            return Again(3600.0, "what monthly_gb leaves for the past is used up", "past")
        return None

    def _ordered(self, offer: Offer) -> str:
        ordered = self.provider.order(offer)
        return "offline, and ordered" if ordered else "offline: the service brings it back when somebody orders it"

    def _came_already(self, wanted: Wanted, offer: Offer) -> Landed | Ended | None:
        """Return what is to do with a product that came, in an earlier life of ours or by hand; None = it did not."""
        if there := self._lies_there(wanted, offer, certain=False):
            return there
        if is_registered(self.store, wanted.collection, wanted.week, wanted.product):
            self.book.say(wanted.collection, wanted.week, wanted.product, "registered", "")
            return Ended()
        return None

    def _lies_there(self, wanted: Wanted, offer: Offer, certain: bool) -> Landed | None:
        unit = landed(self.store, wanted.product)
        if unit is None or not (_is_whole(unit, offer, certain) or (not certain and self._is_complete(unit))):
            return None
        self.book.say(wanted.collection, wanted.week, wanted.product, "fetching", WHOLE)
        return Landed(unit.name)

    def _is_complete(self, unit: LandingUnit) -> bool:
        """Return whether a unit is a folder with all that its manifest names, as people bring it."""
        keys = {path: key for key, path in unit_keys(unit)}
        return unit.is_folder and why_incomplete(unit, lambda path: self.store.get(keys[path])) is None

    def _is_told(self, last: Standing) -> Landed | None:
        """Return the unit of a product of which we said that it lies in `landing/`, if it does."""
        if last.state != "fetching" or reason_of(self.store, last) != WHOLE:
            return None
        unit = landed(self.store, last.product)
        return None if unit is None else Landed(unit.name)


def _is_whole(unit: LandingUnit, offer: Offer, certain: bool) -> bool:
    """Return whether a unit is the archive that was offered: an object appears whole, or not at all.

    Args:
        unit: in `landing/`.
        offer: of the provider.
        certain: whether only the same checksum tells so.
    """
    if unit.is_folder or offer.size is None or unit.objects[0].size != offer.size:
        return False
    md5, etag = offer.checksums.get("md5"), unit.objects[0].etag.strip('"')
    if certain:
        return md5 == etag
    return md5 is None or md5 == etag or "-" in etag  # of what was sent in parts, the etag is no MD5
