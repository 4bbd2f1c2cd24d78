"""When to train."""

from __future__ import annotations

from services.sweeper.schedule import TrainingSchedule, nothing_to_train_on
from shared.items.item import Item
from shared.items.summary import WeekSummary, current_labels, summaries
from tests.catalogues import AREA, catalogue_of, chain, labels, make, request, scene

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


def request_for(summaries: list[WeekSummary]) -> Item:
    return request("f" * 64, {}, {s.week: s.tile_weeks["msi"] for s in summaries})


def schedule(now: list[float], every: int = 10, quiet_s: float = 60, once: bool = False) -> TrainingSchedule:
    policy = AREA.policy.model_copy(update={"every": every, "quiet_s": quiet_s})
    return TrainingSchedule(AREA.model_copy(update={"policy": policy}), once, lambda: now[0])


def test_it_trains_after_a_while_of_quiet() -> None:
    now = [100.0]
    when = schedule(now)
    assert not when.decide(weeks_of(1), [], quiet=True)
    now[0] = 159
    assert not when.decide(weeks_of(1), [], quiet=True)
    now[0] = 160
    assert when.decide(weeks_of(1), [], quiet=True)
    assert not when.decide(weeks_of(1), [], quiet=False), "what is under way breaks the quiet"
    assert not when.decide(weeks_of(1), [], quiet=True), "it begins anew"


def test_it_trains_after_so_many_new_tile_weeks_of_what_training_reads() -> None:
    when = schedule([0.0])
    assert not when.decide(weeks_of(9), [], quiet=False)
    assert when.decide(weeks_of(9, 1), [], quiet=False)
    trained = [request_for(weeks_of(9, 1))]
    assert not when.decide(weeks_of(9, 10), trained, quiet=False)
    assert when.decide(weeks_of(9, 11), trained, quiet=False)
    assert not when.decide(weeks_of(4, 10), trained, quiet=False), "9 are new: of the 9 trained first, 4 are left"
    assert when.decide(weeks_of(4, 11), trained, quiet=False)


def test_once_it_trains_when_all_is_done_and_only_then() -> None:
    when = schedule([0.0], once=True)
    assert not when.decide(weeks_of(1000), [], quiet=False)
    assert when.decide(weeks_of(1), [], quiet=True)
