"""The fetcher as a whole, against a provider in memory and a stand-in of ingest."""

from __future__ import annotations

import os
import threading
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from services.ingest.fetch import ending, setbacks, term
from services.ingest.fetch import fetcher as fetcher_module
from services.ingest.fetch.book import Book, record_id
from services.ingest.fetch.errors import Corrupt, Misconfigured, Refused, Unavailable
from services.ingest.fetch.lease import Lease, StoreClock
from services.ingest.fetch.provider import Deletion
from shared.items.keys import failure_key
from shared.items.landing import PREFIX
from shared.items.products import OWN, expected_key
from shared.store import FolderStore, StoreUnavailable
from tests.catalogues import AREA
from tests.services.ingest.fetch.workshop import L2A, Bench, Intake, Serving, name_of, offer_of, until

NAMES = [name_of(days) for days in range(6)]
WEEK = "2018-W23"


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setattr(ending, "ONCE_OFFLINE_S", 0.01)
    monkeypatch.setattr(ending, "ONCE_TRIES", 3)
    monkeypatch.setattr(setbacks, "SURE_TRIES", 3)
    monkeypatch.setattr(ending, "TURN_S", 0.05)
    monkeypatch.setattr(fetcher_module, "STANDBY_S", 0.2)
    monkeypatch.setattr(term, "TICK_S", 0.05)
    monkeypatch.setattr(os, "fsync", lambda _: None)  # no machine fails here
    monkeypatch.setattr(term, "REQUEUE_S", 0.05)
    monkeypatch.setattr(term, "IDLE_S", 0.02)
    return Bench(FolderStore(tmp_path / "store"), tmp_path / "fetch")


def records(bench: Bench) -> list[str]:
    return list(bench.store.children("failures/fetch/"))


def test_everything_is_fetched_once_and_registered(bench: Bench) -> None:
    for name in NAMES:
        bench.shop.add(name)
    with Intake(bench.store) as intake:
        fetcher = bench.run()
        assert fetcher.quiet
        bench.run()
    assert {name: bench.state(name) for name in NAMES} == dict.fromkeys(NAMES, "registered")
    assert {name: bench.shop.asked[f"download {name}"] for name in NAMES} == dict.fromkeys(NAMES, 1)
    assert intake.taken == dict.fromkeys(NAMES, 1)
    assert bench.shop.most <= 4
    assert bench.shop.closed
    assert list(bench.folder.iterdir()) == []


def test_it_is_not_quiet_before_ingest_took_the_last_one_in(bench: Bench) -> None:
    bench.shop.add(NAMES[0])
    fetcher = bench.fetcher()
    with Serving(bench, fetcher):
        until(lambda: bench.store.exists(f"{PREFIX}{NAMES[0]}.zip"))
        time.sleep(0.3)
        assert not fetcher.quiet
        with Intake(bench.store):
            until(lambda: fetcher.quiet)
    assert bench.state(NAMES[0]) == "registered"


def test_quiet_never_flickers_while_a_unit_is_taken_out_again(bench: Bench) -> None:
    """What was taken out of landing/ goes back to the queue without a moment in neither place."""
    bench.shop.add(NAMES[0])
    fetcher, early, ended = bench.fetcher(), list[str](), threading.Event()

    def watch() -> None:
        while not ended.is_set():
            if fetcher.quiet and bench.state(NAMES[0]) != "registered":
                early.append(bench.state(NAMES[0]))

    with Serving(bench, fetcher):
        until(lambda: bench.store.exists(f"{PREFIX}{NAMES[0]}.zip"))
        watcher = threading.Thread(target=watch)
        watcher.start()
        for _ in range(3):
            before = bench.shop.asked[f"download {NAMES[0]}"]
            bench.store.delete(f"{PREFIX}{NAMES[0]}.zip")
            until(lambda before=before: bench.shop.asked[f"download {NAMES[0]}"] > before)  # type: ignore[misc]
            until(lambda: bench.store.exists(f"{PREFIX}{NAMES[0]}.zip"))
        ended.set()
        watcher.join()
    assert early == []


def test_an_empty_catalogue_ends_at_once(bench: Bench) -> None:
    assert bench.run(within_s=3).quiet


@pytest.mark.parametrize("error", [Unavailable("no answer"), RuntimeError("a bug")])
def test_a_provider_that_never_answers_ends_a_run_with_one_record(bench: Bench, error: Exception) -> None:
    def fail(what: str, name: str) -> None:
        raise error

    bench.shop.before = fail
    assert bench.run(back_off_s=0.001).quiet
    assert records(bench) == [f"{record_id('search-S2MSI2A')}.json"]
    bench.shop.before = lambda what, name: None
    bench.run()
    assert bench.store.children(f"{OWN}answered/")


def test_one_type_that_is_refused_does_not_keep_a_run_from_another_one(bench: Bench) -> None:
    bench.shop.add(NAMES[0])

    def refuse(what: str, name: str) -> None:
        if name == "OL_1_EFR___":
            raise Misconfigured("there is no such collection")

    bench.shop.before = refuse
    with Intake(bench.store):
        fetcher = bench.run(source={"products": ["S2MSI2A", "OL_1_EFR___"]}, back_off_s=0.001)
    assert fetcher.quiet
    assert bench.state(NAMES[0]) == "registered"


@pytest.mark.parametrize("error", [Misconfigured("no service"), Refused("an endless list")])
def test_a_search_that_is_refused_ends_a_run_at_once_with_one_record(bench: Bench, error: Exception) -> None:
    def refuse(what: str, name: str) -> None:
        raise error

    bench.shop.before = refuse
    bench.run(within_s=3, back_off_s=100.0)
    assert bench.shop.asked["search"] == 1
    assert len(records(bench)) == 1


def test_downloads_that_are_never_answered_end_a_run(bench: Bench) -> None:
    for name in NAMES:
        bench.shop.add(name)

    def fail(what: str, name: str) -> None:
        if what == "download":
            raise Unavailable("no answer", retry_after_s=500.0)

    bench.shop.before = fail
    fetcher = bench.run()
    assert fetcher.waits() == ["fetch: 6 x no answer"]
    assert bench.shop.asked["download"] == len(NAMES), "nobody is asked before the time that it stated"
    assert {bench.state(name) for name in NAMES} == {"fetching"}
    bench.shop.before = lambda what, name: None
    with Intake(bench.store):
        bench.run()
    assert {bench.state(name) for name in NAMES} == {"registered"}


def test_a_run_waits_as_long_as_a_provider_asks_for(bench: Bench) -> None:
    bench.shop.add(NAMES[0])
    asked_s = list[float]()

    def fail(what: str, name: str) -> None:
        if what == "download":
            asked_s.append(time.monotonic())
            if len(asked_s) == 1:
                raise Unavailable("later", retry_after_s=0.4)

    bench.shop.before = fail
    with Intake(bench.store):
        bench.run()
    assert asked_s[1] - asked_s[0] >= 0.4
    assert bench.state(NAMES[0]) == "registered"


def test_a_provider_s_wish_to_be_left_alone_holds_all_downloads(bench: Bench) -> None:
    for name in NAMES:
        bench.shop.add(name)

    def fail(what: str, name: str) -> None:
        if what == "download":
            raise Unavailable("too many sessions", retry_after_s=600.0)

    bench.shop.before = fail
    with Serving(bench, bench.fetcher(once=False, connections=1)):
        until(lambda: bench.shop.asked["download"] > 0)
        time.sleep(0.3)
        assert bench.shop.asked["download"] == 1


def test_wrong_credentials_end_a_run_soon_with_one_record_that_is_answered_later(bench: Bench) -> None:
    for name in NAMES:
        bench.shop.add(name)

    def refuse(what: str, name: str) -> None:
        if what == "download":
            raise Misconfigured("wrong password")

    bench.shop.before = refuse
    fetcher = bench.run(within_s=3)
    assert records(bench) == [f"{record_id('credentials')}.json"]
    assert fetcher.waits() == ["fetch: 6 x wrong password"]
    bench.shop.before = lambda what, name: None
    with Intake(bench.store):
        bench.run()
    assert bench.store.exists(f"{OWN}answered/{record_id('credentials')}.json")
    assert {bench.state(name) for name in NAMES} == {"registered"}


def test_wrong_credentials_are_shown_once_a_poll_not_for_each_product(bench: Bench) -> None:
    for name in NAMES:
        bench.shop.add(name)

    def refuse(what: str, name: str) -> None:
        if what == "download":
            raise Misconfigured("wrong password")

    bench.shop.before = refuse
    with Serving(bench, bench.fetcher(once=False, poll_s=60.0, connections=1)):
        until(lambda: bench.shop.asked["download"] > 0)
        time.sleep(0.3)
        assert bench.shop.asked["download"] == 1


def test_one_product_that_is_turned_away_first_does_not_keep_the_others_waiting(bench: Bench) -> None:
    for name in NAMES:
        bench.shop.add(name)
    newest = max(NAMES)

    def refuse(what: str, name: str) -> None:
        if what == "download" and name == newest:
            raise Misconfigured("403")

    bench.shop.before = refuse
    with Intake(bench.store), Serving(bench, bench.fetcher(once=False, poll_s=0.1, connections=1)):
        until(lambda: len(records(bench)) == 2)
        until(lambda: {bench.state(name) for name in NAMES} == {"registered", "failed"})


def test_products_that_stay_offline_are_deferred_and_do_not_keep_a_run(bench: Bench) -> None:
    bench.shop.add(NAMES[0], online=False)
    bench.shop.add(NAMES[1])
    with Intake(bench.store):
        fetcher = bench.run(offline_s=0.01)
    assert bench.state(NAMES[0]) == "deferred"
    assert "offline" in bench.reason(NAMES[0])
    assert bench.state(NAMES[1]) == "registered"
    assert len(fetcher.waits()) == 1
    assert bench.shop.asked[f"order {NAMES[0]}"] > 0
    assert bench.shop.asked[f"download {NAMES[0]}"] == 0


def test_an_offline_product_is_ordered_and_fetched_once_it_is_there(bench: Bench) -> None:
    bench.shop.add(NAMES[0], online=False)
    bench.shop.can_order = True

    def bring(what: str, name: str) -> None:
        if what == "describe" and bench.shop.asked[f"order {name}"]:
            bench.shop.offers[name] = bench.shop.offers[name].model_copy(update={"online": True})

    bench.shop.before = bring
    with Intake(bench.store):
        bench.run()
    assert bench.state(NAMES[0]) == "registered"
    assert bench.shop.asked[f"order {NAMES[0]}"] == 1


def test_a_damaged_product_is_tried_some_times_and_then_fails_with_its_record(bench: Bench) -> None:
    bench.shop.add(NAMES[0])

    def spoil(what: str, name: str) -> None:
        if what == "download":
            raise Corrupt("a byte is another one")

    bench.shop.before = spoil
    bench.run(attempts=3)
    assert bench.state(NAMES[0]) == "failed"
    assert bench.shop.asked["download"] == 3
    assert records(bench) == [f"{record_id(NAMES[0])}.json"]


def test_what_ingest_refused_is_fetched_again_once_it_is_taken_out_of_landing(bench: Bench) -> None:
    bench.shop.add(NAMES[0])
    spoilt = [True]
    whole, bench.shop.data[NAMES[0]] = bench.shop.data[NAMES[0]], b"a byte is another one"
    serving = bench.fetcher(once=False, poll_s=0.05)
    with Intake(bench.store, refuses=lambda name: spoilt[0]), Serving(bench, serving):
        until(lambda: bench.shop.asked["download"] == 1 and bench.state(NAMES[0]) == "failed")
        time.sleep(0.2)
        assert bench.shop.asked["download"] == 1
        spoilt[0], bench.shop.data[NAMES[0]] = False, whole
        bench.store.delete(f"{PREFIX}{NAMES[0]}.zip")
        until(lambda: bench.state(NAMES[0]) == "registered")
    assert bench.shop.asked["download"] == 2


@pytest.mark.parametrize("away", [False, True])
def test_a_requeued_product_is_fetched_again_even_if_nobody_ran(bench: Bench, away: bool) -> None:
    bench.shop.add(NAMES[0])

    def refuse(what: str, name: str) -> None:
        if what == "download":
            raise Refused("another host")

    bench.shop.before = refuse
    bench.run()
    bench.run()
    assert bench.shop.asked["download"] == 3
    assert bench.state(NAMES[0]) == "failed"
    bench.shop.before = lambda what, name: None
    key = failure_key("fetch", record_id(NAMES[0]))
    with Intake(bench.store):
        if away:
            bench.store.delete(key)
            bench.run()
        else:
            with Serving(bench, bench.fetcher(once=False, poll_s=0.05)) as fetcher:
                until(lambda: fetcher.quiet)
                time.sleep(0.2)
                assert bench.state(NAMES[0]) == "failed"
                bench.store.delete(key)
                until(lambda: bench.state(NAMES[0]) == "registered")
    assert bench.state(NAMES[0]) == "registered"


def test_what_ingest_refused_is_failed_until_it_is_registered_after_all(bench: Bench) -> None:
    bench.shop.add(NAMES[0])
    with Intake(bench.store, refuses=lambda name: True):
        bench.run()
    assert bench.state(NAMES[0]) == "failed"
    assert bench.reason(NAMES[0]) == "ingest: no manifest"
    bench.run()
    assert bench.shop.asked["download"] == 1
    bench.store.put(f"items/{L2A}/{WEEK}/{NAMES[0]}--0.json", b"{}")
    bench.run()
    assert bench.state(NAMES[0]) == "registered"


def test_two_fetchers_at_once_fetch_each_product_once(bench: Bench) -> None:
    for name in NAMES:
        bench.shop.add(name)
    bench.shop.before = lambda what, name: time.sleep(0.01)
    fetchers = [bench.fetcher(), bench.fetcher()]
    threads = [threading.Thread(target=each.run, daemon=True) for each in fetchers]
    with Intake(bench.store):
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(15)
    assert not any(thread.is_alive() for thread in threads)
    assert all(each.quiet for each in fetchers)
    assert {bench.shop.asked[f"whole {name}"] for name in NAMES} == {1}
    assert {bench.state(name) for name in NAMES} == {"registered"}


def test_a_run_beside_a_service_that_leads_ends(bench: Bench) -> None:
    clock = StoreClock(bench.store, "other")
    lead = Lease(bench.store, f"{OWN}lead/", "other", clock, 1.0)
    assert lead.take()
    ended = threading.Event()

    def renew() -> None:
        while not ended.wait(0.2):
            assert lead.renew()

    other = threading.Thread(target=renew)
    other.start()
    try:
        fetcher = bench.run(lease_s=1.0)
    finally:
        ended.set()
        other.join()
    assert fetcher.quiet
    assert fetcher.waits() == ["fetch: another process fetches for this store"]
    assert bench.shop.asked["search"] == 0


def test_a_lead_that_changes_hands_during_a_download_ends_it_and_the_other_one_goes_on(bench: Bench) -> None:
    bench.shop.add(NAMES[0], data=bytes(1000))
    halted, goes_on = threading.Event(), threading.Event()

    def wait(what: str, name: str) -> None:
        if what == "piece" and not halted.is_set():
            halted.set()
            goes_on.wait(10)

    bench.shop.before = wait
    with Serving(bench, bench.fetcher(once=False, lease_s=1.0)):
        until(halted.is_set)
        taken = Lease(bench.store, f"{OWN}lead/", "other", lambda: time.time() + 3600, 1.0)
        claim = f"products/{L2A}/{WEEK}/{NAMES[0]}/claims/"
        claimed = Lease(bench.store, claim, "other", lambda: time.time() + 3600, 1.0)
        assert taken.take()
        assert claimed.take()
        time.sleep(0.5)
        goes_on.set()
        time.sleep(0.5)
        assert not bench.store.exists(f"{PREFIX}{NAMES[0]}.zip")
        assert bench.shop.asked[f"whole {NAMES[0]}"] <= 1
        taken.release()
        claimed.release()
        with Intake(bench.store):
            until(lambda: bench.state(NAMES[0]) == "registered", 8)


def test_terms_leave_no_threads_behind(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    with Serving(bench, bench.fetcher(once=False, lease_s=1.0)):
        until(lambda: bench.shop.asked["search"] > 0)
        taken = Lease(bench.store, f"{OWN}lead/", "other", lambda: time.time() + 3600, 1.0)
        assert taken.take()
        until(lambda: not [t for t in threading.enumerate() if t.name.startswith("fetch-")])
        taken.release()
        until(lambda: len([t for t in threading.enumerate() if t.name.startswith("fetch-")]) == 5)
        time.sleep(0.2)
        assert len([t for t in threading.enumerate() if t.name.startswith("fetch-")]) == 5


def test_a_stop_during_a_download_ends_within_seconds_and_the_part_is_gone_on_with(bench: Bench) -> None:
    bench.shop.add(NAMES[0], data=bytes(1000))
    at = threading.Event()

    def slow(what: str, name: str) -> None:
        if what == "piece":
            at.set()
            time.sleep(0.2)

    bench.shop.before = slow
    with Serving(bench, bench.fetcher(once=False)):
        until(at.is_set)
        began_s = time.monotonic()
    assert time.monotonic() - began_s < 5
    assert list(bench.folder.rglob("*.part"))
    assert bench.shop.asked["whole"] == 0
    bench.stop.clear()
    bench.shop.before = lambda what, name: None
    with Intake(bench.store):
        bench.run()
    assert bench.shop.asked[f"whole {NAMES[0]}"] == 1
    assert bench.state(NAMES[0]) == "registered"


def test_a_stop_does_not_wait_for_a_provider_that_hangs(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.shop.add(NAMES[0])
    at, goes_on = threading.Event(), threading.Event()

    def hang(what: str, name: str) -> None:
        if what == "describe":
            at.set()
            goes_on.wait(20)

    assert term.STOP_S < 5
    monkeypatch.setattr(term, "STOP_S", 0.5)
    bench.shop.before = hang
    with Serving(bench, bench.fetcher(once=False)):
        until(at.is_set)
        began_s = time.monotonic()
    assert time.monotonic() - began_s < 2
    goes_on.set()


def test_a_search_that_breaks_off_moves_no_cursor_and_is_asked_again(bench: Bench) -> None:
    for name in NAMES[:3]:
        bench.shop.add(name, published=datetime.now(UTC) - timedelta(seconds=5))
    left = [1]

    def break_off(what: str, name: str) -> None:
        if what == "page" and left:
            left.pop()
            assert not bench.store.exists(f"{OWN}cursors/S2MSI2A.json")
            raise Unavailable("broke off")

    bench.shop.before = break_off
    with Intake(bench.store):
        bench.run()
    assert {bench.state(name) for name in NAMES[:3]} == {"registered"}
    assert bench.store.exists(f"{OWN}cursors/S2MSI2A.json")


def test_what_was_published_late_below_the_cursor_is_found_by_a_recount(bench: Bench) -> None:
    with Intake(bench.store), Serving(bench, bench.fetcher(once=False, overlap_s=0.0, recount_s=0.3)):
        until(lambda: bench.store.exists(f"{OWN}recounted.json"))
        bench.shop.add(NAMES[0])  # published in 2018
        until(lambda: NAMES[0] in bench.shop.asked or bench.shop.asked[f"whole {NAMES[0]}"] == 1)
        until(lambda: bench.state(NAMES[0]) == "registered")
    assert NAMES[0].encode() in bench.store.get(expected_key(L2A, WEEK))


def test_a_changed_checksum_is_fetched_again_once(bench: Bench) -> None:
    bench.shop.add(NAMES[0])
    with Intake(bench.store) as intake:
        bench.run()
        bench.shop.add(NAMES[0], data=b"other bytes")
        bench.run()
        bench.run()
    assert bench.shop.asked[f"whole {NAMES[0]}"] == 2
    assert intake.taken[NAMES[0]] >= 2, "this stand-in may look between a file and what is noted of it"
    assert bench.state(NAMES[0]) == "registered"
    assert bench.store.get(f"{PREFIX}{NAMES[0]}.zip") == b"other bytes"


def test_a_provider_that_states_another_algorithm_changed_nothing(bench: Bench) -> None:
    bench.shop.add(NAMES[0])
    with Intake(bench.store):
        bench.run()
        bench.shop.offers[NAMES[0]] = bench.shop.offers[NAMES[0]].model_copy(update={"checksums": {"blake3": "00"}})
        bench.run()
    assert bench.shop.asked[f"download {NAMES[0]}"] == 1


def test_a_product_that_vanishes_before_its_download_comes_back_at_a_later_recount(bench: Bench) -> None:
    offer = bench.shop.add(NAMES[0])

    def vanish(what: str, name: str) -> None:
        if what == "describe":
            bench.shop.offers.pop(name, None)

    bench.shop.before = vanish
    bench.run()
    assert bench.state(NAMES[0]) == "withdrawn"
    assert "not there" in bench.reason(NAMES[0])
    assert bench.said == []
    bench.shop.before = lambda what, name: None
    bench.shop.offers[NAMES[0]] = offer
    with Intake(bench.store):
        bench.run()
    assert bench.state(NAMES[0]) == "registered"


def test_what_is_taken_away_upstream_is_withdrawn_once_and_restored_under_another_id(bench: Bench) -> None:
    offer = bench.shop.add(NAMES[0])
    with Intake(bench.store):
        bench.run()
        del bench.shop.offers[NAMES[0]]
        bench.shop.gone.append(Deletion(NAMES[0], offer.id, datetime.now(UTC), "Obsolete product"))
        bench.run()
        bench.run()
        assert bench.state(NAMES[0]) == "withdrawn"
        assert bench.said == [("withdrawn", NAMES[0], "taken away by shop: Obsolete product")]
        bench.shop.add(NAMES[0], data=b"new bytes", id="another", cloud_percent=90.0)
        bench.run(source={"products": ["S2MSI2A"], "max_cloud_percent": 50})
        assert bench.state(NAMES[0]) == "unwanted"
        assert len(bench.said) == 1, "its old bytes stay away until the new ones are there"
        bench.run()
        bench.run()
    assert [word for word, *_ in bench.said] == ["withdrawn", "restored"]
    assert bench.state(NAMES[0]) == "registered"
    assert bench.store.get(f"{PREFIX}{NAMES[0]}.zip") == b"new bytes"


def test_what_is_taken_away_during_its_download_is_not_put_into_landing(bench: Bench) -> None:
    offer = bench.shop.add(NAMES[0])
    bench.shop.gone.append(Deletion(NAMES[0], offer.id, datetime.now(UTC), "Corrupted"))

    def wait(what: str, name: str) -> None:
        if what == "piece":
            until(lambda: bench.state(NAMES[0]) == "withdrawn")

    bench.shop.before = wait
    bench.run()
    assert bench.state(NAMES[0]) == "withdrawn"
    assert not bench.store.exists(f"{PREFIX}{NAMES[0]}.zip")


@pytest.mark.parametrize(("lower", "higher"), [("0400", "0510"), ("9933", "0510")])
def test_a_newer_baseline_supersedes_the_older_one_in_either_order(lower: str, higher: str, bench: Bench) -> None:
    old, new = name_of(0, baseline=lower), name_of(0, baseline=higher)
    for first, second in ((old, new), (new, old)):
        with Intake(bench.store):
            bench.shop.offers.clear()
            bench.shop.add(first)
            bench.run()
            bench.shop.add(second)
            bench.run()
        assert (bench.state(old), bench.state(new)) == ("superseded", "registered")


def test_a_raised_cloud_limit_fetches_what_was_too_cloudy(bench: Bench) -> None:
    bench.shop.add(NAMES[0], cloud_percent=60.0)
    source = {"products": ["S2MSI2A"], "max_cloud_percent": 50}
    with Intake(bench.store):
        bench.run(source=source)
        assert bench.state(NAMES[0]) == "unwanted"
        assert bench.reason(NAMES[0]).startswith("cloudy: 60 %")
        assert bench.shop.asked["download"] == 0
        with Serving(bench, bench.fetcher(once=False, source=source | {"max_cloud_percent": 70})):
            until(lambda: bench.state(NAMES[0]) == "registered")


def test_what_a_narrower_source_does_not_ask_for_is_not_fetched_until_it_does_again(bench: Bench) -> None:
    bench.shop.add(NAMES[0])
    source = {"products": ["S2MSI2A"]}
    bench.run(source=source, free_gb=1e9)
    assert bench.state(NAMES[0]) == "found"
    with Intake(bench.store):
        for narrower in ({"products": ["OL_1_EFR___"]}, {**source, "end": date(2018, 1, 31)}):
            bench.run(source=narrower)
            assert bench.state(NAMES[0]) == "unwanted"
        assert bench.shop.asked["download"] == 0
        bench.run(source=source)
    assert bench.state(NAMES[0]) == "registered"


def test_without_a_backfill_only_what_was_published_since_is_fetched(bench: Bench) -> None:
    now = datetime.now(UTC)
    area = AREA.model_copy(update={"years": [2018, now.isocalendar().year]})
    bench.shop.add(NAMES[0])
    fresh = f"S2A_MSIL2A_{now:%Y%m%dT%H%M%S}_N0511_R093_T34TGR_{now:%Y%m%dT%H%M%S}"
    bench.shop.add(fresh, sensed=now, published=now)
    with Intake(bench.store):
        bench.run(area=area, source={"products": ["S2MSI2A"], "backfill": False})
    assert bench.state(fresh) == "registered"
    assert bench.shop.asked["download"] == 1


def test_an_unknown_type_is_refused_by_name_with_one_record(bench: Bench) -> None:
    bench.shop.add(NAMES[0], product_type="OTHER")
    bench.shop.add(NAMES[1], product_type="OTHER")
    bench.run()
    bench.run()
    assert len(records(bench)) == 1
    assert b"OTHER" in bench.store.get(f"failures/fetch/{records(bench)[0]}")
    assert bench.shop.asked["download"] == 0


def test_the_months_volume_is_kept_to_over_restarts(bench: Bench) -> None:
    for name in NAMES:
        bench.shop.add(name, data=bytes(400_000_000 // 1000))
    source = {"products": ["S2MSI2A"], "monthly_gb": 0.001}
    with Intake(bench.store):
        fetcher = bench.run(source=source)
        assert fetcher.waits() == ["fetch: 4 x monthly_gb is used up"]
        asked = bench.shop.asked["describe"]
        bench.run(source=source)
        assert bench.shop.asked["download"] == 2
        assert bench.shop.asked["describe"] == asked, "no request is spent on what may not be fetched"
        bench.run(source=source | {"monthly_gb": 1})
    assert {bench.state(name) for name in NAMES} == {"registered"}


def test_the_past_uses_up_its_volume_and_what_is_new_comes(bench: Bench) -> None:
    now = datetime.now(UTC)
    area = AREA.model_copy(update={"years": [2018, now.isocalendar().year]})
    for name in NAMES:
        bench.shop.add(name, data=bytes(300_000))
    source = {"products": ["S2MSI2A"], "monthly_gb": 0.001}
    fresh = f"S2A_MSIL2A_{now:%Y%m%dT%H%M%S}_N0511_R093_T34TGR_{now:%Y%m%dT%H%M%S}"
    with (
        Intake(bench.store),
        Serving(bench, bench.fetcher(once=False, area=area, source=source, connections=1)) as fetcher,
    ):
        until(lambda: "for the past" in str(fetcher.waits()))
        bench.shop.add(fresh, data=bytes(300_000), sensed=now, published=datetime.now(UTC))
        until(lambda: len(list(bench.store.children(PREFIX))) == 3)
        assert bench.state(fresh) in {"fetching", "registered"}


def test_a_product_larger_than_the_months_volume_fails_by_name(bench: Bench) -> None:
    bench.shop.add(NAMES[0], size=2_000_000)
    bench.run(source={"products": ["S2MSI2A"], "monthly_gb": 0.001})
    assert bench.state(NAMES[0]) == "failed"
    assert "its 2.0 MB are more than monthly_gb allows" in bench.reason(NAMES[0])
    record = bench.store.get(f"failures/fetch/{record_id(NAMES[0])}.json")
    assert b"raise `monthly_gb` of `source:`" in record


def test_a_disk_without_room_holds_downloads_up_and_a_run_ends(bench: Bench) -> None:
    bench.shop.add(NAMES[0])
    fetcher = bench.run(free_gb=1e9)
    assert bench.shop.asked["download"] == 0
    assert "free_gb" in fetcher.waits()[0]
    assert records(bench) == []


def test_a_disk_without_room_costs_a_service_no_requests(bench: Bench) -> None:
    for name in NAMES:
        bench.shop.add(name)
    with Serving(bench, bench.fetcher(once=False, free_gb=1e9)) as fetcher:
        until(lambda: bool(fetcher.waits()))
        time.sleep(0.3)
        claims = [key for key in bench.store.keys(f"products/{L2A}/") if "/claims/" in key]
    assert bench.shop.asked["describe"] == 0
    assert len(claims) <= 4, "one try of each connection"


def test_a_provider_that_never_answers_is_left_alone_more_and_more(bench: Bench) -> None:
    for days in range(30):
        bench.shop.add(name_of(days / 10))

    def fail(what: str, name: str) -> None:
        if what == "download":
            raise Unavailable("no answer")

    bench.shop.before = fail
    with Serving(bench, bench.fetcher(once=False, back_off_s=0.5, connections=1)):
        until(lambda: bench.shop.asked["download"] == ending.SILENT)
        time.sleep(0.3)
        assert bench.shop.asked["download"] == ending.SILENT


def test_no_more_lies_in_landing_than_ingest_may_lag_behind(bench: Bench) -> None:
    for name in NAMES:
        bench.shop.add(name)
    with Serving(bench, bench.fetcher(once=False, ahead=2)) as fetcher:
        until(lambda: len(list(bench.store.children(PREFIX))) == 2)
        time.sleep(0.3)
        assert len(list(bench.store.children(PREFIX))) == 2
        assert bench.shop.asked["download"] == 2
        with Intake(bench.store):
            until(lambda: fetcher.quiet)
    assert {bench.state(name) for name in NAMES} == {"registered"}


def test_the_store_s_outage_is_waited_for(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.shop.add(NAMES[0])
    put, left = bench.store.put, list(range(8))

    def failing(*args: object, **kwargs: object) -> object:
        if left and left.pop() % 2:
            raise StoreUnavailable("the store is away")
        return put(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(bench.store, "put", failing)
    with Intake(bench.store):
        fetcher = bench.fetcher(lease_s=1.0)
        with Serving(bench, fetcher):
            until(lambda: fetcher.quiet, 9)
    assert bench.state(NAMES[0]) == "registered"


def test_a_subscription_is_read_by_a_service_and_what_it_tells_is_fetched(bench: Bench) -> None:
    offer = offer_of(NAMES[0], NAMES[0].encode() * 3)
    told, acknowledged = [[SimpleNamespace(offer=offer)]], list[object]()

    class Told:
        id = "own"

        def read(self, own: str) -> list[SimpleNamespace]:
            return told.pop() if told else []

        def acknowledge(self, event: object) -> None:
            assert bench.state(NAMES[0]), "it is written down first"
            acknowledged.append(event)

    bench.shop.subscription = lambda queries: Told()  # type: ignore[attr-defined]
    bench.shop.before = lambda what, name: bench.shop.offers.update({NAMES[0]: offer}) if what == "describe" else None
    bench.shop.data[NAMES[0]] = NAMES[0].encode() * 3
    source = {"products": ["S2MSI2A"], "subscribe": True}
    with Serving(bench, bench.fetcher(once=False, source=source, connections=1)), Intake(bench.store):
        until(lambda: bool(acknowledged))
        until(lambda: bench.state(NAMES[0]) == "registered")
    assert len(acknowledged) == 1
    assert Book(bench.store).kept("subscription") == {"id": "own"}


def test_secrets_are_in_no_object_and_no_line(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    """A provider's own messages hold none; what is kept of an offer is what it says, and nothing of a header."""
    bench.shop.add(NAMES[0])
    with Intake(bench.store):
        bench.run()
    said = capsys.readouterr()
    everything = b"".join(bench.store.get(key) for key in bench.store.keys("products/"))
    for secret in ("password", "Bearer", "Authorization"):
        assert secret not in said.out + said.err
        assert secret.encode() not in everything


def test_no_listing_of_all_products_is_made_in_each_round(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        bench.shop.add(name)
    with Intake(bench.store), Serving(bench, bench.fetcher(once=False, poll_s=0.1)) as fetcher:
        until(lambda: fetcher.quiet)
        until(lambda: {bench.state(name) for name in NAMES} == {"registered"})
        listed, keys = list[str](), bench.store.keys

        def counting(prefix: str) -> object:
            if prefix.startswith("products/"):
                listed.append(prefix)
            return keys(prefix)

        monkeypatch.setattr(bench.store, "keys", counting)
        searched = bench.shop.asked["search"]
        until(lambda: bench.shop.asked["search"] > searched + 2)
        assert listed == []


def test_what_failed_is_tried_again_after_a_later_recount(bench: Bench) -> None:
    bench.shop.add(NAMES[0])
    spoilt = [True]

    def spoil(what: str, name: str) -> None:
        if what == "download" and spoilt[0]:
            raise Corrupt("a byte is another one")

    bench.shop.before = spoil
    serving = bench.fetcher(once=False, attempts=1, recount_s=0.3, poll_s=0.05)
    with Intake(bench.store), Serving(bench, serving):
        until(lambda: len(records(bench)) == 1)
        spoilt[0] = False
        until(lambda: bench.state(NAMES[0]) == "registered")


def test_what_failed_is_tried_again_after_a_recount_of_a_later_process(bench: Bench) -> None:
    bench.shop.add(NAMES[0])

    def spoil(what: str, name: str) -> None:
        if what == "download":
            raise Corrupt("a byte is another one")

    bench.shop.before = spoil
    bench.run(attempts=1)
    assert len(records(bench)) == 1
    bench.shop.before = lambda what, name: None
    with Intake(bench.store), Serving(bench, bench.fetcher(once=False, recount_s=0.01, poll_s=3600.0)):
        until(lambda: bench.state(NAMES[0]) == "registered")
