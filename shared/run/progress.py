"""How far the job under way has come: told to people, to the log and in metrics."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from prometheus_client import Gauge

from shared.observe.logs import get_logger
from shared.observe.metrics import JOB_LEFT_SECONDS, JOB_LOSS, JOB_STEPS
from shared.run.context import Observer
from shared.run.outcome import Progress

BETWEEN_LINES_S = 60.0
"""Seconds between two lines of the log about one job: a training of a day says some thousand."""


class Pace:
    """Tells how long a job still takes, by how fast it has gone in this process.

    What an earlier process had done already, before the first report, tells nothing of the pace.

    Args:
        clock: seconds, monotonic.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._first: tuple[int, float] | None = None

    def left_s(self, done: int, total: int) -> float | None:
        """Take how far it is; return the seconds that it still takes, or None while nobody knows."""
        now = self._clock()
        if self._first is None or done < self._first[0]:
            self._first = done, now
        first, since = self._first
        if done >= total:
            return 0.0
        return (now - since) * (total - done) / (done - first) if done > first else None


class JobProgress:
    """Takes what a worker says of one job.

    Args:
        stage: name of the stage.
        subject: what people call the job.
        job_id: its name in logs.
        observer: hears each report.
        clock: seconds, monotonic.
    """

    def __init__(
        self, stage: str, subject: str, job_id: str, observer: Observer, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._stage, self._subject, self._observer, self._clock = stage, subject, observer, clock
        self._log = get_logger(stage=stage, product=subject, job=job_id)
        self._pace, self._said_s = Pace(clock), -math.inf
        self._shown: set[tuple[Gauge, tuple[str, ...]]] = set()

    def take(self, said: Progress) -> None:
        """Tell one report on."""
        left_s = self._pace.left_s(said.done, said.total)
        self._observer(self._stage, "progress", self._subject, said.done, said.total, _note(said))
        self._set(JOB_STEPS, "done", said.done)
        self._set(JOB_STEPS, "total", said.total)
        self._set(JOB_LOSS, "training", said.loss)
        self._set(JOB_LOSS, "validation", said.validation)
        self._set(JOB_LEFT_SECONDS, "", left_s)
        now = self._clock()
        # Who names what is counted works for minutes or hours; others are over before a line is of use.
        if said.of and (now - self._said_s >= BETWEEN_LINES_S or said.done >= said.total):
            self._said_s = now
            left = None if left_s is None else round(left_s)
            told = {"loss": said.loss, "validation": said.validation, "left_s": left}
            known = {name: value for name, value in told.items() if value is not None}
            self._log.info("progress", done=said.done, total=said.total, of=said.of, **known)

    def close(self) -> None:
        """Take the job out of the metrics, as it is over: a value that stayed would look like a job that hangs."""
        for gauge, labels in self._shown:
            gauge.remove(*labels)
        self._shown.clear()

    def _set(self, gauge: Gauge, name: str, value: float | None) -> None:
        if value is not None:
            labels = (self._stage, name) if name else (self._stage,)
            gauge.labels(*labels).set(value)
            self._shown.add((gauge, labels))


def _note(said: Progress) -> str:
    """Return what is counted, and how well it goes: `epochs, loss 0.5210, in validation 0.6012`."""
    parts = [said.of]
    if said.loss is not None:
        parts.append(f"loss {said.loss:.4f}")
    if said.validation is not None:
        parts.append(f"in validation {said.validation:.4f}")
    return ", ".join(filter(None, parts))
