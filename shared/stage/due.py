"""What is due: planned, with neither an output nor a failure record. Runner, sweep and status all ask here."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from shared.area import Area
from shared.items.catalogue import Catalogue
from shared.items.item import Item
from shared.items.keys import LandingUnit, digest8, failure_key, make_id, receipt_key
from shared.stage.declare import Job, Settings, Stage

LANDING = "landing"


def job_digest(stage: Stage, job: Job, settings: Settings) -> str:
    """digest8 of a job's inputs, parameters and result-bearing settings; the stage's version is no part of it."""
    inputs = [[s.item.collection, s.item.id] for s in job.inputs]
    return digest8([stage.name, inputs, dict(job.parameters), settings.result_bearing()])


def job_id(stage: Stage, job: Job, settings: Settings) -> str:
    """Names the job in failure records and logs: product and digest, for a landing unit its name and receipt."""
    if job.unit is not None:
        name = re.sub(r"[^A-Za-z0-9._-]", "_", job.unit.name)[:200]
        return f"{name}--{job.unit.receipt_id[:8]}"
    return f"{job.product}--{job_digest(stage, job, settings)}"


def output_id(stage: Stage, job: Job, settings: Settings) -> str:
    """Id of the item that the job makes (not for a landing unit, whose product is unknown before)."""
    return make_id(job.product, stage.version, job_digest(stage, job, settings))


def is_done(stage: Stage, job: Job, settings: Settings, catalogue: Catalogue) -> bool:
    """Whether the job's output exists, of any stage version unless it is to be reprocessed; for a unit: its receipt."""
    if job.unit is not None:
        return receipt_key(job.unit.receipt_id) in catalogue.receipts
    version = catalogue.version_wanted(stage.name, job.week)
    return catalogue.has_output(job.collection, job.product, job_digest(stage, job, settings), version)


def is_failed(stage: Stage, job: Job, settings: Settings, catalogue: Catalogue) -> bool:
    """Whether a failure record stands for the job; it is void once the output exists."""
    failed = failure_key(stage.name, job_id(stage, job, settings)) in catalogue.failures
    return failed and (job.unit is not None or not is_done(stage, job, settings, catalogue))


@dataclass
class Survey:
    """A stage's jobs at one moment."""

    due: list[tuple[Item | LandingUnit, Job]] = field(default_factory=list)
    done: int = 0
    failed: int = 0


def planned(
    stage: Stage,
    catalogue: Catalogue,
    area: Area,
    settings: Any,
    units: list[LandingUnit],
    week: str | None = None,
    seen: set[str] | None = None,
) -> Iterator[tuple[Item | LandingUnit, Job]]:
    """Every job that the stage plans for what is there, each once.

    Args:
        stage: the stage.
        catalogue: as it is now.
        area: the study area.
        settings: the stage's.
        units: the landing units.
        week: plan for items of this week alone; None = for all.
        seen: ids of jobs that are left out; those found are added.
    """
    sources: list[Item | LandingUnit] = list(units) if LANDING in stage.consumes else []
    for collection in stage.consumes:
        if collection != LANDING:
            sources += catalogue.items(collection, week)
    seen = set() if seen is None else seen
    for source in sources:
        for job in stage.plan(source, catalogue, area, settings):
            name = job_id(stage, job, settings)
            if name not in seen:
                seen.add(name)
                yield source, job


def survey(
    stage: Stage,
    catalogue: Catalogue,
    area: Area,
    settings: Any,
    units: list[LandingUnit],
    week: str | None = None,
    seen: set[str] | None = None,
) -> Survey:
    """Count what is done and failed, list what is due; arguments as of `planned`."""
    result = Survey()
    for source, job in planned(stage, catalogue, area, settings, units, week, seen):
        if is_failed(stage, job, settings, catalogue):
            result.failed += 1
        elif is_done(stage, job, settings, catalogue):
            result.done += 1
        else:
            result.due.append((source, job))
    return result


def standing_failures(stages: list[Stage], catalogue: Catalogue) -> list[str]:
    """Keys of the failure records that stand, sorted: a record is void once its job's output exists."""
    published = {s.name: s.publishes for s in stages}

    def is_void(key: str) -> bool:
        _, stage, name = key.split("/")
        product, _, digest = name.removesuffix(".json").rpartition("--")
        return any(catalogue.has_output(c, product, digest) for c in published.get(stage, ()))

    return sorted(key for key in catalogue.failures if not is_void(key))
