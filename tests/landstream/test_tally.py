"""Counts, shares and the time that is left, of a stream whose clock is ours."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from landstream.tally import Tally, duration, lines_of, said_of
from services.sweeper.view import Count, Open

FEEDING = ["ingest", "cloudmask", "tiler"]


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def tally(clock: Clock) -> Tally:
    return Tally(FEEDING, clock)


def due(stage: str, *units: str) -> Count:
    return Count(0, [Open(stage, unit, f"landing/{unit}", "") for unit in units])


def do(tally: Tally, clock: Clock, stage: str, subject: str, seconds: float) -> None:
    tally.observe(stage, "start", subject)
    clock.now += seconds
    tally.observe(stage, "done", subject)


def test_done_of_known(tally: Tally, clock: Clock) -> None:
    tally.expect({"ingest": due("ingest", "a", "b", "c")})
    do(tally, clock, "ingest", "a", 2.0)
    ingest = tally.stages["ingest"]
    assert (ingest.done, ingest.due, ingest.known) == (1, 2, 3)
    tally.expect({"ingest": due("ingest", "b", "c", "d")})
    assert ingest.known == 4
    assert said_of(tally.stages) == "ingest 1"


def test_failures_are_those_that_stand(tally: Tally) -> None:
    tally.observe("ingest", "start", "a")
    tally.observe("ingest", "failed", "a", note="a: is empty")
    assert tally.stages["ingest"].failed == 1
    tally.expect({"ingest": due("ingest", "a")})  # requeued
    assert (tally.stages["ingest"].failed, tally.stages["ingest"].due) == (0, 1)


def test_stages_without_work_are_not_shown(tally: Tally) -> None:
    tally.expect({"ingest": Count(done=5), "tiler": Count(failed=1)})
    assert list(tally.stages) == ["tiler"]


def test_the_time_that_is_left_is_that_of_the_slowest_stage(tally: Tally, clock: Clock) -> None:
    tally.expect({"ingest": due("ingest", *"abcd")})
    assert tally.left() == ""  # nobody knows how long one takes
    do(tally, clock, "ingest", "a", 10.0)
    assert tally.left() == "about 30 s to the cube"
    tally.expect({"ingest": due("ingest", *"bcd"), "cloudmask": due("cloudmask", "a")})
    do(tally, clock, "cloudmask", "a", 60.0)
    # Three more deliveries bring three more masks.
    assert tally.left() == "about 3 min to the cube"


def test_a_share_tells_how_long_the_job_takes(tally: Tally, clock: Clock) -> None:
    tally.expect({"trainer": due("trainer", "r")})
    tally.observe("trainer", "start", "model")
    clock.now += 30
    tally.observe("trainer", "progress", "model", 6, 24, "epochs")
    assert tally.left() == "about 2 min to the model"
    assert tally.stages["trainer"].under_way == "model 6 of 24 epochs"
    tally.observe("trainer", "progress", "model", 6, 24)
    assert tally.stages["trainer"].under_way == "model 25 %"


def test_a_job_that_goes_on_is_timed_by_what_was_done_since(tally: Tally, clock: Clock) -> None:
    tally.expect({"trainer": due("trainer", "r")})
    tally.observe("trainer", "start", "model")
    clock.now += 20
    tally.observe("trainer", "progress", "model", 18, 24, "epochs")
    clock.now += 30
    tally.observe("trainer", "progress", "model", 19, 24, "epochs, loss 0.5210")
    assert tally.left() == "about 2 min to the model"
    assert lines_of(tally) == ["50 s elapsed; trainer 0 of 1 (19 of 24 epochs, loss 0.5210); about 2 min to the model"]


def test_what_arrives_is_told_until_it_is_whole_or_gone(tally: Tally) -> None:
    tally.observe("ingest", "later", "a.SAFE", note="12 of 30 files are there")
    tally.observe("tiler", "later", "b", note="the cube moved")
    assert tally.arriving == {"a.SAFE": "12 of 30 files are there"}
    tally.expect({"ingest": due("ingest", "a.SAFE/manifest.safe")})
    assert list(tally.arriving) == ["a.SAFE"]
    tally.expect({"ingest": Count()})
    assert not tally.arriving
    tally.observe("ingest", "later", "a.SAFE", note="")
    tally.observe("ingest", "start", "a.SAFE")
    assert not tally.arriving


def test_the_line_of_a_log(tally: Tally, clock: Clock) -> None:
    assert lines_of(tally) == []
    tally.expect({"ingest": due("ingest", *"abcd")})
    do(tally, clock, "ingest", "a", 100.0)
    assert lines_of(tally) == ["2 min elapsed; ingest 1 of 4; about 5 min to the cube"]


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.4, "0 s"), (37, "37 s"), (89, "89 s"), (95, "2 min"), (3540, "59 min"), (4800, "1 h 20 min")],
)
def test_durations(seconds: float, said: str) -> None:
    assert duration(seconds) == said
