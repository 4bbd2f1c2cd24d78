"""What is due: planned, with neither an output nor a failure record. Runner, sweep and status all ask this module."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from shared.items.catalogue import Catalogue
from shared.items.ids import digest8, make_id
from shared.items.item import Item
from shared.items.landing import LandingUnit
from shared.stage.declare import AnyStage, Job, Settings

LANDING = "landing"

JobSource = Item | LandingUnit
"""What a stage plans from."""


class State(StrEnum):
    """Where a planned job stands."""

    DUE = "due"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True)
class DueJob:
    """A planned job with its names and its state, computed once.

    Attributes:
        source: what it was planned from.
        job: the job.
        id: names it in failure records and logs: product and digest, for a landing unit its name and receipt.
        output_id: id of the item that it makes; empty where only the result tells.
        state: whether it is due.
    """

    source: JobSource
    job: Job
    id: str
    output_id: str
    state: State


def job_digest(stage: AnyStage, job: Job, settings: Settings) -> str:
    """Return digest8 of a job's inputs, parameters and result-bearing settings; not of the stage's version."""
    inputs = [[s.item.collection, s.item.id] for s in job.inputs]
    return digest8([stage.name, inputs, dict(job.parameters), settings.result_bearing()])


def examine(stage: AnyStage, source: JobSource, job: Job, settings: Settings, catalogue: Catalogue) -> DueJob:
    """Name a job and say where it stands.

    A failure record is void once the output exists.
    """
    if job.delivery:
        unit, name = job.delivery.unit, job.delivery.job_id
        if catalogue.is_received(unit.name, unit.receipt_id):
            failed = catalogue.is_failed(stage.name, name)
            return DueJob(source, job, name, "", State.FAILED if failed else State.DONE)
        state = State.FAILED if catalogue.is_failed(stage.name, name) else State.DUE
        return DueJob(source, job, name, "", state)
    digest = job_digest(stage, job, settings)
    name, output = f"{job.product}--{digest}", make_id(job.product, stage.version, digest)
    if _is_done(stage, job, digest, catalogue):
        return DueJob(source, job, name, output, State.DONE)
    state = State.FAILED if catalogue.is_failed(stage.name, name) else State.DUE
    return DueJob(source, job, name, output, state)


def _is_done(stage: AnyStage, job: Job, digest: str, catalogue: Catalogue) -> bool:
    """Return whether the output exists, of any stage version unless older ones are to be made again."""
    version = catalogue.output_version(job.collection, job.week, job.product, digest)
    if version is None:
        return False
    return version >= stage.version or version >= catalogue.version_wanted(stage.name, job.week)


def plan_jobs(stage: AnyStage, source: JobSource, catalogue: Catalogue, settings: Settings) -> list[DueJob]:
    """Plan the jobs of one source, each named and examined."""
    jobs = stage.plan(source, catalogue, catalogue.area, settings)
    return [examine(stage, source, job, settings, catalogue) for job in jobs]


def planned(
    stage: AnyStage, sources: Iterable[JobSource], catalogue: Catalogue, settings: Settings
) -> Iterator[DueJob]:
    """Yield every job that a stage plans for some sources, each once."""
    seen, kept = set[str](), dict[int, Job]()
    for source in sources:
        for job in stage.plan(source, catalogue, catalogue.area, settings):
            if id(job) in kept:  # what several sources lead to is named once
                continue
            kept[id(job)] = job
            due = examine(stage, source, job, settings, catalogue)
            if due.id not in seen:
                seen.add(due.id)
                yield due


def sources_of(stage: AnyStage, catalogue: Catalogue, week: str) -> list[Item]:
    """Return the items of a week that the sweep plans a stage's jobs from."""
    consumed = stage.consumes if stage.swept is None else stage.swept
    return [item for collection in consumed if collection != LANDING for item in catalogue.items(collection, week)]
