"""Hint what is due: an event is a hint, the sweep is the truth."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from shared.bus import OBJECTS, Bus
from shared.events import HINT_SOURCE, ObjectCreated, make
from shared.items.catalogue import Catalogue
from shared.items.item import Item
from shared.items.keys import STATIC, LandingUnit, unit_keys
from shared.observe.metrics import DUE, FAILED, HINTS
from shared.run.context import Context
from shared.stage.declare import Stage
from shared.stage.due import Survey, job_id, survey

FIRST_GAP_S = 2.0
LONGEST_GAP_S = 3600.0
HINTS_A_ROUND = 1000
"""Each is published on its own, in milliseconds: a round stays short whatever is due, and the next one goes on."""


@dataclass
class _Hinted:
    since: float
    again_at: float
    gap_s: float


class Sweep:
    """Surveys stages and hints what is due and older than the stage's `grace_s`, with doubling gaps.

    Args:
        stages: the stages, upstream first.
        context: what they work in.
        grace_s: in place of each stage's own, where given.
        clock: seconds, monotonic.

    Attributes:
        whole: whether every week was looked at: before, there may be more that is due.
    """

    def __init__(
        self,
        stages: list[Stage],
        context: Context,
        grace_s: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.stages = stages
        self._context, self._grace_s, self._clock = context, grace_s, clock
        self._hinted: dict[tuple[str, str], _Hinted] = {}
        self._seen: dict[str, dict[str, Survey]] = {}
        self._last = ""
        self._settings = {s.name: s.settings() for s in stages}
        self.whole = False

    def survey(self, catalogue: Catalogue, units: list[LandingUnit], within_s: float = math.inf) -> dict[str, Survey]:
        """What each stage has done, has due and has failed at.

        Args:
            catalogue: as it is now.
            units: the landing units.
            within_s: look at one week after the other for no longer than this; the next call goes on where this one
                ended, and what it does not come to stands as it was seen last.
        """
        begin, area = self._clock(), self._context.area
        # What has no week, and deliveries, come first: they are few.
        weeks = [w for w in catalogue.weeks if w != STATIC]
        later = [w for w in weeks if w > self._last]
        order = [STATIC, *later, *(w for w in weeks if w <= self._last)]
        self._seen = {week: seen for week, seen in self._seen.items() if week in order}
        names: dict[str, set[str]] = {s.name: set() for s in self.stages}
        for week in order:
            arrived = units if week == STATIC else []
            self._seen[week] = {
                s.name: survey(s, catalogue, area, self._settings[s.name], arrived, week, names[s.name])
                for s in self.stages
            }
            if week != STATIC:
                self._last = week
                if self._clock() - begin > within_s:
                    break
        self.whole = len(self._seen) == len(order)
        found = {s.name: self._together(s) for s in self.stages}
        for name, result in found.items():
            DUE.labels(name).set(len(result.due))
            FAILED.labels(name).set(result.failed)
        return found

    def _together(self, stage: Stage) -> Survey:
        """The surveys of all weeks as one; what two weeks lead to is due once."""
        parts = [seen[stage.name] for seen in self._seen.values()]
        due = {job_id(stage, job, self._settings[stage.name]): (source, job) for p in parts for source, job in p.due}
        return Survey(list(due.values()), sum(p.done for p in parts), sum(p.failed for p in parts))

    def due(self, surveys: dict[str, Survey]) -> dict[str, set[str]]:
        """Stage -> ids of its due jobs."""
        return {s.name: {job_id(s, job, self._settings[s.name]) for _, job in surveys[s.name].due} for s in self.stages}

    def forget(self, stage: str, job: str) -> None:
        """Forget that a job was hinted: its time comes after the grace, as if it were new."""
        self._hinted.pop((stage, job), None)

    def forget_all(self) -> None:
        """Forget every hint: the bus lost them."""
        self._hinted.clear()

    def hint(self, surveys: dict[str, Survey]) -> int:
        """Publish a hint for each source of a due job whose time has come, up to a limit; how many were given."""
        now, keys, alive = self._clock(), set[tuple[str, str]](), set[tuple[str, str]]()
        for stage in self.stages:
            for source, job in surveys[stage.name].due:
                name = (stage.name, job_id(stage, job, self._settings[stage.name]))
                alive.add(name)
                grace = stage.grace_s if self._grace_s is None else self._grace_s
                state = self._hinted.setdefault(name, _Hinted(now, now + grace, FIRST_GAP_S))
                if now >= state.again_at and len(keys) < HINTS_A_ROUND:
                    state.again_at, state.gap_s = now + state.gap_s, min(2 * state.gap_s, LONGEST_GAP_S)
                    keys.add((stage.name, source_key(source)))
        self._hinted = {name: state for name, state in self._hinted.items() if name in alive}
        for stage_name, _ in keys:
            HINTS.labels(stage_name).inc()
        for key in sorted({key for _, key in keys}):
            publish_hint(self._context.bus, self._context.store.bucket, key)
        return len(keys)


def source_key(source: Item | LandingUnit) -> str:
    """The key whose event leads to a source's jobs."""
    if isinstance(source, Item):
        return source.key
    return next(iter(unit_keys(source)))[0]


def publish_hint(bus: Bus, bucket: str, key: str) -> None:
    """Publish an "object created" event for an object that exists."""
    bus.publish(OBJECTS, key, make(ObjectCreated(bucket, key, 0, ""), HINT_SOURCE))
