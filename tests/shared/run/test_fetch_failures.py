"""When a failure record of fetching says nothing of what is there now."""

from __future__ import annotations

from pathlib import Path

from services.ingest.fetch.book import Book, make_record, record_id
from services.ingest.fetch.errors import Refused
from shared.run.failure import standing_failures
from shared.store import FolderStore
from tests.catalogues import catalogue_of

L2A, WEEK, NAME = "sentinel-2-l2a", "2018-W23", "S2A_MSIL2A_20180605T092031_N0509_R093_T34TGR_20180605T122031"


def stand(store: FolderStore) -> list[str]:
    foreign = dict[str, str]()
    found = [str(record["id"]) for record in standing_failures(store, catalogue_of([]), foreign)]
    assert foreign == {}
    return found


def test_that_of_a_product_stands_while_it_is_failed(tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "store")
    book = Book(store)
    book.say(L2A, WEEK, NAME, "found", "")
    book.fail(L2A, WEEK, NAME, make_record(NAME, L2A, WEEK, Refused("another host"), 1, "look"))
    assert stand(store) == [record_id(NAME)]
    for state in ("found", "fetching", "registered", "withdrawn"):
        book.say(L2A, WEEK, NAME, state, "")  # type: ignore[arg-type]
        assert stand(store) == []
    book.fail(L2A, WEEK, NAME, make_record(NAME, L2A, WEEK, Refused("another host"), 1, "look"))
    assert stand(store) == [record_id(NAME)]


def test_that_of_a_search_stands_until_it_is_answered_and_again_when_it_is_not(tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "store")
    book, record = Book(store), make_record("search", "", "", Refused("an endless list"), 1, "look")
    book.fail_search("search", record)
    assert stand(store) == [record_id("search")]
    book.answered("search")
    assert stand(store) == []
    book.fail_search("search", record)
    assert stand(store) == [record_id("search")]
