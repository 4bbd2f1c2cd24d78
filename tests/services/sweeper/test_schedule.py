"""When to train."""

from __future__ import annotations

from dataclasses import replace

import pytest

from services.sweeper.schedule import Training, TrainingSchedule, nothing_to_train_on
from shared.area.training import TrainingPolicy
from shared.items.summary import WeekSummary, current_labels, summaries
from tests.catalogues import catalogue_of, chain, labels, make, scene

CLC = labels("clc", 2018)
LABELS = [CLC, make("land-cover-labels", "clc", [CLC], week="static")]
A = chain(scene("a", 500, "a"), [[0, 0, 3]])


def test_what_lacks_to_train_is_said() -> None:
    empty = catalogue_of([])
    assert nothing_to_train_on(summaries(empty), current_labels(empty)) == "no labels: nothing to train on"
    only = catalogue_of(LABELS)
    assert "no Sentinel-2 scene" in str(nothing_to_train_on(summaries(only), current_labels(only)))
    both = catalogue_of([*LABELS, *A])
    assert nothing_to_train_on(summaries(both), current_labels(both)) is None


def weeks_of(*tiles: int) -> list[WeekSummary]:
    """One week for each number of tiles that its updates touch."""
    return [WeekSummary(f"2018-W{n:02d}", tile_weeks={"msi": t, "olci": 1000}) for n, t in enumerate(tiles, 1)]


HOUR_S = 3600.0
CLC_2018, CLC_2024 = frozenset({"clc-2018"}), frozenset({"clc-2024"})


def trained(
    on: list[WeekSummary], at_s: float | None = 0.0, labels: frozenset[str] = CLC_2018, asked_s: float = 0.0
) -> Training:
    return Training(asked_s, at_s, {s.week: s.tile_weeks["msi"] for s in on}, labels)


class Asked:
    """A schedule, asked at one moment after another."""

    def __init__(self, once: bool = False, **policy: object) -> None:
        self._schedule = TrainingSchedule(TrainingPolicy.model_validate(policy), once)

    def __call__(
        self,
        now_s: float,
        weeks: list[WeekSummary],
        *trainings: Training,
        quiet: bool = True,
        labels: frozenset[str] = CLC_2018,
    ) -> bool:
        decision = self._schedule.decide(weeks, labels, trainings, quiet, now_s)
        self.waits_for = decision.waits_for
        return decision.now


def test_the_first_model_is_asked_for_after_a_while_of_quiet() -> None:
    asked = Asked()
    assert not asked(100, weeks_of(1))
    assert not asked(159, weeks_of(1))
    assert asked.waits_for == "training in 1 s if quiet"
    assert asked(160, weeks_of(1))
    assert not asked(161, weeks_of(1), quiet=False), "what is under way breaks the quiet"
    assert not asked(162, weeks_of(1)), "it begins anew"


def test_a_clock_that_is_set_back_does_not_lengthen_the_wait() -> None:
    asked = Asked()
    assert not asked(10_000, weeks_of(1))
    assert not asked(100, weeks_of(1))
    assert asked(160, weeks_of(1))


def test_a_stream_that_never_rests_gets_its_first_model_too() -> None:
    asked = Asked(every_tile_weeks=10)
    assert not asked(0, weeks_of(9), quiet=False)
    assert asked(0, weeks_of(9, 1), quiet=False)


def test_what_was_asked_for_is_not_asked_for_again_while_it_is_trained() -> None:
    asked, pending = Asked(every_tile_weeks=10), trained(weeks_of(10), at_s=None)
    assert not asked(0, weeks_of(19), pending, quiet=False)
    assert asked(0, weeks_of(20), pending, quiet=False), "it may have become void"
    assert not asked(0, weeks_of(11), pending), "nor at once when it is quiet"
    assert asked(60, weeks_of(11), pending)


def test_a_request_that_became_void_holds_up_the_next_one_for_hours_and_no_longer() -> None:
    asked, first = Asked(quiet_s=0, every_tile_weeks=10), trained(weeks_of(100), at_s=0)
    void = trained(weeks_of(120), at_s=None, asked_s=30 * HOUR_S)
    assert not asked(53 * HOUR_S, weeks_of(121), first, void)
    assert asked.waits_for == "the next training: 1.0 h to go"
    assert asked(54 * HOUR_S, weeks_of(121), first, void), "21 are new to every model"
    assert not asked(54 * HOUR_S, weeks_of(139), first, void, quiet=False)
    assert asked(54 * HOUR_S, weeks_of(140), first, void, quiet=False)


def test_new_labels_are_asked_for_once_while_they_are_trained_on() -> None:
    asked, first = Asked(quiet_s=0), trained(weeks_of(5), at_s=0)
    pending = trained(weeks_of(5), at_s=None, labels=CLC_2024, asked_s=100)
    assert not asked(200, weeks_of(6), first, pending, labels=CLC_2024)
    assert asked(100 + 24 * HOUR_S, weeks_of(6), first, pending, labels=CLC_2024), "it may have become void"


def test_no_first_model_is_asked_for_where_people_order_it() -> None:
    asked = Asked(first=False, quiet_s=0)
    assert not asked(0, weeks_of(10_000))
    assert "`landstream train` orders one" in asked.waits_for
    assert asked(25 * HOUR_S, weeks_of(1, 200), trained(weeks_of(1))), "the ones after it follow the policy"


def test_a_further_model_needs_enough_new_data_and_enough_time() -> None:
    asked, first = Asked(quiet_s=0, every_tile_weeks=10), trained(weeks_of(20), at_s=1000)
    later = 1000 + 24 * HOUR_S
    assert not asked(later, weeks_of(20, 9), first)
    assert asked.waits_for == "the next training: 9 of 10 new tile-weeks"
    assert not asked(later - HOUR_S, weeks_of(20, 10), first)
    assert asked.waits_for == "the next training: 1.0 h to go"
    assert not asked(1000, weeks_of(20), first)
    assert asked.waits_for == "the next training: 0 of 10 new tile-weeks, 24.0 h to go"
    assert asked(later, weeks_of(20, 10), first)
    assert not asked(later, weeks_of(20, 19), first, quiet=False), "its request would be void before it begins"
    assert asked(later, weeks_of(20, 20), first, quiet=False), "a stream that never rests"
    assert not asked(later, weeks_of(20, 10), first, trained(weeks_of(20, 10), at_s=later))


def test_new_data_grow_with_what_is_there_already() -> None:
    asked, first = Asked(quiet_s=0, every_tile_weeks=10, grow_percent=50, at_least_hours=0), trained(weeks_of(100))
    assert not asked(0, weeks_of(100, 49), first)
    assert asked.waits_for == "the next training: 49 of 50 new tile-weeks"
    assert asked(0, weeks_of(100, 50), first)


def test_what_was_trained_on_counts_as_far_as_it_is_still_there() -> None:
    asked, first = Asked(quiet_s=0, every_tile_weeks=10, at_least_hours=0), trained(weeks_of(9))
    assert not asked(0, weeks_of(4, 9), first), "9 are new: of the 9 trained first, 4 are left"
    assert asked(0, weeks_of(4, 10), first)


def test_new_labels_ask_for_a_model_when_it_is_quiet() -> None:
    first = trained(weeks_of(5), at_s=1000)
    asked = Asked()
    assert not asked(1001, weeks_of(5), first, labels=CLC_2024)
    assert asked(1061, weeks_of(5), first, labels=CLC_2024), "neither time nor data are waited for"
    assert not Asked(labels_changed=False, quiet_s=0)(1061, weeks_of(5), first, labels=CLC_2024)
    again = trained(weeks_of(5), at_s=2000, labels=CLC_2024)
    assert not Asked(quiet_s=0)(2001, weeks_of(5), first, again, labels=CLC_2024)
    assert Asked(quiet_s=0)(2001, weeks_of(5), first, again), "the newest model counts"


def test_once_it_trains_when_all_is_done_and_only_then() -> None:
    asked = Asked(once=True, first=False)
    assert not asked(0, weeks_of(1000), quiet=False)
    assert asked(0, weeks_of(1))
    assert asked(0, weeks_of(1), trained(weeks_of(1)))


@pytest.mark.parametrize(
    ("policy", "asked_after_weeks"),
    [
        ({}, [1, 5]),  # 60 tile-weeks each: four weeks more are 240 of 200
        ({"every_tile_weeks": 100}, [1, 3, 6, 8]),  # two weeks would do, but a day must pass after each model
        ({"every_tile_weeks": 1, "grow_percent": 0, "at_least_hours": 0}, [1, 2, 3, 4, 5, 6, 7, 8]),
        ({"first": False}, []),
    ],
)
def test_a_stream_of_eight_weeks_dropped_one_by_one(policy: dict[str, object], asked_after_weeks: list[int]) -> None:
    """A week each ten hours, each a quarter of an hour under way; a training takes two hours; asked each minute."""
    asked, trainings, when = Asked(**policy), list[Training](), list[int]()
    for minute in range(85 * 60):
        now_s, dropped = 60.0 * minute, min(minute // 600 + 1, 8)
        quiet = minute >= 4200 + 15 or minute % 600 >= 15
        weeks = weeks_of(*[60] * (dropped if quiet else dropped - 1))
        pending = [t for t in trainings if t.at_s is None]
        if pending and now_s >= pending[0].asked_s + 2 * HOUR_S:
            trainings[-1] = replace(pending[0], at_s=now_s)
        again = any(t.tile_weeks == trained(weeks).tile_weeks for t in trainings)  # one request for one state
        if weeks and asked(now_s, weeks, *trainings, quiet=quiet) and not again:
            trainings.append(trained(weeks, None, asked_s=now_s))
            when.append(dropped)
    assert when == asked_after_weeks
