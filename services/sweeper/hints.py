"""Hints: events about objects that exist, given again with doubling gaps for as long as their jobs are due."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from services.sweeper.view import Count
from shared.bus import OBJECTS, Bus
from shared.events import HINT_SOURCE, ObjectCreated, make
from shared.observe.metrics import HINTS
from shared.run.context import Context
from shared.stage.declare import AnyStage

FIRST_GAP_S = 2.0
LONGEST_GAP_S = 3600.0
HINTS_A_ROUND = 1000
"""Each is published on its own, in milliseconds: a round stays short whatever is due, and the next one continues."""


@dataclass
class _Hinted:
    again_at: float
    gap_s: float


class Hints:
    """Gives hints of what is due and older than its stage's `grace_s`.

    Args:
        stages: upstream first.
        context: the bus, and the bucket's name.
        grace_s: in place of each stage's own, where given.
        clock: seconds, monotonic.
    """

    def __init__(
        self, stages: Sequence[AnyStage], context: Context, grace_s: float | None, clock: Callable[[], float]
    ) -> None:
        self._stages, self._context, self._grace_s, self._clock = stages, context, grace_s, clock
        self._hinted: dict[tuple[str, str], _Hinted] = {}

    def forget(self, stage: str, job: str) -> None:
        """Forget that a job was hinted: its time comes after the grace, as if it were new."""
        self._hinted.pop((stage, job), None)

    def forget_all(self) -> None:
        """Forget every hint: the bus lost them."""
        self._hinted.clear()

    def give(self, counts: Mapping[str, Count]) -> int:
        """Publish a hint for each source of a due job whose time has come, up to a limit; how many were given."""
        now, keys, alive = self._clock(), set[tuple[str, str]](), set[tuple[str, str]]()
        for stage in self._stages:
            for job in counts[stage.name].due:
                name = (stage.name, job.id)
                alive.add(name)
                grace = stage.grace_s if self._grace_s is None else self._grace_s
                state = self._hinted.setdefault(name, _Hinted(now + grace, FIRST_GAP_S))
                if now >= state.again_at and len(keys) < HINTS_A_ROUND:
                    state.again_at, state.gap_s = now + state.gap_s, min(2 * state.gap_s, LONGEST_GAP_S)
                    keys.add((stage.name, job.key))
        self._hinted = {name: state for name, state in self._hinted.items() if name in alive}
        for stage_name, _ in keys:
            HINTS.labels(stage_name).inc()
        for key in sorted({key for _, key in keys}):
            publish_hint(self._context.bus, self._context.store.bucket, key)
        return len(keys)


def publish_hint(bus: Bus, bucket: str, key: str) -> None:
    """Publish an "object created" event for an object that exists."""
    bus.publish(OBJECTS, key, make(ObjectCreated(bucket, key, 0, ""), HINT_SOURCE))
