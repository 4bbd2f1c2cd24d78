"""When to train: a pure function of the weeks, the models so far, and the time."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from shared.area.training import TrainingPolicy
from shared.items.item import Item
from shared.items.summary import TRAINED_ON, WeekSummary


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
    """A model, and what it was trained on.

    Attributes:
        at_s: when it was published, by the store's clock, in seconds since the epoch.
        tile_weeks: week -> tiles of it that training read, counted once for each update.
        labels: ids of the label rasters.
    """

    at_s: float
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
            trainings: the models so far.
            quiet: nothing upstream of the cube is due.
            now_s: seconds since the epoch.
        """
        # A clock that was set back must not lengthen the wait.
        since_s = min(now_s, self._quiet_since_s or now_s)
        self._quiet_since_s = since_s if quiet else None
        if self._once:
            return Decision(quiet, "training, once nothing else is due")
        left_s = max(0.0, self._policy.quiet_s - (now_s - since_s))
        settled = Decision(quiet and left_s <= 0, f"training in {left_s:.0f} s if quiet")
        if not trainings:
            if not self._policy.first:
                return Decision(False, "no model yet: `landstream train` orders one (train.first is false)")
            return Decision(True, "") if tile_weeks(summaries) >= self._policy.every_tile_weeks else settled
        newest = max(trainings, key=lambda t: t.at_s)
        if self._policy.labels_changed and newest.labels != frozenset(labels):
            return settled
        lacks = self._lacks(summaries, trainings, now_s - newest.at_s)
        return Decision(not lacks, f"the next training: {', '.join(lacks)}")

    def _lacks(self, summaries: Sequence[WeekSummary], trainings: Sequence[Training], since_s: float) -> list[str]:
        """Return what new data lack to ask for a further model, `since_s` seconds after the last one."""
        known = trained_tile_weeks(summaries, (t.tile_weeks for t in trainings))
        new = tile_weeks(summaries) - known
        needed = max(self._policy.every_tile_weeks, math.ceil(known * self._policy.grow_percent / 100))
        left_h = self._policy.at_least_hours - since_s / 3600
        lacks = [f"{new} of {needed} new tile-weeks"] if new < needed else []
        return lacks + ([f"{left_h:.1f} h to go"] if left_h > 0 else [])


def tile_weeks(summaries: Iterable[WeekSummary]) -> int:
    """Return how many tiles of a week training would read, counted once for each update."""
    return sum(s.tile_weeks.get(sensor, 0) for s in summaries for sensor in TRAINED_ON)


def trained_tile_weeks(summaries: Iterable[WeekSummary], trained: Iterable[Mapping[str, int]]) -> int:
    """Return the tile-weeks of the largest training so far, as far as its weeks still hold them.

    Args:
        summaries: of all weeks, as they are now.
        trained: tile-weeks by week of each training.
    """
    present = {s.week: tile_weeks([s]) for s in summaries}

    def still_there(counts: Mapping[str, int]) -> int:
        return sum(min(count, present.get(week, 0)) for week, count in counts.items())

    return max(map(still_there, trained), default=0)


def nothing_to_train_on(summaries: Iterable[WeekSummary], labels: Sequence[Item]) -> str | None:
    """Return why there is nothing to train on; None = there is."""
    if not labels:
        return "no labels: nothing to train on"
    if not any(s.digests.get(sensor) for s in summaries for sensor in TRAINED_ON):
        return "no Sentinel-2 scene of the area's level with clear land: nothing to train on"
    return None
