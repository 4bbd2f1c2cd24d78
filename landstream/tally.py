"""What a running stream has done, has still to do and waits for: counts and durations, without a screen."""

from __future__ import annotations

import statistics
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from services.sweeper.view import Count
from shared.items.landing import PREFIX

REMEMBERED = 20
"""Jobs of a stage whose durations tell how long the next ones take."""


@dataclass
class StageTally:
    """One stage.

    Attributes:
        done: jobs that ended in a result, in this run.
        failed: failure records that stand, as far as was looked.
        due: jobs that wait, the one under way among them.
        subject: of the job under way; empty if there is none.
        share: (done, total, of what) of that job.
        began: when it began, in seconds of the tally's clock.
        first: (done, seconds of the clock) of its first report: what an earlier run did tells nothing of the pace.
        seconds: how long the last jobs took.
    """

    done: int = 0
    failed: int = 0
    due: int = 0
    subject: str = ""
    share: tuple[int, int, str] = (0, 0, "")
    began: float = 0.0
    first: tuple[int, float] | None = None
    seconds: deque[float] = field(default_factory=lambda: deque(maxlen=REMEMBERED))

    @property
    def known(self) -> int:
        """Jobs of this run that are done or known to be due."""
        return self.done + self.due

    @property
    def under_way(self) -> str:
        """What it works on and how far it is."""
        done, total, of = self.share
        if not total:
            return self.subject
        return f"{self.subject} {done} of {total} {of}" if of else f"{self.subject} {100 * done // total} %"

    def left_s(self, more: float, now: float) -> float | None:
        """Return the seconds that its jobs still take; None if nobody knows yet.

        Args:
            more: jobs that stages before it will bring.
            now: seconds of the tally's clock.
        """
        jobs = self.due + more
        if not jobs:
            return 0.0
        done, total, _ = self.share
        since = self.first if self.first and done > self.first[0] else (0, self.began)
        if self.subject and total and done:
            current = (now - since[1]) * (total - done) / (done - since[0])
            rest = jobs - 1
        else:
            current, rest = 0.0, jobs
        if rest <= 0:
            return current
        return current + rest * statistics.fmean(self.seconds) if self.seconds else None


class Tally:
    """All stages of a run.

    Args:
        feeding: names of the stages that feed the cube, the first of them the one that reads `landing/`.
        clock: seconds, monotonic.
    """

    def __init__(self, feeding: Collection[str], clock: Callable[[], float]) -> None:
        self._feeding, self._clock = list(feeding), clock
        self._started = clock()
        self.stages: dict[str, StageTally] = {}
        self.waits: list[str] = []
        self.arriving: dict[str, str] = {}
        """Landing units that are not whole yet, and what is there of them."""

    @property
    def elapsed_s(self) -> float:
        """Seconds since the run began."""
        return self._clock() - self._started

    def observe(self, stage: str, state: str, subject: str, done: int = 0, total: int = 0, note: str = "") -> None:
        """Take one report of a stage; see `shared.run.context.Observer`."""
        tally = self.stages.setdefault(stage, StageTally())
        if stage in self._feeding[:1]:
            self.arriving.pop(subject, None)
            if state == "later":
                self.arriving[subject] = note
        if state == "progress":
            if tally.first is None or done < tally.first[0]:
                tally.first = done, self._clock()
            tally.subject, tally.share = subject, (done, total, note)
            return
        if state == "start":
            tally.subject, tally.share, tally.began, tally.first = subject, (0, 0, ""), self._clock(), None
            return
        if tally.subject == subject:
            tally.subject, tally.share = "", (0, 0, "")
            tally.due = max(0, tally.due - 1)
            if state == "done":
                tally.seconds.append(self._clock() - tally.began)
        if state == "done":
            tally.done += 1
        elif state == "failed":
            tally.failed += 1

    def expect(self, counts: Mapping[str, Count]) -> None:
        """Take what the last look found: what is due, and which failures stand."""
        due = [job.key for name in self._feeding[:1] if name in counts for job in counts[name].due]
        here = {key.removeprefix(PREFIX).split("/")[0] for key in due}
        self.arriving = {unit: why for unit, why in self.arriving.items() if unit in here}
        for name, count in counts.items():
            if count.due or count.failed or name in self.stages:
                tally = self.stages.setdefault(name, StageTally())
                tally.due, tally.failed = len(count.due), count.failed

    def left(self) -> str:
        """Return how long it takes still, and to what; empty if nobody knows."""
        for goal, names in (("the cube", self._feeding), ("the model", ["trainer"]), ("the last map", ["inference"])):
            found = [self._left_s(name) for name in names if name in self.stages]
            if any(seconds is None for seconds in found):
                return ""
            # The stages work side by side: the slowest one tells.
            if longest := max((s for s in found if s is not None), default=0.0):
                return f"about {duration(longest)} to {goal}"
        return ""

    def _left_s(self, name: str) -> float | None:
        return self.stages[name].left_s(self._coming(name), self._clock())

    def _coming(self, name: str) -> float:
        """Return how many jobs the deliveries that are not registered yet will bring to a stage, by those before."""
        first = self.stages.get(self._feeding[0]) if self._feeding else None
        if first is None or name == self._feeding[0] or name not in self._feeding or not first.done:
            return 0.0
        return first.due * min(1.0, self.stages[name].known / first.done)


def duration(seconds: float) -> str:
    """Return a duration as people say it: `37 s`, `4 min`, `1 h 20 min`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def said_of(stages: Mapping[str, StageTally]) -> str:
    """Return what the stages did, in one line: `ingest 6, tiler 6`."""
    return ", ".join(f"{name} {tally.done}" for name, tally in stages.items() if tally.done)


def lines_of(tally: Tally) -> Sequence[str]:
    """Return the one line of a log that says how things stand, or none where nothing is known."""
    parts = [f"{name} {t.done} of {t.known}{_counted(t)}" for name, t in tally.stages.items() if t.due]
    if not parts:
        return []
    return ["; ".join(filter(None, [f"{duration(tally.elapsed_s)} elapsed", ", ".join(parts), tally.left()]))]


def _counted(tally: StageTally) -> str:
    """Return how far the job under way is, where it says what it counts: ` (6 of 24 epochs, loss 0.5210)`."""
    done, total, of = tally.share
    return f" ({done} of {total} {of})" if of and total else ""
