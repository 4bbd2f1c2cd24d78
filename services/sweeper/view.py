"""What the sweep keeps of what it saw: numbers and names, never the items."""

from __future__ import annotations

from dataclasses import dataclass, field

from shared.items.item import Item
from shared.items.summary import WeekSummary
from shared.stage.declare import AnyStage
from shared.stage.due import DueJob


@dataclass(frozen=True)
class Open:
    """A planned job without an output.

    Attributes:
        stage: the stage.
        id: the job's id.
        key: the object whose event leads to the job.
        week: the job's week.
    """

    stage: str
    id: str
    key: str
    week: str


@dataclass
class View:
    """What one week, `static`, or one landing unit looked like.

    Attributes:
        token: digest of what it was planned from.
        done: stage -> jobs with an output.
        open: jobs without one, due or failed.
        summary: of a week with cube updates.
        asked: product -> ids of its items whose pictures were found broken.
    """

    token: str = ""
    done: dict[str, int] = field(default_factory=dict)
    open: list[Open] = field(default_factory=list)
    summary: WeekSummary | None = None
    asked: dict[str, frozenset[str]] = field(default_factory=dict)


@dataclass
class Count:
    """A stage's jobs: done, due, failed."""

    done: int = 0
    due: list[Open] = field(default_factory=list)
    failed: int = 0


def open_job(stage: AnyStage, job: DueJob) -> Open:
    """Return what the sweep keeps of a job without an output."""
    week = job.job.week or (job.source.week if isinstance(job.source, Item) else "")
    return Open(stage.name, job.id, job.source.key, week)
