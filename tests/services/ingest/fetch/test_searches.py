"""Searches: the cursor, the recount, what changed, what was taken away, and what is none of ours."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from services.ingest.fetch.book import Book, record_id
from services.ingest.fetch.errors import Misconfigured, Refused, Unavailable
from services.ingest.fetch.provider import Deletion
from services.ingest.fetch.queue import Wanted
from services.ingest.fetch.searches import Searches
from services.ingest.fetch.settings import FetchSettings
from shared.area.source import CdseSource
from shared.items.products import OWN, Standing, expected_key
from shared.store import FolderStore, StoreUnavailable
from tests.catalogues import AREA
from tests.services.ingest.fetch.workshop import L2A, Shop, name_of

NOW = datetime(2018, 7, 1, tzinfo=UTC)
WEEK, NAME = "2018-W23", name_of()


class Desk:
    """Searches over a provider in memory, on a day in July 2018."""

    def __init__(self, folder: Path) -> None:
        self.store, self.shop = FolderStore(folder / "store"), Shop()
        self.book, self.now = Book(self.store), NOW
        self.heard = list[Wanted]()
        self.withdrawn = list[str]()

    def searches(self, area: Any = AREA, source: dict[str, Any] | None = None, **settings: Any) -> Searches:
        def withdraw(known: Standing, deletion: Deletion) -> None:
            self.withdrawn.append(known.product)
            self.book.say(known.collection, known.week, known.product, "withdrawn", "taken away")

        given = {"products": ["S2MSI2A"]} | (source or {})
        return Searches(
            area, CdseSource(kind="cdse", **given), self.shop, self.book, FetchSettings(**settings),
            NOW - timedelta(days=1), self.heard.append, withdraw, lambda: self.now,
        )  # fmt: skip

    def recount(self, searches: Searches | None = None) -> Searches:
        found = searches or self.searches()
        found.begin_recount()
        while found.recounting:
            assert found.recount()
        return found

    def state(self, name: str) -> str:
        return self.book.week(L2A, WEEK)[name].state

    def cursor(self) -> datetime:
        kept = self.book.kept("cursors/S2MSI2A")
        assert kept is not None
        return datetime.fromisoformat(str(kept["published"]))


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.setattr(os, "fsync", lambda _: None)
    return Desk(tmp_path)


def test_a_look_asks_from_the_newest_seen_less_an_overlap(desk: Desk) -> None:
    desk.shop.add(NAME, published=NOW - timedelta(hours=3))
    searches = desk.searches(overlap_s=3600.0)
    assert searches.look()
    assert desk.shop.searches[-1].published == (NOW - timedelta(days=1, hours=1), None)
    assert desk.cursor() == NOW - timedelta(hours=3)
    assert searches.look()
    assert desk.shop.searches[-1].published == (NOW - timedelta(hours=4), None)
    assert [wanted.product for wanted in desk.heard] == [NAME]


def test_what_was_published_out_of_order_is_found_within_the_overlap(desk: Desk) -> None:
    desk.shop.add(name_of(1), published=NOW)
    searches = desk.searches(overlap_s=3600.0)
    assert searches.look()
    desk.shop.add(NAME, published=NOW - timedelta(minutes=50))
    assert searches.look()
    assert [wanted.product for wanted in desk.heard] == [name_of(1), NAME]
    assert desk.cursor() == NOW


def test_a_provider_whose_clock_is_ahead_does_not_carry_us_into_the_future(desk: Desk) -> None:
    desk.shop.add(NAME, published=NOW + timedelta(days=400))
    assert desk.searches().look()
    assert desk.cursor() == NOW


@pytest.mark.parametrize("error", [Unavailable("broke off"), ValueError("a bug")])
def test_a_search_that_breaks_off_moves_nothing_and_leaves_a_record(desk: Desk, error: Exception) -> None:
    for days in range(3):
        desk.shop.add(name_of(days), published=NOW - timedelta(hours=days))

    def break_off(what: str, name: str) -> None:
        if what == "page" and name == name_of(1):
            raise error

    desk.shop.before = break_off
    searches = desk.searches()
    assert not searches.look()
    assert desk.book.kept("cursors/S2MSI2A") is None
    assert not searches.hopeless
    assert desk.book.recorded() == {record_id("search-S2MSI2A")}
    assert len(desk.heard) == 2, "what was yielded is good"
    desk.shop.before = lambda what, name: None
    assert searches.look()
    assert len(desk.heard) == 3
    assert desk.store.exists(f"{OWN}answered/{record_id('search-S2MSI2A')}.json")


@pytest.mark.parametrize("error", [Misconfigured("no service"), Refused("an endless list")])
def test_what_asking_again_does_not_mend_is_hopeless(desk: Desk, error: Exception) -> None:
    def refuse(what: str, name: str) -> None:
        raise error

    desk.shop.before = refuse
    searches = desk.searches()
    assert not searches.look()
    assert searches.hopeless
    desk.shop.before = lambda what, name: None
    assert searches.look()
    assert not searches.hopeless


def test_the_store_s_own_trouble_is_no_fault_of_a_search(desk: Desk) -> None:
    def fail(what: str, name: str) -> None:
        raise StoreUnavailable("away")

    desk.shop.before = fail
    with pytest.raises(StoreUnavailable):
        desk.searches().look()
    assert desk.book.recorded() == frozenset()


def test_a_type_that_is_not_answered_does_not_keep_another_one_from_being_asked(desk: Desk) -> None:
    def fail(what: str, name: str) -> None:
        if name == "OL_1_EFR___":
            raise Unavailable("down")

    desk.shop.before = fail
    desk.shop.add(NAME, published=NOW)
    searches = desk.searches(source={"products": ["OL_1_EFR___", "S2MSI2A"]})
    assert not searches.look()
    assert len(desk.heard) == 1


def test_a_span_that_is_not_answered_is_asked_again_after_the_others(desk: Desk) -> None:
    failed = list[Any]()

    def fail(what: str, name: str) -> None:
        if what == "search" and not failed:
            failed.append(desk.shop.searches[-1].sensed)
            raise Unavailable("down")

    desk.shop.before = fail
    searches = desk.searches()
    searches.begin_recount()
    answers = []
    while searches.recounting:
        answers.append(searches.recount())
    assert answers[0] is False
    assert all(answers[1:])
    asked = [query.sensed for query in desk.shop.searches]
    assert asked[-1] == failed[0]
    assert set(asked[:-1]) == set(asked)


def test_a_recount_writes_down_what_each_week_should_have(desk: Desk) -> None:
    offers = [desk.shop.add(name_of(days)) for days in range(3)]
    searches = desk.recount()
    kept = desk.book.kept_at(expected_key(L2A, WEEK))
    assert kept == {"products": {offer.name: f"md5:{offer.checksums['md5']}" for offer in offers}}
    assert searches.recounted == NOW
    assert len(desk.heard) == 3
    written = desk.store.head(expected_key(L2A, WEEK)).modified_s
    desk.recount()
    assert desk.store.head(expected_key(L2A, WEEK)).modified_s == written, "what did not change is not written"
    assert len(desk.heard) == 3


def test_a_recount_is_due_when_the_source_or_the_area_changed(desk: Desk) -> None:
    desk.recount()
    assert desk.searches().recounted == NOW
    assert desk.searches(source={"max_cloud_percent": 5}).recounted is None
    assert desk.searches(AREA.model_copy(update={"years": [2018, 2019]})).recounted is None


def test_a_tile_after_midnight_counts_for_the_week_in_which_its_datatake_began(desk: Desk) -> None:
    name = "S2A_MSIL2A_20180610T235000_N0509_R093_T34TGR_20180611T030000"
    desk.shop.add(name, sensed=datetime(2018, 6, 11, 0, 20, tzinfo=UTC))
    desk.recount()
    kept = desk.book.kept_at(expected_key(L2A, WEEK))
    assert kept is not None
    assert list(kept["products"]) == [name]
    assert desk.book.kept_at(expected_key(L2A, "2018-W24")) is None


def test_a_changed_checksum_is_wanted_again_once(desk: Desk) -> None:
    desk.shop.add(NAME)
    desk.recount()
    desk.book.say(L2A, WEEK, NAME, "registered", "")
    desk.heard.clear()
    offer = desk.shop.add(NAME, data=b"other")
    desk.recount()
    assert [wanted.product for wanted in desk.heard] == [NAME]
    assert desk.state(NAME) == "found"
    desk.book.describe(L2A, WEEK, offer)
    desk.book.say(L2A, WEEK, NAME, "registered", "")
    desk.recount()
    assert len(desk.heard) == 1


def test_a_search_that_states_less_than_a_description_tells_of_a_change(desk: Desk) -> None:
    desk.shop.add(NAME, checksums={"md5": "0" * 32})
    desk.recount()
    both = {"blake3": "b" * 64, "md5": "0" * 32}
    desk.book.describe(L2A, WEEK, desk.shop.offers[NAME].model_copy(update={"checksums": both}))
    desk.book.say(L2A, WEEK, NAME, "registered", "")
    desk.heard.clear()
    desk.recount()
    assert desk.heard == []
    desk.shop.add(NAME, checksums={"md5": "1" * 32})
    desk.recount()
    assert [wanted.product for wanted in desk.heard] == [NAME]


def test_without_a_checksum_a_product_that_is_published_anew_is_wanted_again(desk: Desk) -> None:
    desk.shop.add(NAME, checksums={})
    desk.recount()
    desk.book.say(L2A, WEEK, NAME, "registered", "")
    desk.heard.clear()
    desk.recount()
    assert desk.heard == []
    desk.shop.add(NAME, checksums={}, published=NOW)
    desk.recount()
    assert [wanted.product for wanted in desk.heard] == [NAME]


def test_a_change_that_was_fetched_before_it_was_counted_is_not_fetched_again(desk: Desk) -> None:
    """The process was killed between the two."""
    desk.shop.add(NAME)
    desk.recount()
    desk.book.describe(L2A, WEEK, desk.shop.add(NAME, data=b"other"))
    desk.book.say(L2A, WEEK, NAME, "registered", "")
    desk.heard.clear()
    desk.recount()
    assert desk.heard == []
    assert desk.state(NAME) == "registered"


def test_what_was_taken_away_is_withdrawn_once_and_only_under_its_own_id(desk: Desk) -> None:
    offer = desk.shop.add(NAME)
    desk.recount()
    desk.shop.gone = [Deletion(NAME, "another id", NOW, ""), Deletion("no product", "x", NOW, "")]
    desk.recount()
    assert desk.withdrawn == []
    desk.shop.gone.append(Deletion(NAME, offer.id, NOW, "Obsolete product"))
    desk.recount()
    desk.recount()
    assert desk.withdrawn == [NAME]


def test_deletions_are_asked_for_since_the_last_time_whatever_the_source_asks_for_now(desk: Desk) -> None:
    asked = list[datetime]()

    class Listening(Shop):
        def deletions(self, product_type: Any, since: datetime) -> Iterator[Deletion]:
            asked.append(since)
            return iter(())

    desk.shop = Listening()
    first, hour = NOW - timedelta(days=1), timedelta(hours=1)
    desk.recount(desk.searches(overlap_s=3600.0))
    desk.now += timedelta(days=30)
    desk.recount(desk.searches(source={"max_cloud_percent": 5}, overlap_s=3600.0))
    assert asked == [first - hour, NOW - hour]
    years = AREA.model_copy(update={"years": [2018, 2019]})
    desk.recount(desk.searches(years, overlap_s=3600.0))
    assert asked[2:] == [first - hour], "of another year, nothing was heard yet"


@pytest.mark.parametrize(("data", "state"), [(None, "registered"), (b"other", "found")])
def test_what_came_back_under_another_id_is_not_withdrawn(desk: Desk, data: bytes | None, state: str) -> None:
    offer = desk.shop.add(NAME)
    desk.recount()
    desk.book.say(L2A, WEEK, NAME, "registered", "")
    desk.shop.gone = [Deletion(NAME, offer.id, NOW, "Obsolete product")]
    desk.shop.add(NAME, data=data, id="another")
    desk.recount()
    assert desk.withdrawn == []
    assert desk.state(NAME) == state
    assert desk.book.offer(L2A, WEEK, NAME).id == "another"
    del desk.shop.offers[NAME]
    desk.shop.gone.append(Deletion(NAME, "another", NOW, ""))
    desk.recount()
    assert desk.withdrawn == [NAME]


def test_the_same_product_stays_away_and_another_one_of_its_name_comes_back(desk: Desk) -> None:
    offer = desk.shop.add(NAME)
    desk.recount()
    desk.shop.gone = [Deletion(NAME, offer.id, NOW, "")]
    desk.recount()
    desk.heard.clear()
    desk.recount()
    assert desk.state(NAME) == "withdrawn"
    assert desk.heard == []
    desk.shop.add(NAME, id="another")
    desk.recount()
    assert desk.state(NAME) == "found"
    assert len(desk.heard) == 1


def test_what_was_only_not_found_comes_back_at_a_recount_alone(desk: Desk) -> None:
    desk.shop.add(NAME, published=NOW)
    searches = desk.searches()
    assert searches.look()
    desk.book.say(L2A, WEEK, NAME, "withdrawn", "not there any more: 404")
    assert searches.look()
    assert desk.state(NAME) == "withdrawn"
    desk.recount(searches)
    assert desk.state(NAME) == "found"
    assert len(desk.heard) == 2


def test_a_limit_that_is_raised_and_lowered_changes_what_is_wanted(desk: Desk) -> None:
    desk.shop.add(NAME, cloud_percent=50.0)
    desk.recount(desk.searches(source={"max_cloud_percent": 40}))
    assert desk.state(NAME) == "unwanted"
    assert desk.heard == []
    desk.recount(desk.searches(source={"max_cloud_percent": 60}))
    assert desk.state(NAME) == "found"
    assert len(desk.heard) == 1
    desk.recount(desk.searches(source={"max_cloud_percent": 40}))
    assert desk.state(NAME) == "unwanted"


def test_a_product_whose_cloud_nobody_states_is_wanted(desk: Desk) -> None:
    desk.shop.add(NAME)
    desk.recount(desk.searches(source={"max_cloud_percent": 0}))
    assert desk.state(NAME) == "found"


def test_what_was_described_and_not_said_is_found(desk: Desk) -> None:
    """The process was killed between the two."""
    desk.book.describe(L2A, WEEK, desk.shop.add(NAME))
    desk.recount()
    assert desk.book.week(L2A, WEEK)[NAME].number == 1
    assert len(desk.heard) == 1


def test_a_name_with_its_suffix_is_the_same_product(desk: Desk) -> None:
    desk.shop.add(f"{NAME}.SAFE", published=NOW)
    assert desk.searches().look()
    assert desk.heard[0].product == NAME
    assert desk.book.offer(L2A, WEEK, NAME).name == NAME


@pytest.mark.parametrize("name", ["../../etc/passwd", "S2A_MSIL2A_x", "", "S2A_" + "x" * 5000, f"{NAME}\n"])
def test_a_name_that_is_none_is_refused_with_one_record_and_touches_nothing(desk: Desk, name: str) -> None:
    desk.shop.add(NAME)
    desk.shop.offers = {name: desk.shop.offers[NAME].model_copy(update={"name": name, "published": NOW})}
    searches = desk.searches()
    assert searches.look()
    assert searches.look()
    assert len(desk.book.recorded()) == 1
    assert desk.heard == []
    assert not [key for key in desk.store.keys("products/") if not key.startswith(OWN)]


def test_one_record_for_a_type_that_ingest_does_not_read(desk: Desk) -> None:
    for days in range(3):
        desk.shop.add(name_of(days), product_type="OTHER", published=NOW)
    assert desk.searches().look()
    assert desk.searches().look()
    (record,) = desk.store.children("failures/fetch/")
    assert b"'OTHER', which ingest does not read" in desk.store.get(f"failures/fetch/{record}")


def test_a_name_that_ingest_does_not_read_is_told_as_such(desk: Desk) -> None:
    name = NAME.replace("S2A_MSIL2A_", "S2A_MSIL2B_")
    desk.shop.add(name, sensed=NOW, published=NOW)
    assert desk.searches().hear("S2MSI2A", desk.shop.offers[name]) == ""
    (record,) = desk.store.children("failures/fetch/")
    said = json.loads(desk.store.get(f"failures/fetch/{record}"))
    assert said["fault"].startswith(f"{name!r}: its name is not one that ingest reads")
    assert "those of Sentinel-2 and of OLCI" in said["fault"]
    assert "products:" not in said["remedy"]


def test_years_that_the_area_does_not_want_are_left_out(desk: Desk) -> None:
    desk.shop.add(name_of(400), published=NOW)
    assert desk.searches(AREA.model_copy(update={"years": [2018, 2020]})).look()
    assert desk.heard == []


@pytest.mark.parametrize(("days", "count"), [({"start": "2018-06-06"}, 0), ({"end": "2018-06-04"}, 0), ({}, 1)])
def test_what_is_offered_outside_a_search_is_of_the_days_that_are_wanted(
    desk: Desk, days: dict[str, str], count: int
) -> None:
    desk.searches(source=days).hear("S2MSI2A", desk.shop.add(NAME, published=NOW))
    assert len(desk.heard) == count


def test_days_that_cannot_be_are_not_asked_for(desk: Desk) -> None:
    assert desk.searches(source={"start": "2020-01-01"}).look()
    assert desk.shop.searches == []


def test_without_a_backfill_a_recount_goes_back_as_far_as_fresh_products_may(desk: Desk) -> None:
    desk.recount(desk.searches(source={"backfill": False}, forward_days=10.0))
    oldest = min(query.sensed[0] for query in desk.shop.searches if query.sensed[0])
    assert NOW - timedelta(days=14) < oldest < NOW - timedelta(days=10)


def test_what_two_recounts_named_and_did_not_come_is_told_by_where_it_stands(desk: Desk) -> None:
    came, tried, gone = NAME, name_of(0.1), name_of(0.2)
    for name in (came, tried, gone):
        desk.shop.add(name)
    assert desk.recount().missing == {}, "named for the first time"
    desk.book.say(L2A, WEEK, came, "registered", "")
    desk.book.say(L2A, WEEK, tried, "fetching", "no answer")
    desk.book.say(L2A, WEEK, gone, "withdrawn", "taken away")
    desk.shop.add(name_of(0.3))
    assert desk.recount().missing == {"fetching": 1}
    assert desk.searches().missing == {"fetching": 1}, "a process that starts knows it"
    desk.book.say(L2A, WEEK, tried, "registered", "")
    assert desk.recount().missing == {"found": 1}
