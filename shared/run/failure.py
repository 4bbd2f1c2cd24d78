"""Failure records say what ended a job, so that people can act and nothing is tried for ever."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic_core import from_json

from shared.items.catalogue import Catalogue
from shared.items.ids import canonical
from shared.items.keys import DISMISSED, FAILURES, check_key, failure_key, items_prefix, receipt_key
from shared.items.products import FETCH, answered_key, standing
from shared.run.landed import unit_of
from shared.run.outcome import Failure, Rejected
from shared.stage.declare import AnyStage, Job
from shared.store import NotFound, Store

MAX_TEXT = 20_000
REMEDY = "read the traceback; after a fix, `landstream requeue` this record"


def make_record(stage: AnyStage, job: Job, name: str, attempts: int, failure: Failure) -> bytes:
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


class BadRecord(ValueError):
    """Raised when bytes below `failures/` are not a failure record: something else wrote them, or they are damaged."""


def parse_record(data: bytes, key: str) -> dict[str, Any]:
    """Return the failure record of a key; what it names can be looked up.

    Raises:
        BadRecord: it is not the record of a job.
    """
    try:
        record: dict[str, Any] = from_json(data)
        named = [
            record["stage"],
            record["id"],
            *(record.get(n) or "" for n in ("collection", "week", "unit", "receipt")),
        ]
        if not all(isinstance(name, str) for name in named):
            raise TypeError("a name is not text")
        stage, job, collection, week, unit, receipt = named
        if failure_key(stage, job) != key:
            raise ValueError(f"says that it is {failure_key(stage, job)}")
        if collection and week:
            check_key(f"{items_prefix(collection, week)}{job}")
        if receipt:
            receipt_key(unit, receipt)
    except (ValueError, TypeError, KeyError) as error:
        raise BadRecord(f"not a failure record: {type(error).__name__} {str(error)[:200]}") from error
    return record


def read_records(store: Store, foreign: dict[str, str]) -> Iterator[dict[str, Any]]:
    """Yield the failure records, by key.

    Args:
        store: where they lie.
        foreign: receives key -> why of what is not one; it is left alone.
    """
    for key in store.keys(FAILURES):
        if key.endswith(DISMISSED):
            continue
        try:
            record = parse_record(store.get(key), key)
        except NotFound:
            continue  # requeued since the listing
        except BadRecord as error:
            foreign[key] = str(error)
            continue
        yield record


def standing_failures(store: Store, catalogue: Catalogue, foreign: dict[str, str]) -> Iterator[dict[str, Any]]:
    """Yield the failure records that stand, by key: those that are neither void nor dismissed.

    A record is void once its job's output exists. That of a landing unit is void once the unit, as it was then, is gone
    from `landing/`: taken away, or delivered again. That of a fetch is void once its product came, or its search was
    answered. A dismissed record keeps its job from being due, and is counted no more.

    Args:
        store: where they lie.
        catalogue: what exists.
        foreign: see `read_records`.
    """
    dismissed = dismissed_records(store)
    records = (record for record in read_records(store, foreign) if record_key(record) not in dismissed)
    return (record for record in records if not is_void(record, store, catalogue))


def record_key(record: Mapping[str, Any]) -> str:
    """Return the key of a failure record."""
    return failure_key(str(record["stage"]), str(record["id"]))


def dismissed_records(store: Store) -> frozenset[str]:
    """Return the keys of the failure records that were dismissed."""
    return frozenset(f"{k.removesuffix(DISMISSED)}.json" for k in store.keys(FAILURES) if k.endswith(DISMISSED))


def is_void(record: Mapping[str, Any], store: Store, catalogue: Catalogue) -> bool:
    """Return whether a failure record says nothing of what is there now; see `standing_failures`."""
    collection, week, unit = record.get("collection"), record.get("week"), record.get("unit")
    if record["stage"] == FETCH:
        return is_fetch_void(record, store)
    if unit and record.get("receipt"):
        found = unit_of(store, str(unit))
        return found is None or found.receipt_id != record["receipt"]
    if not collection or not week:  # it could not even be put into landing/
        return False
    return catalogue.has_output(str(collection), str(week), str(record["id"]))


def is_fetch_void(record: Mapping[str, Any], store: Store) -> bool:
    """Return whether a product came after all, or a search was answered since; fetching itself deletes no record."""
    if record.get("collection") and record.get("week"):
        found = standing(store, str(record["collection"]), str(record["week"]), str(record["input"]))
        return found is None or found.state != "failed"
    try:
        answered = store.head(answered_key(str(record["id"])))
        return answered.modified_s >= store.head(record_key(record)).modified_s
    except NotFound:
        return False
