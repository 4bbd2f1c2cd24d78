"""One product at a time: what a fetch does in each case, and what it leaves."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from structlog.testing import capture_logs

from services.ingest.fetch import downloads as downloads_module
from services.ingest.fetch import downloads as module
from services.ingest.fetch.book import WHOLE, Book, record_id
from services.ingest.fetch.downloads import Downloads
from services.ingest.fetch.errors import Corrupt, FetchError, Gone, Misconfigured, Offline, Refused, Unavailable
from services.ingest.fetch.lease import Lease, StoreClock
from services.ingest.fetch.outcome import DAY_S, LONGEST_S, Again, Ended, Landed, Outcome, doubled
from services.ingest.fetch.queue import Wanted
from services.ingest.fetch.setbacks import SAME_TRIES, SURE_TRIES
from services.ingest.fetch.settings import FetchSettings
from services.ingest.fetch.usage import Usage
from shared.items.keys import failure_key
from shared.items.landing import PREFIX, LandingUnit
from shared.run.context import observe_nothing
from shared.run.deliver import DeliveryStopped, deliver
from shared.store import FolderStore, StoreUnavailable
from tests.services.ingest.fetch.workshop import L2A, QUICKLY, Bench, Shop, name_of

NAME, WEEK = name_of(), "2018-W23"
WANTED = Wanted(L2A, WEEK, NAME, "forward", 0.0)
UNIT = f"{PREFIX}{NAME}.zip"


class Desk:
    """Downloads over a store and a provider in memory; the product is offered and found."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.store, self.shop, self.stop = FolderStore(folder / "store"), Shop(), Event()
        self.bench, self.folder = Bench(self.store, folder / "fetch", self.shop), folder / "fetch"
        self.folder.mkdir(exist_ok=True)
        self.settings = FetchSettings(**(QUICKLY | settings))
        self.book, self.usage = Book(self.store), Usage(self.store, None)
        self.put_before = lambda: None
        self.downloads = self.make()
        self.book.describe(L2A, WEEK, self.shop.add(NAME))
        self.book.say(L2A, WEEK, NAME, "found", "")

    def make(self, usage: Usage | None = None) -> Downloads:
        clock = StoreClock(self.store, "me")
        return Downloads(
            self.store, self.shop, self.book, usage or self.usage, self.settings, self.folder, self.put, "me", clock,
            observe_nothing, self.stop,
        )  # fmt: skip

    def put(self, path: Path) -> LandingUnit:
        self.put_before()
        return deliver(self.store, path, self.stop)

    def claim(self) -> Lease:
        prefix = f"products/{L2A}/{WEEK}/{NAME}/claims/"
        return Lease(self.store, prefix, "other", StoreClock(self.store, "other"), 100.0)

    def fail(self, what: str, error: Exception) -> None:
        def before(asked: str, name: str) -> None:
            if asked == what:
                raise error

        self.shop.before = before

    @property
    def asked(self) -> int:
        return self.shop.asked["download"]


@pytest.fixture(autouse=True)
def _quietly() -> Iterator[None]:
    with capture_logs():  # a traceback for people takes a second
        yield


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.setattr(os, "fsync", lambda _: None)
    return Desk(tmp_path)


def test_what_comes_lies_in_landing_and_its_claim_is_let_go(desk: Desk) -> None:
    assert desk.downloads.fetch(WANTED) == Landed(f"{NAME}.zip")
    assert desk.store.get(UNIT) == desk.shop.data[NAME]
    assert (desk.bench.state(NAME), desk.bench.reason(NAME)) == ("fetching", WHOLE)
    assert list(desk.folder.iterdir()) == []
    assert desk.claim().take()
    assert desk.usage.used == len(desk.shop.data[NAME])


def test_what_another_process_claims_is_left_alone(desk: Desk) -> None:
    assert desk.claim().take()
    outcome = desk.downloads.fetch(WANTED)
    assert isinstance(outcome, Again)
    assert outcome.reason == "another process fetches it"
    assert desk.asked == 0


def test_what_another_process_brought_meanwhile_is_not_fetched(desk: Desk) -> None:
    """The book in memory is old: the store is asked."""
    other = Book(desk.store)
    other.say(L2A, WEEK, NAME, "deferred", "offline")
    other.say(L2A, WEEK, NAME, "fetching", "from there")
    other.say(L2A, WEEK, NAME, "registered", "")
    assert desk.downloads.fetch(WANTED) == Ended()
    assert desk.asked == 0


@pytest.mark.parametrize("suffix", [".zip", ".SAFE/manifest.safe"])
def test_what_lay_whole_in_landing_when_the_process_died_is_not_fetched_again(desk: Desk, suffix: str) -> None:
    desk.store.put(f"{PREFIX}{NAME}{suffix}", b"whatever")
    desk.book.say(L2A, WEEK, NAME, "fetching", WHOLE)
    assert desk.downloads.fetch(WANTED) == Landed(f"{NAME}{suffix.partition('/')[0]}")
    assert desk.asked == 0


def test_an_archive_that_was_dropped_by_hand_is_not_fetched(desk: Desk) -> None:
    path = Path(desk.store.location) / UNIT
    path.parent.mkdir()
    path.write_bytes(desk.shop.data[NAME])
    assert desk.downloads.fetch(WANTED) == Landed(f"{NAME}.zip")
    assert desk.shop.asked["describe"] == 0


def test_a_part_of_a_product_in_landing_is_not_taken_for_it(desk: Desk) -> None:
    desk.store.put(UNIT, desk.shop.data[NAME][:-1])
    assert desk.downloads.fetch(WANTED) == Landed(f"{NAME}.zip")
    assert desk.asked == 1
    assert desk.store.get(UNIT) == desk.shop.data[NAME]


def test_what_was_registered_by_hand_is_not_fetched(desk: Desk) -> None:
    desk.store.put(f"items/{L2A}/{WEEK}/{NAME}--0.json", b"{}")
    assert desk.downloads.fetch(WANTED) == Ended()
    assert desk.bench.state(NAME) == "registered"
    assert desk.asked == 0


def test_a_refetch_that_was_killed_is_not_taken_for_registered_by_its_older_item(desk: Desk) -> None:
    desk.store.put(f"items/{L2A}/{WEEK}/{NAME}--0.json", b"{}")
    for state in ("fetching", "registered", "found", "fetching"):
        desk.book.say(L2A, WEEK, NAME, state, "its checksum changed upstream")  # type: ignore[arg-type]
    assert desk.downloads.fetch(WANTED) == Landed(f"{NAME}.zip")
    assert desk.asked == 1


def test_a_product_that_is_not_wanted_any_more_is_left(desk: Desk) -> None:
    desk.book.say(L2A, WEEK, NAME, "unwanted", "cloudy")
    assert desk.downloads.fetch(WANTED) == Ended()
    assert desk.asked == 0


def test_a_product_that_nobody_offered_is_left(desk: Desk) -> None:
    assert desk.downloads.fetch(Wanted(L2A, WEEK, name_of(1), "forward", 0.0)) == Ended()


@pytest.mark.parametrize(
    ("error", "state", "why"),
    [
        (Unavailable("no answer"), "fetching", "provider"),
        (Offline("in an archive"), "deferred", "product"),
        (Corrupt("a byte"), "fetching", "product"),
        (Gone("404"), "fetching", "product"),
        (Misconfigured("wrong"), "fetching", "everything"),
        (StoreUnavailable("away"), "fetching", "ours"),
        (OSError(28, "No space left on device"), "fetching", "room"),
        (ValueError("a bug"), "fetching", "product"),
    ],
)
def test_errors_lead_to_another_try(desk: Desk, error: Exception, state: str, why: str) -> None:
    desk.fail("download", error)
    outcome = desk.downloads.fetch(WANTED)
    assert isinstance(outcome, Again)
    assert outcome.why == why
    assert desk.bench.state(NAME) == state
    assert desk.claim().take()
    assert desk.usage.used == 0, "what did not come is not counted"


ENDINGS = [
    (Refused("a bomb"), SURE_TRIES),
    (Corrupt("a byte"), 6),
    (Corrupt("a byte", "00"), SAME_TRIES),
    (ValueError("a bug"), 6),
]


@pytest.mark.parametrize(("error", "tries"), ENDINGS)
def test_what_fails_for_good_has_one_record_and_leaves_nothing(tmp_path: Path, error: Exception, tries: int) -> None:
    desk = Desk(tmp_path, attempts=6)
    desk.fail("download", error)
    outcomes = [desk.downloads.fetch(WANTED) for _ in range(tries)]
    assert outcomes[-1] == Ended()
    assert all(isinstance(each, Again) for each in outcomes[:-1])
    assert desk.bench.state(NAME) == "failed"
    assert str(error) in desk.bench.reason(NAME)
    assert list(desk.store.children("failures/fetch/")) == [f"{record_id(NAME)}.json"]
    assert list(desk.folder.iterdir()) == []
    record = desk.store.get(failure_key("fetch", record_id(NAME)))
    assert (b"Traceback" in record) == (not isinstance(error, FetchError))


def test_a_404_is_a_hiccup_and_some_in_a_row_are_a_loss(desk: Desk) -> None:
    desk.fail("describe", Gone("404"))
    outcomes = [desk.downloads.fetch(WANTED) for _ in range(SURE_TRIES)]
    assert [type(each) for each in outcomes] == [Again] * (SURE_TRIES - 1) + [Ended]
    assert desk.bench.state(NAME) == "withdrawn"
    assert desk.bench.reason(NAME) == "not there any more: 404"


def test_what_comes_between_breaks_the_row(desk: Desk) -> None:
    """A provider that fails in many ways now and then says a wrong word as often as it likes."""
    for _ in range(3):
        for error in [Refused("another host")] * (SURE_TRIES - 1) + [Unavailable("no answer")]:
            desk.fail("download", error)
            assert isinstance(desk.downloads.fetch(WANTED), Again)
    assert desk.bench.state(NAME) == "fetching"


def test_what_had_come_stays_when_its_newer_bytes_are_not_there(desk: Desk) -> None:
    desk.store.put(f"items/{L2A}/{WEEK}/{NAME}--0.json", b"{}")
    desk.book.say(L2A, WEEK, NAME, "registered", "")
    desk.book.say(L2A, WEEK, NAME, "found", "its checksum changed upstream")
    desk.fail("describe", Gone("404"))
    for _ in range(SURE_TRIES):
        desk.downloads.fetch(WANTED)
    assert desk.bench.state(NAME) == "registered"


def test_pauses_double_and_have_an_end() -> None:
    assert [doubled(2.0, count, 900.0) for count in (1, 2, 3, 10, 10_000)] == [2.0, 4.0, 8.0, 900.0, 900.0]


def test_a_provider_s_own_wish_is_heard_within_a_day(desk: Desk) -> None:
    desk.fail("download", Unavailable("later", retry_after_s=1e12))
    outcome = desk.downloads.fetch(WANTED)
    assert isinstance(outcome, Again)
    assert outcome.after_s == DAY_S > LONGEST_S


def test_whoever_slept_over_a_download_puts_nothing_into_landing(desk: Desk) -> None:
    def oversleep(what: str, name: str) -> None:
        if what == "piece":
            late = Lease(desk.store, f"products/{L2A}/{WEEK}/{NAME}/claims/", "other", lambda: 1e12, 1.0)
            late.take()

    desk.shop.before = oversleep
    outcome = desk.downloads.fetch(WANTED)
    assert isinstance(outcome, Again)
    assert outcome.why == "ours"
    assert not desk.store.exists(UNIT)


def test_a_delivery_that_is_stopped_is_no_fault_of_the_product(desk: Desk) -> None:
    def stop() -> None:
        raise DeliveryStopped

    desk.put_before = stop
    outcome = desk.downloads.fetch(WANTED)
    assert outcome == Again(0.0, "interrupted", "ours")
    desk.put_before = lambda: None
    assert desk.downloads.fetch(WANTED) == Landed(f"{NAME}.zip")
    assert desk.shop.asked[f"whole {NAME}"] == 1


def test_a_stop_interrupts_and_what_came_is_counted_once(desk: Desk) -> None:
    desk.shop.before = lambda what, name: desk.stop.set() if what == "piece" else None
    assert desk.downloads.fetch(WANTED) == Again(0.0, "interrupted", "ours")
    came = desk.usage.used
    assert 0 < came < len(desk.shop.data[NAME])
    desk.stop.clear()
    desk.shop.before = lambda what, name: None
    assert desk.downloads.fetch(WANTED) == Landed(f"{NAME}.zip")
    assert desk.usage.used == len(desk.shop.data[NAME]), "what an earlier try had left did not come again"


def test_the_volume_is_kept_to_before_anything_is_asked(desk: Desk) -> None:
    usage = Usage(desk.store, len(desk.shop.data[NAME]) / 1e9)
    assert usage.reserve(1)
    outcome = desk.make(usage).fetch(WANTED)
    assert isinstance(outcome, Again)
    assert outcome.why == "everything"
    assert desk.shop.asked["describe"] == 0


def test_downloads_under_way_keep_their_room(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    size = len(desk.shop.data[NAME])
    monkeypatch.setattr(module, "free_bytes", lambda _: 3 * size)
    with desk.downloads._with_room("other", size) as there_is:
        assert there_is
        with desk.downloads._with_room("third", 2 * size) as there_is:
            assert not there_is
        assert isinstance(desk.downloads.fetch(WANTED), Landed)
        with desk.downloads._with_room("fourth", size + 1) as there_is:
            assert not there_is
    with desk.downloads._with_room("fifth", size) as there_is:
        assert there_is


def test_credentials_that_are_right_again_answer_their_record(desk: Desk) -> None:
    desk.fail("download", Misconfigured("wrong"))
    desk.downloads.fetch(WANTED)
    expected = "tried 1 time, to be tried again: credentials or addresses do not serve: wrong"
    assert (desk.bench.state(NAME), desk.bench.reason(NAME)) == ("fetching", expected)
    desk.shop.before = lambda what, name: None
    desk.downloads.fetch(WANTED)
    assert list(desk.store.children("products/_source/answered/")) == [f"{record_id('credentials')}.json"]


def fetch_all(desk: Desk, error: Exception, refused: list[str], tried: list[str]) -> list[Outcome]:
    def before(asked: str, name: str) -> None:
        if asked == "download" and name in refused:
            raise error

    desk.shop.before = before
    for name in tried:
        desk.book.describe(L2A, WEEK, desk.shop.add(name))
        if not desk.book.reread(L2A, WEEK, name):
            desk.book.say(L2A, WEEK, name, "found", "")
    return [desk.downloads.fetch(Wanted(L2A, WEEK, name, "forward", 0.0)) for name in tried]


def test_one_product_that_is_turned_away_while_others_come_fails_by_itself(desk: Desk) -> None:
    bad, good = name_of(0.1), name_of(0.2)
    outcomes = fetch_all(desk, Misconfigured("422"), [bad], [good, bad, bad, bad])
    assert isinstance(outcomes[0], Landed)
    assert [each.why for each in outcomes[1:3] if isinstance(each, Again)] == ["product", "product"]
    assert outcomes[3] == Ended()
    assert (desk.bench.state(bad), desk.bench.reason(bad).startswith("422")) == ("failed", True)
    assert list(desk.store.children("failures/fetch/")) == [f"{record_id(bad)}.json"]


def test_credentials_that_are_refused_later_are_not_blamed_on_products(desk: Desk) -> None:
    good, bad = name_of(0.1), [name_of(0.2 + number / 10) for number in range(3)]
    outcomes = fetch_all(desk, Misconfigured("401"), bad, [good, *bad, *bad])
    assert [each.why for each in outcomes if isinstance(each, Again)] == ["product"] * 2 + ["everything"] * 4
    assert list(desk.store.children("failures/fetch/")) == [f"{record_id('credentials')}.json"]


def test_the_past_leaves_some_of_the_volume_for_what_is_new(desk: Desk) -> None:
    size = len(desk.shop.data[NAME])
    usage = Usage(desk.store, 10 * size / 1e9)
    assert usage.reserve(int(7.5 * size))
    downloads = desk.make(usage)
    outcome = downloads.fetch(replace(WANTED, lane="backfill"))
    assert isinstance(outcome, Again)
    assert (outcome.why, "for the past" in outcome.reason) == ("past", True)
    assert desk.shop.asked["describe"] == 0
    assert downloads.fetch(WANTED) == Landed(f"{NAME}.zip")


def test_a_folder_that_people_brought_whole_is_not_fetched(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.store.put(f"{PREFIX}{NAME}.SAFE/manifest.safe", b"<xml/>")
    whole = ["a file is missing", None]
    monkeypatch.setattr(
        downloads_module, "why_incomplete", lambda unit, read: whole[read("manifest.safe") == b"<xml/>"]
    )
    assert desk.downloads.fetch(WANTED) == Landed(f"{NAME}.SAFE")
    assert desk.asked == 0


def test_a_folder_that_is_still_arriving_is_not_taken_for_the_product(desk: Desk) -> None:
    desk.store.put(f"{PREFIX}{NAME}.SAFE/GRANULE/a.jp2", b"a picture")
    assert desk.downloads.fetch(WANTED) == Landed(f"{NAME}.zip")


@pytest.mark.parametrize("error", [Unavailable("HOST does not answer"), Corrupt("md5 differs")])
def test_what_is_tried_again_says_why(desk: Desk, error: Exception) -> None:
    desk.fail("download", error)
    for tries in ("1 time", "2 times"):
        assert isinstance(desk.downloads.fetch(WANTED), Again)
        assert desk.bench.reason(NAME) == f"tried {tries}, to be tried again: {error}"
    assert desk.bench.stands(NAME).number == 2, "written over"
