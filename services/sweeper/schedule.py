"""When to train: a pure function of the weeks, the requests so far, and the time."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Sequence

from shared.area import Area
from shared.items.item import Item
from shared.items.properties import RequestFacts
from shared.items.summary import TRAINED_ON, WeekSummary


class TrainingSchedule:
    """When to train: once the stream is quiet for a while, and as it flows after so many new tile-weeks.

    Args:
        area: the study area, whose policy says both.
        once: train when the stream is quiet, at once, and only then.
        clock: seconds, monotonic.
    """

    def __init__(self, area: Area, once: bool = False, clock: Callable[[], float] = time.monotonic) -> None:
        self._every = math.inf if once else area.policy.every
        self._quiet_s, self._clock = 0.0 if once else area.policy.quiet_s, clock
        self._quiet_since: float | None = None

    def decide(self, summaries: Sequence[WeekSummary], requests: Iterable[Item], quiet: bool) -> bool:
        """Return whether to train now.

        Args:
            summaries: of all weeks, as they are now.
            requests: the training requests so far.
            quiet: nothing upstream of the cube is due.
        """
        self._quiet_since = (self._quiet_since or self._clock()) if quiet else None
        if self._quiet_since is not None and self._clock() - self._quiet_since >= self._quiet_s:
            return True
        return tile_weeks(summaries) - trained_tile_weeks(summaries, requests) >= self._every

    @property
    def quiet_left_s(self) -> float | None:
        """Seconds after which it trains if nothing arrives; None while something is due."""
        if self._quiet_since is None:
            return None
        return max(0.0, self._quiet_s - (self._clock() - self._quiet_since))


def tile_weeks(summaries: Iterable[WeekSummary]) -> int:
    """Return how many tiles of a week training would read, counted once for each update."""
    return sum(s.tile_weeks.get(sensor, 0) for s in summaries for sensor in TRAINED_ON)


def trained_tile_weeks(summaries: Iterable[WeekSummary], requests: Iterable[Item]) -> int:
    """Return the tile-weeks of the largest request so far, as far as its weeks still hold them."""
    present = {s.week: tile_weeks([s]) for s in summaries}

    def still_there(request: Item) -> int:
        trained = RequestFacts.of(request).tile_weeks
        return sum(min(count, present.get(week, 0)) for week, count in trained.items())

    return max(map(still_there, requests), default=0)


def nothing_to_train_on(summaries: Iterable[WeekSummary], labels: Sequence[Item]) -> str | None:
    """Return why there is nothing to train on; None = there is."""
    if not labels:
        return "no labels: nothing to train on"
    if not any(s.digests.get(sensor) for s in summaries for sensor in TRAINED_ON):
        return "no Sentinel-2 scene of the area's level with clear land: nothing to train on"
    return None
