"""A product whose failure record people take away is fetched again, whichever process wrote that record."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
from prometheus_client import REGISTRY

from services.ingest.fetch import aftermath as module
from services.ingest.fetch.book import Book, make_record, record_id
from services.ingest.fetch.errors import Corrupt, Misconfigured, Unavailable
from services.ingest.fetch.fetcher import Fetcher
from services.ingest.fetch.provider import Offer
from services.ingest.fetch.settings import FetchSettings
from services.ingest.fetch.setup import Setup
from services.ingest.fetch.work import Work
from shared.area.source import CdseSource
from shared.items.keys import dismissal_key, failure_key
from shared.items.products import FETCH, standing
from shared.store import FolderStore
from tests.catalogues import AREA, WEEK

L2A = "sentinel-2-l2a"
NAMES = [f"S2A_MSIL2A_20180605T09{minute}31_N0500_R093_T34TFR_20180605T120000" for minute in (20, 21)]
SENSED = datetime(2018, 6, 5, 9, 20, 31, tzinfo=UTC)


class Silent:
    """A provider that offers nothing, and describes what it is asked for."""

    name = "silent"

    def search(self, query: Any) -> Iterator[Offer]:
        return iter(())

    def deletions(self, product_type: str, since: datetime) -> Iterator[Any]:
        return iter(())

    def describe(self, offer: Offer) -> Offer:
        raise Unavailable("later", 600.0)

    def close(self) -> None:
        pass


def failed(book: Book, product: str) -> None:
    offer = Offer(name=product, id=product, product_type="S2MSI2A", sensed=SENSED, published=SENSED)
    book.describe(L2A, WEEK, offer)
    book.say(L2A, WEEK, product, "found", "")
    book.fail(L2A, WEEK, product, make_record(product, L2A, WEEK, Corrupt("md5 differs"), 8, "look"))


def counted() -> float | None:
    return REGISTRY.get_sample_value("landstream_fetch_failed_products", {"provider": "silent"})


def becomes(condition: Any) -> bool:
    deadline = time.monotonic() + 10
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return bool(condition())


def test_a_record_of_an_earlier_process_is_missed_when_it_is_taken_away(tmp_path: Path) -> None:
    store, stop = FolderStore(tmp_path / "store"), Event()
    for product in NAMES:
        failed(Book(store), product)

    def state(product: str) -> str:
        found = standing(store, L2A, WEEK, product)
        return found.state if found else ""

    def put(path: Path) -> Any:
        raise AssertionError(path)

    setup = Setup(
        AREA, CdseSource(kind="cdse"), Silent(), store, FetchSettings(poll_s=0.05), tmp_path / "work", put, stop,  # type: ignore[arg-type]  # as far as it is asked
        lambda *_: None, lambda *_: None,
    )  # fmt: skip
    fetcher = Thread(target=Fetcher(setup).run)
    fetcher.start()
    try:
        assert becomes(lambda: counted() == 2)
        store.put(dismissal_key(FETCH, record_id(NAMES[1])), b"{}")
        assert becomes(lambda: counted() == 1)
        store.delete(failure_key(FETCH, record_id(NAMES[0])))
        assert becomes(lambda: state(NAMES[0]) == "found")
        assert becomes(lambda: counted() == 0)
        Book(store).fail_search("credentials", make_record("credentials", "", "", Misconfigured("401"), 1, "look"))
        assert becomes(lambda: counted() == 1)
        assert state(NAMES[1]) == "failed"
    finally:
        stop.set()
        fetcher.join(30)
    assert counted() is None, "another process tells it"


def test_some_are_taken_up_in_each_round_and_none_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SOME", 2)
    store = FolderStore(tmp_path / "store")
    book, taken = Book(store), list[str]()
    products = [name.replace("T34TFR", f"T34TF{letter}") for name in NAMES for letter in "GHJ"]
    for product in products:
        failed(book, product)
    aftermath = module.Aftermath(store, book, Work(3, 32), lambda k: taken.append(k.product), lambda _: None, AREA)
    aftermath.repair()
    assert taken == [], "nothing was to be repaired"
    aftermath.begin_repair()
    aftermath.repair()
    assert len(taken) == 2
    failed(book, taken[0])
    for _ in range(3):
        aftermath.repair()
    assert sorted(taken) == sorted(products)
    for product in products[1:]:
        failed(book, product)
    for product in products:
        store.delete(failure_key(FETCH, record_id(product)))
    counts = []
    for _ in range(4):
        taken.clear()
        aftermath.requeue()
        counts.append(len(taken))
    assert counts == [2, 2, 2, 0]
