"""When to train: a pure function of the weeks, the models so far, and the time."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from shared.area.training import TrainingPolicy
from shared.items.item import Item
from shared.items.summary import COUNTED, WeekSummary


class Decision(NamedTuple):
    """Whether to train now.

    Attributes:
        now: it is.
        waits_for: for people, what it waits for otherwise.
    """

    now: bool
    waits_for: str


@dataclass(frozen=True)
class Training:
    """A training that was asked for. Times are seconds since the epoch, by the store's clock.

    Attributes:
        asked_s: when it was asked for.
        at_s: when its model was published; None = there is none yet, and may never be: what came into the cube
            meanwhile may have made the request void.
        tile_weeks: week -> tiles of it that training read, counted once for each update.
        labels: ids of the label rasters.
    """

    asked_s: float
    at_s: float | None
    tile_weeks: Mapping[str, int]
    labels: frozenset[str]


class TrainingSchedule:
    """When to train, by an area's policy.

    Args:
        policy: of the area.
        once: train when the stream is quiet, at once, and only then.
    """

    def __init__(self, policy: TrainingPolicy, once: bool = False) -> None:
        self._policy, self._once = policy, once
        self._quiet_since_s: float | None = None

    def decide(
        self,
        summaries: Sequence[WeekSummary],
        labels: Collection[str],
        trainings: Sequence[Training],
        quiet: bool,
        now_s: float,
    ) -> Decision:
        """Return whether a model of what the cube holds is to be asked for now.

        Args:
            summaries: of all weeks, as they are now.
            labels: ids of the current label rasters.
            trainings: those so far.
            quiet: nothing upstream of the cube is due.
            now_s: seconds since the epoch.
        """
        # A clock that was set back must not lengthen the wait.
        since_s = now_s if self._quiet_since_s is None else min(now_s, self._quiet_since_s)
        self._quiet_since_s = since_s if quiet else None
        if self._once:
            return Decision(quiet, "training, once nothing else is due")
        left_s = max(0.0, self._policy.quiet_s - (now_s - since_s))
        settled = Decision(quiet and left_s <= 0, f"training in {left_s:.0f} s if quiet")
        models = [t for t in trainings if t.at_s is not None]
        # What was asked for and not trained holds up a stream that flows, or each look would ask anew.
        unasked = tile_weeks(summaries) - trained_tile_weeks(summaries, trainings)
        if not models:
            if not self._policy.first:
                return Decision(False, "no model yet: `landstream train` orders one (train.first is false)")
            return Decision(True, "") if unasked >= self._policy.every_tile_weeks else settled
        if self._policy.labels_changed and self._are_new(frozenset(labels), trainings, now_s):
            return settled
        known = trained_tile_weeks(summaries, models)
        needed = max(self._policy.every_tile_weeks, math.ceil(known * self._policy.grow_percent / 100))
        lacks = self._lacks(tile_weeks(summaries) - known, needed, now_s - max(map(_last_s, trainings)))
        if lacks:
            return Decision(False, f"the next training: {', '.join(lacks)}")
        return Decision(True, "") if unasked >= 2 * needed else settled

    def _are_new(self, labels: frozenset[str], trainings: Sequence[Training], now_s: float) -> bool:
        """Return whether the newest model is of other labels, and none of these was asked for just now."""
        newest = max(trainings, key=lambda t: t.at_s or 0.0)
        pending = (t for t in trainings if t.at_s is None and t.labels == labels)
        hold_s = 3600 * self._policy.at_least_hours
        return newest.labels != labels and all(now_s - t.asked_s >= hold_s for t in pending)

    def _lacks(self, new: int, needed: int, since_s: float) -> list[str]:
        """Return what lacks to ask for a further model.

        Args:
            new: tile-weeks that no model was trained on.
            needed: as many as are needed.
            since_s: seconds since a model was asked for or published.
        """
        left_h = self._policy.at_least_hours - since_s / 3600
        lacks = [f"{new} of {needed} new tile-weeks"] if new < needed else []
        return lacks + ([f"{left_h:.1f} h to go"] if left_h > 0 else [])


def _last_s(training: Training) -> float:
    return max(training.asked_s, training.at_s or 0.0)


def tile_weeks(summaries: Iterable[WeekSummary]) -> int:
    """Return how many tiles of a week training would read, counted once for each update."""
    return sum(s.tile_weeks.get(sensor, 0) for s in summaries for sensor in COUNTED)


def trained_tile_weeks(summaries: Iterable[WeekSummary], trainings: Iterable[Training]) -> int:
    """Return the tile-weeks of the largest training so far, as far as its weeks still hold them."""
    present = {s.week: tile_weeks([s]) for s in summaries}

    def still_there(training: Training) -> int:
        return sum(min(count, present.get(week, 0)) for week, count in training.tile_weeks.items())

    return max(map(still_there, trainings), default=0)


def nothing_to_train_on(summaries: Iterable[WeekSummary], labels: Sequence[Item]) -> str | None:
    """Return why there is nothing to train on; None = there is."""
    if not labels:
        return "no labels: nothing to train on"
    if not any(s.digests.get(sensor) for s in summaries for sensor in COUNTED):
        return "no Sentinel-2 scene of the area's level with clear land: nothing to train on"
    return None
