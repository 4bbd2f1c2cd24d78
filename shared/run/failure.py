"""Failure records say what ended a job, so that people can act and nothing is tried for ever."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from shared.items.catalogue import Catalogue
from shared.items.ids import canonical
from shared.items.keys import FAILURES
from shared.run.outcome import Failure, Rejected
from shared.stage.declare import Job, Stage
from shared.store import NotFound, Store

MAX_TEXT = 20_000
REMEDY = "read the traceback; after a fix, `landstream requeue` this record"


def make_record(stage: Stage[Any], job: Job, name: str, attempts: int, failure: Failure) -> bytes:
    """Return the JSON of a failure record.

    Args:
        stage: the stage.
        job: the job that failed.
        name: the job's id.
        attempts: how often it was tried.
        failure: how the last attempt ended.
    """
    rejected = failure if isinstance(failure, Rejected) else None
    unit = job.delivery.unit if job.delivery else None
    return canonical(
        {
            "id": name,
            "stage": stage.name,
            "stage_version": stage.version,
            "job": name,
            "input": job.input_name,
            "inputs": [source.item.id for source in job.inputs],
            "collection": job.collection,
            "week": job.week,
            "unit": unit and unit.name,
            "receipt": unit and unit.receipt_id,
            "attempts": attempts,
            "error_class": failure.error_class,
            "message": failure.message[:MAX_TEXT],
            "file": rejected.file if rejected else job.input_name,
            "fault": (rejected.fault if rejected else failure.message)[:MAX_TEXT],
            "remedy": rejected.remedy if rejected else REMEDY,
            "broken": rejected is not None and rejected.broken,
            "traceback": failure.traceback[-MAX_TEXT:],
        }
    )


def standing_failures(store: Store, catalogue: Catalogue) -> Iterator[dict[str, Any]]:
    """Yield the failure records that stand, by key: a record is void once its job's output exists."""
    for key in store.keys(FAILURES):
        with suppress(NotFound):  # requeued since the listing
            record: dict[str, Any] = json.loads(store.get(key))
            if not _is_void(record, catalogue):
                yield record


def _is_void(record: dict[str, Any], catalogue: Catalogue) -> bool:
    collection, week = record.get("collection"), record.get("week")
    if not collection or not week:  # a landing unit: only the result would tell
        return False
    return catalogue.has_output(collection, week, str(record["id"]))
