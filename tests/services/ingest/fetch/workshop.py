"""What the tests of the fetcher share: a provider in memory, and a stand-in of ingest."""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from threading import Event, Lock, Thread
from types import TracebackType
from typing import Any

from services.ingest.fetch.errors import Gone, Offline
from services.ingest.fetch.fetcher import Fetcher
from services.ingest.fetch.hearing import collection_of
from services.ingest.fetch.provider import Deletion, Offer, Progress, Query, unheard
from services.ingest.fetch.settings import FetchSettings
from services.ingest.fetch.setup import Setup
from services.ingest.names import parse_product
from shared.area import Area
from shared.area.source import CdseSource, ProductType
from shared.items.keys import failure_key, items_prefix, receipt_key
from shared.items.landing import PREFIX, LandingUnit
from shared.items.products import Standing, reason_of, standing
from shared.run.deliver import deliver
from shared.run.landed import unit_of
from shared.store import FolderStore
from tests.catalogues import AREA

START = datetime(2018, 6, 5, 9, 20, 31, tzinfo=UTC)
L2A = "sentinel-2-l2a"
QUICKLY = {"poll_s": 0.2, "back_off_s": 0.02, "offline_s": 0.05, "lease_s": 2.0, "free_gb": 0.0, "recount_s": 3600.0}


def name_of(days: float = 0, tile: str = "T34TGR", baseline: str = "0509") -> str:
    """The name of a product of some days after the first."""
    sensed = START + timedelta(days=days)
    return f"S2A_MSIL2A_{sensed:%Y%m%dT%H%M%S}_N{baseline}_R093_{tile}_{sensed + timedelta(hours=3):%Y%m%dT%H%M%S}"


def offer_of(name: str, data: bytes = b"bytes", **given: Any) -> Offer:
    """A product as a provider offers it, published six hours after it was sensed."""
    parsed = parse_product(name)
    sensed = START if parsed is None else datetime.strptime(name.split("_")[2], "%Y%m%dT%H%M%S").replace(tzinfo=UTC)
    facts: dict[str, Any] = {
        "name": name,
        "id": f"id-of-{name}",
        "product_type": "S2MSI2A",
        "sensed": sensed,
        "published": sensed + timedelta(hours=6),
        "size": len(data),
        "checksums": {"md5": hashlib.md5(data, usedforsecurity=False).hexdigest()},
        "online": True,
    }
    return Offer(**(facts | given))


@dataclass
class Shop:
    """A provider in memory; what it is asked is counted.

    Attributes:
        offers: name -> what it offers.
        data: name -> the archive.
        asked: what was asked -> how often; `whole NAME` = it was sent from beginning to end.
        searches: queries that came.
        before: called with what is asked and the name or type, before it is answered; may raise or wait.
        gone: what was taken away.
        can_order: whether offline products come when they are ordered.
    """

    name: str = "shop"
    offers: dict[str, Offer] = field(default_factory=dict)
    data: dict[str, bytes] = field(default_factory=dict)
    asked: Counter[str] = field(default_factory=Counter)
    searches: list[Query] = field(default_factory=list)
    before: Callable[[str, str], None] = lambda what, name: None
    gone: list[Deletion] = field(default_factory=list)
    can_order: bool = False
    most: int = 0
    closed: bool = False
    _now: int = 0
    _lock: Lock = field(default_factory=Lock)

    def add(self, name: str, data: bytes | None = None, **given: Any) -> Offer:
        """Offer a product."""
        archive = name.encode() * 3 if data is None else data
        self.data[name] = archive
        self.offers[name] = offer_of(name, archive, **given)
        return self.offers[name]

    def _count(self, what: str, name: str) -> None:
        with self._lock:
            self.asked[what] += 1
            self.asked[f"{what} {name}"] += 1
        self.before(what, name)

    def search(self, query: Query) -> Iterator[Offer]:
        self.searches.append(query)
        self._count("search", query.product_type)
        for offer in sorted(self.offers.values(), key=lambda o: o.published, reverse=True):
            if offer.product_type in {query.product_type, "OTHER"} and all(
                (low is None or low <= value) and (high is None or value <= high)
                for (low, high), value in ((query.sensed, offer.sensed), (query.published, offer.published))
            ):
                yield offer
                self.before("page", offer.name)

    def describe(self, offer: Offer) -> Offer:
        self._count("describe", offer.name)
        if offer.name not in self.offers:
            raise Gone(f"{offer.name} is not there")
        return self.offers[offer.name]

    def download(self, offer: Offer, folder: Path, progress: Progress = unheard) -> Path:
        self._count("download", offer.name)
        if offer.name not in self.offers:
            raise Gone(f"{offer.name} is not there")
        if offer.online is False:
            raise Offline(f"{offer.name} is offline")
        with self._lock:
            self._now += 1
            self.most = max(self.most, self._now)
        try:
            return self._send(offer, folder, progress)
        finally:
            with self._lock:
                self._now -= 1

    def _send(self, offer: Offer, folder: Path, progress: Progress) -> Path:
        data, path = self.data[offer.name], folder / f"{offer.name}.zip"
        if path.exists() and path.read_bytes() == data:
            return path
        part = path.with_suffix(".part")
        done = part.stat().st_size if part.exists() else 0
        for start in range(done, len(data), max(1, len(data) // 4)):
            piece = data[start : start + max(1, len(data) // 4)]
            with part.open("ab") as file:
                file.write(piece)
            progress(start + len(piece), len(data))
            self.before("piece", offer.name)
        part.rename(path)
        with self._lock:
            self.asked[f"whole {offer.name}"] += 1
        return path

    def order(self, offer: Offer) -> bool:
        self._count("order", offer.name)
        return self.can_order

    def deletions(self, product_type: ProductType, since: datetime) -> Iterator[Deletion]:
        self._count("deletions", product_type)
        yield from [deletion for deletion in self.gone if deletion.deleted >= since]

    def close(self) -> None:
        self.closed = True


class Intake:
    """Stands in for ingest: registers each unit of `landing/`, or refuses those of some names; a thread while used."""

    def __init__(self, store: FolderStore, refuses: Callable[[str], bool] = lambda name: False) -> None:
        self.store, self.refuses, self.taken = store, refuses, Counter[str]()
        self._stop = Event()
        self._thread = Thread(target=self._run, daemon=True)

    def __enter__(self) -> Intake:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(0.02):
            self.once()

    def once(self) -> None:
        """Take in what lies there."""
        for name in list(self.store.children(PREFIX)):
            unit, parsed = unit_of(self.store, name), parse_product(name)
            if unit is None or parsed is None or self.store.exists(receipt_key(unit.name, unit.receipt_id)):
                continue
            if record := self.refusal(unit, parsed.product):
                key = failure_key("ingest", f"{parsed.product}--00000000")
                self.store.put(key, record)
                self.store.put(receipt_key(unit.name, unit.receipt_id), f'{{"failure": "{key}"}}'.encode())
                continue
            self.store.put(f"{items_prefix(collection_of(parsed), parsed.week)}{parsed.product}--0.json", b"{}")
            self.store.put(receipt_key(unit.name, unit.receipt_id), b"{}")
            self.taken[parsed.product] += 1

    def refusal(self, unit: LandingUnit, product: str) -> bytes | None:
        """The failure record of a unit that is refused; None = it is not."""
        return b'{"fault": "no manifest"}' if self.refuses(product) else None


@dataclass
class Bench:
    """A store, a provider, and fetchers of them.

    Attributes:
        store: where products go.
        folder: for what is under way.
        shop: the provider.
        said: withdrawals and restorations, in order.
    """

    store: FolderStore
    folder: Path
    shop: Shop = field(default_factory=Shop)
    said: list[tuple[str, str, str]] = field(default_factory=list)
    stop: Event = field(default_factory=Event)

    def fetcher(
        self, once: bool = True, area: Area = AREA, source: dict[str, Any] | None = None, **settings: Any
    ) -> Fetcher:
        """A fetcher over the store."""
        return Fetcher(
            Setup(
                area=area,
                source=CdseSource(kind="cdse", **(source or {"products": ["S2MSI2A"]})),
                provider=self.shop,
                store=self.store,
                settings=FetchSettings(**(QUICKLY | settings)),
                folder=self.folder,
                put=partial(deliver, self.store, stop=self.stop),
                stop=self.stop,
                withdraw=lambda product, week, reason: self.said.append(("withdrawn", product, reason)),
                restore=lambda product, week, reason: self.said.append(("restored", product, reason)),
                once=once,
            )
        )

    def run(self, within_s: float = 10.0, **given: Any) -> Fetcher:
        """Run a fetcher with `once` to its end; it must come to one."""
        fetcher = self.fetcher(**given)
        thread = Thread(target=fetcher.run, daemon=True)
        thread.start()
        thread.join(within_s)
        assert not thread.is_alive(), "a run must end"
        return fetcher

    def stands(self, name: str) -> Standing:
        """Where a product stands."""
        parsed = parse_product(name)
        assert parsed is not None
        found = standing(self.store, collection_of(parsed), parsed.week, parsed.product)
        assert found is not None, name
        return found

    def state(self, name: str) -> str:
        """The state of a product."""
        return self.stands(name).state

    def reason(self, name: str) -> str:
        """Why it is in it."""
        return reason_of(self.store, self.stands(name))


class Serving:
    """A fetcher that runs beside a test, as a service does."""

    def __init__(self, bench: Bench, fetcher: Fetcher) -> None:
        self.bench, self.fetcher, self.errors = bench, fetcher, list[BaseException]()
        self._thread = Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        try:
            self.fetcher.run()
        except BaseException as error:
            self.errors.append(error)

    def __enter__(self) -> Fetcher:
        self._thread.start()
        return self.fetcher

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.bench.stop.set()
        self._thread.join(8.0)
        assert not self._thread.is_alive(), "it must end"
        assert not self.errors, self.errors


def until(true: Callable[[], bool], within_s: float = 5.0) -> None:
    """Wait until something is true; fail if it does not become so."""
    deadline_s = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < deadline_s, "it did not become true"
        time.sleep(0.01)
