"""The gauges of a whole stream, which the sweeper alone can see."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

from services.sweeper.measures import Measures
from services.sweeper.schedule import Training, tile_weeks, trained_tile_weeks
from services.sweeper.view import Count
from shared.items.summary import WeekSummary
from shared.items.tiles import MSI
from shared.observe import metrics


class Gauges:
    """Sets what is told of a stream as a whole.

    Args:
        clock: seconds, monotonic.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._since: dict[tuple[str, str], float] = {}

    def tell_due(self, counts: Mapping[str, Count]) -> None:
        """Tell how long each stage's oldest due job has been due, as this process saw it."""
        now = self._clock()
        due = {(stage, job.id) for stage, count in counts.items() for job in count.due}
        self._since = {job: self._since.get(job, now) for job in due}
        for stage in counts:
            since = min((moment for (name, _), moment in self._since.items() if name == stage), default=now)
            metrics.OLDEST_DUE.labels(stage).set(now - since)

    def tell_measures(self, measures: Measures) -> None:
        """Tell freshness, arrivals and bytes; what is not known yet stays untold."""
        if measures.freshness_s is not None:
            metrics.FRESHNESS.labels(MSI).set(measures.freshness_s)
        for collection, size in measures.bytes.items():
            metrics.BYTES.labels(collection).set(size)
        for sensor, moment in measures.arrived.items():
            metrics.LAST_ARRIVAL.labels(sensor).set(moment)
        metrics.MAPPING_BACKLOG.labels(MSI).set(measures.unmapped)

    def tell_training(self, summaries: Sequence[WeekSummary], trainings: Sequence[Training]) -> None:
        """Tell how much came into the cube since the training that saw most of it."""
        backlog = tile_weeks(summaries) - trained_tile_weeks(summaries, trainings)
        metrics.TRAINING_BACKLOG.labels(MSI).set(backlog)
