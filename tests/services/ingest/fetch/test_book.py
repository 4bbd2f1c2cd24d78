"""The book: numbered states, of which each is said once, whoever says it; records, and what is kept."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from services.ingest.fetch import book as module
from services.ingest.fetch.book import Book, Overtaken, make_record, record_id
from services.ingest.fetch.errors import Misconfigured, Refused, Unavailable
from shared.items.keys import dismissal_key, failure_key
from shared.items.products import OWN, reason_of, standing
from shared.run.failure import parse_record
from shared.store import FolderStore
from tests.services.ingest.fetch.workshop import L2A, name_of, offer_of

WEEK, NAME = "2018-W23", name_of()


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "store")


def test_states_are_numbered_and_the_same_one_is_said_over(store: FolderStore) -> None:
    book = Book(store, lambda: datetime(2024, 5, 1, tzinfo=UTC))
    book.say(L2A, WEEK, NAME, "found", "")
    book.say(L2A, WEEK, NAME, "deferred", "offline")
    book.say(L2A, WEEK, NAME, "deferred", "still offline")
    found = standing(store, L2A, WEEK, NAME)
    assert found is not None
    assert (found.number, found.state) == (2, "deferred")
    assert reason_of(store, found) == "still offline" == book.reason(found)
    assert json.loads(store.get(found.key))["at"] == "2024-05-01T00:00:00Z"
    assert book.week(L2A, WEEK)[NAME] == found


def test_whoever_was_overtaken_learns_of_it_and_reads_again(store: FolderStore) -> None:
    one, other = Book(store), Book(store)
    one.say(L2A, WEEK, NAME, "found", "")
    assert other.week(L2A, WEEK)[NAME].number == 1
    one.say(L2A, WEEK, NAME, "fetching", "")
    with pytest.raises(Overtaken):
        other.say(L2A, WEEK, NAME, "fetching", "")
    assert other.week(L2A, WEEK)[NAME].state == "fetching"


def test_a_product_is_read_again_alone(store: FolderStore) -> None:
    one, other = Book(store), Book(store)
    one.say(L2A, WEEK, NAME, "found", "")
    assert other.week(L2A, WEEK)[NAME].state == "found"
    one.say(L2A, WEEK, NAME, "fetching", "")
    one.say(L2A, WEEK, NAME, "registered", "")
    assert [known.state for known in other.reread(L2A, WEEK, NAME)] == ["found", "fetching", "registered"]
    assert other.week(L2A, WEEK)[NAME].state == "registered"
    assert other.reread(L2A, WEEK, name_of(1)) == []


def test_threads_say_each_state_once(store: FolderStore) -> None:
    book, names = Book(store), [name_of(days / 100) for days in range(20)]

    def say() -> None:
        for name in names:
            book.say(L2A, WEEK, name, "found", "")
            book.say(L2A, WEEK, name, "found", "again")

    threads = [threading.Thread(target=say) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {known.number for known in book.week(L2A, WEEK).values()} == {1}
    assert len(book.week(L2A, WEEK)) == 20


def test_only_some_weeks_are_kept_in_memory_and_none_is_forgotten(
    store: FolderStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "WEEKS", 3)
    book = Book(store)
    for week in range(10, 20):
        book.say(L2A, f"2018-W{week}", NAME, "found", "")
    assert len(book._weeks) == 3
    assert [known.week for known in book.walk()] == [f"2018-W{week}" for week in range(19, 9, -1)]
    assert book.say(L2A, "2018-W10", NAME, "fetching", "").number == 2


def test_what_failed_has_a_record_that_can_be_read(store: FolderStore) -> None:
    book = Book(store)
    book.say(L2A, WEEK, NAME, "found", "")
    book.fail(L2A, WEEK, NAME, make_record(NAME, L2A, WEEK, Refused("another host"), 3, "look"))
    key = failure_key("fetch", record_id(NAME))
    record = parse_record(store.get(key), key)
    assert (record["fault"], record["attempts"], record["remedy"]) == ("another host", 3, "look")
    assert book.recorded() == {record_id(NAME)}
    assert book.failed[NAME].state == "failed"
    assert book.reason(book.failed[NAME]) == "another host"


def test_a_search_is_answered_only_where_it_had_failed(store: FolderStore) -> None:
    book = Book(store)
    book.answered("search")
    assert list(store.children(f"{OWN}answered/")) == []
    book.fail_search("search", make_record("search", "", "", Refused("endless"), 1, "look"))
    book.answered("search")
    assert list(store.children(f"{OWN}answered/")) == [f"{record_id('search')}.json"]


def test_what_asks_for_a_person_is_counted_until_it_is_answered_or_dismissed(store: FolderStore) -> None:
    book = Book(store)
    assert book.count_unanswered() == 0
    for name in ("credentials", "search-S2MSI2A", "recount-S2MSI2A", "unknown-12345678"):
        book.fail_search(name, make_record(name, "", "", Misconfigured("401"), 1, "look"))
    book.fail_search("events", make_record("events", "", "", Unavailable("503"), 1, "nothing"))
    book.fail(L2A, WEEK, NAME, make_record(NAME, L2A, WEEK, Refused("another host"), 1, "look"))
    assert book.count_unanswered() == 3, "what passes, and what is not asked, does not count"
    book.answered("search-S2MSI2A")
    assert book.count_unanswered() == 2
    store.put(dismissal_key("fetch", record_id("recount-S2MSI2A")), b"{}")
    assert book.count_unanswered() == 1
    store.put(failure_key("fetch", record_id("credentials")), b"damaged")
    assert book.count_unanswered() == 0


def test_what_was_refused_once_is_not_said_over(store: FolderStore) -> None:
    book = Book(store)
    book.refuse("unknown", b"one")
    book.refuse("unknown", b"two")
    assert store.get(failure_key("fetch", record_id("unknown"))) == b"one"


def test_offers_and_what_is_kept_come_back(store: FolderStore) -> None:
    book, offer = Book(store), offer_of(NAME, cloud_percent=1.5)
    book.describe(L2A, WEEK, offer)
    assert book.offer(L2A, WEEK, NAME) == offer
    book.keep("cursors/S2MSI2A", {"published": "x"})
    assert book.kept("cursors/S2MSI2A") == {"published": "x"}
    assert book.kept("nothing") is None
    store.put(f"{OWN}damaged.json", b"{")
    store.put(f"{OWN}list.json", b"[]")
    assert book.kept("damaged") is None
    assert book.kept("list") is None
