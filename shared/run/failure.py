"""Failure records: what ended a job, so that people can act and nothing is tried for ever."""

from __future__ import annotations

from typing import Any

from shared.items.keys import LandingUnit, canonical
from shared.stage.declare import Job, Stage

MAX_TEXT = 20_000


def make_record(stage: Stage, job: Job, name: str, attempts: int, answer: dict[str, Any]) -> bytes:
    """The JSON of a failure record.

    Args:
        stage: the stage.
        job: the job that failed.
        name: the job's id.
        attempts: how often it was tried.
        answer: the worker's error answer (class, message, traceback; file, fault and remedy of a refusal).
    """
    unit: LandingUnit | None = job.unit
    subject = f"landing/{unit.name}" if unit else job.inputs[0].item.id if job.inputs else job.product
    return canonical(
        {
            "id": name,
            "stage": stage.name,
            "stage_version": stage.version,
            "job": name,
            "input": subject,
            "unit": unit and unit.name,
            "receipt": unit and unit.receipt_id,
            "attempts": attempts,
            "error_class": answer["class"],
            "message": _clean(answer["message"])[:MAX_TEXT],
            "file": _clean(answer.get("file", subject)),
            "fault": _clean(answer.get("fault", answer["message"]))[:MAX_TEXT],
            "remedy": _clean(answer.get("remedy", "read the traceback; after a fix, `landstream requeue` this record")),
            "traceback": _clean(answer.get("traceback", ""))[-MAX_TEXT:],
        }
    )


def _clean(text: str) -> str:
    """Text that is safe to store as UTF-8: names in archives may hold lone surrogates."""
    return text.encode("utf-8", "backslashreplace").decode()
