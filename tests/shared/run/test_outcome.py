"""What an exception of a stage means to the runner, and what the record says of it."""

from __future__ import annotations

import json

import pytest

from shared.run.failure import MAX_TEXT, REMEDY, make_record
from shared.run.outcome import Failed, Later, Rejected, outcome_of
from shared.stage import BrokenPicture, Job, RejectScene, RetryLater, Source
from tests.catalogues import WEEK, scene
from tests.shared.run.fake import STAGE


def raised(error: Exception) -> Later | Rejected | Failed:
    """The outcome of an exception that was raised, so that it has a traceback."""
    try:
        raise error
    except Exception as caught:
        return outcome_of(caught)


def test_what_is_not_ready_is_tried_later() -> None:
    assert raised(RetryLater("the server starts")) == Later("the server starts")
    assert raised(RetryLater()) == Later("shared.stage.declare.RetryLater")


@pytest.mark.parametrize(("kind", "broken"), [(RejectScene, False), (BrokenPicture, True)])
def test_a_refusal_names_file_fault_and_remedy(kind: type[RejectScene], broken: bool) -> None:
    found = raised(kind("B02.jp2", "is torn", "deliver it again"))
    assert isinstance(found, Rejected)
    assert (found.file, found.fault, found.remedy) == ("B02.jp2", "is torn", "deliver it again")
    assert found.broken == broken
    assert found.message == "B02.jp2: is torn; deliver it again"
    assert found.error_class == f"shared.stage.declare.{kind.__name__}"
    assert "test_outcome.py" in found.traceback


def test_everything_else_is_unexpected() -> None:
    found = raised(KeyError("surprise"))
    assert isinstance(found, Failed)
    assert (found.error_class, found.message) == ("builtins.KeyError", "'surprise'")
    assert "in raised" in found.traceback
    assert raised(ValueError()).message == "builtins.ValueError"  # type: ignore[union-attr]


def test_lone_surrogates_are_written_out() -> None:
    found = raised(RejectScene("a\udcff.jp2", "b\ud800", "c"))
    assert isinstance(found, Rejected)
    assert (found.file, found.fault) == ("a\\udcff.jp2", "b\\ud800")
    found.traceback.encode()
    assert raised(ValueError("\udcff")).message == "\\udcff"  # type: ignore[union-attr]


def test_a_record_says_what_people_need() -> None:
    source = scene("a", 500)
    job = Job("cloud-masks", "a", WEEK, (Source(source),))
    record = json.loads(make_record(STAGE, job, "a--01234567", 1, Rejected("f", "fault", "remedy", broken=True)))
    assert (record["file"], record["fault"], record["remedy"], record["broken"]) == ("f", "fault", "remedy", True)
    assert record["inputs"] == [source.id]
    assert (record["input"], record["collection"], record["week"]) == (source.id, "cloud-masks", WEEK)
    assert (record["unit"], record["receipt"]) == (None, None)
    failed = json.loads(make_record(STAGE, job, "a--01234567", 3, Failed("m.E", "x" * MAX_TEXT * 2, "t")))
    assert (failed["file"], failed["remedy"], failed["broken"], failed["attempts"]) == (source.id, REMEDY, False, 3)
    assert len(failed["message"]) == len(failed["fault"]) == MAX_TEXT
