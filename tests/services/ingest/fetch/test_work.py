"""What is left to do in a term: a product is in one place at any time."""

from __future__ import annotations

import threading
from dataclasses import replace

from services.ingest.fetch.queue import Wanted
from services.ingest.fetch.work import Work


def wanted(number: int) -> Wanted:
    return Wanted("c", "2018-W23", f"p{number}", "forward", float(number))


def test_a_product_goes_its_way() -> None:
    work = Work(3, 32)
    assert work.is_done
    work.put(wanted(1))
    found = work.take(0.0)
    assert found == wanted(1)
    assert work.running == 1
    assert not work.is_done
    work.again(found, 5.0, "offline")
    assert work.waits() == {"offline": 1}
    assert work.take(4.0) is None
    assert work.count("forward") == 1
    assert work.take(5.0) == found
    work.land(found, "unit")
    assert not work.waits()
    assert work.landed(8) == [(found, "unit")]
    assert not work.is_done
    work.settle(found)
    assert work.is_done


def test_what_lies_in_landing_or_comes_counts_for_how_far_it_may_be_ahead() -> None:
    work = Work(3, 2)
    for number in range(4):
        work.put(wanted(number))
    one, two = work.take(0.0), work.take(0.0)
    assert one
    assert two
    assert work.take(0.0) is None
    work.land(one, "unit")
    assert work.take(0.0) is None
    work.settle(one)
    assert work.take(0.0) is not None


def test_what_is_new_does_not_wait_for_the_past_to_be_taken_in() -> None:
    work = Work(9, 2, 1)
    for number in range(4):
        work.put(replace(wanted(number), lane="backfill"))
    for _ in range(2):
        past = work.take(0.0)
        assert past
        work.land(past, "unit")
    assert work.take(0.0) is None
    for number in (7, 8):
        work.put(wanted(number))
    assert work.take(0.0) == wanted(8)
    assert work.take(0.0) is None, "there is an end to that, too"


def test_the_past_may_be_held_up_or_left_alone() -> None:
    work = Work(9, 32)
    past = [replace(wanted(number), lane="backfill") for number in range(3)]
    for each in past:
        work.put(each)
    work.hold_past(10.0)
    assert work.take(9.0) is None
    work.put(wanted(7))
    assert work.take(9.0) == wanted(7)
    assert work.take(10.0) == past[2]
    work.again(past[2], 20.0, "later")
    work.put(wanted(8))
    work.leave_all("no volume", ["backfill"])
    assert work.waits() == {"no volume": 3}
    assert (work.count("backfill"), work.count("forward")) == (0, 1)
    assert work.take(30.0) == wanted(8)


def test_each_of_those_in_landing_has_its_turn() -> None:
    work = Work(3, 32)
    for number in range(5):
        work.put(wanted(number))
        found = work.take(0.0)
        assert found
        work.land(found, "unit")
    seen = [each.product for _ in range(5) for each, _ in work.landed(2)]
    assert sorted(seen) == sorted([f"p{n}" for n in range(5)] * 2)


def test_nothing_is_taken_while_all_is_held_up() -> None:
    work = Work(3, 32)
    work.put(wanted(1))
    work.hold(10.0)
    assert work.take(9.0) is None
    assert work.take(10.0) == wanted(1)


def test_what_is_left_to_another_run_says_why_and_does_not_keep_this_one() -> None:
    work = Work(3, 32)
    for number in range(3):
        work.put(wanted(number))
    found = work.take(0.0)
    assert found
    work.end(found, "no credentials")
    work.leave_all("no credentials")
    assert work.is_done
    assert work.waits() == {"no credentials": 3}


def test_it_never_seems_done_while_products_go_to_and_fro() -> None:
    work, early, ended = Work(3, 32), list[int](), threading.Event()
    work.put(wanted(1))

    def watch() -> None:
        while not ended.is_set():
            early.extend([1] * work.is_done)

    watcher = threading.Thread(target=watch)
    watcher.start()
    for _ in range(2000):
        found = work.take(1e9)
        assert found
        work.land(found, "unit")
        work.settle(found, is_wanted=True)
    ended.set()
    watcher.join()
    assert early == []
