"""How far a job has come: to the observer, the log and the metrics."""

from __future__ import annotations

from typing import Any

import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from shared.run.outcome import Progress
from shared.run.progress import JobProgress, Pace


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_the_pace_is_of_what_was_done_since_the_first_report(clock: Clock) -> None:
    pace = Pace(clock)
    assert pace.left_s(18, 24) is None, "an earlier process may have done these"
    clock.now += 30
    assert pace.left_s(18, 24) is None
    assert pace.left_s(20, 24) == 60
    clock.now += 30
    assert pace.left_s(24, 24) == 0
    assert pace.left_s(3, 24) is None, "another count begins"
    clock.now += 7
    assert pace.left_s(4, 24) == 140


def value(name: str, **labels: str) -> float | None:
    return REGISTRY.get_sample_value(name, {"stage": "fake", **labels})


def test_a_training_is_told(clock: Clock) -> None:
    heard: list[tuple[Any, ...]] = []
    progress = JobProgress("fake", "small", "small--01234567", lambda *told: heard.append(told), clock)
    with capture_logs() as said:
        progress.take(Progress(0, 4, "epochs"))
        for epoch in (1, 2, 3):
            clock.now += 40
            progress.take(Progress(epoch, 4, "epochs", 1 / epoch, 2 / epoch))
    assert heard[0] == ("fake", "progress", "small", 0, 4, "epochs")
    assert heard[-1] == ("fake", "progress", "small", 3, 4, "epochs, loss 0.3333, in validation 0.6667")
    assert [line["done"] for line in said] == [0, 2], "a line a minute"
    assert said[1] == {
        "event": "progress", "log_level": "info", "stage": "fake", "product": "small", "job": "small--01234567",
        "done": 2, "total": 4, "of": "epochs", "loss": 0.5, "validation": 1.0, "left_s": 80,
    }  # fmt: skip
    assert value("landstream_job_steps", state="done") == 3
    assert value("landstream_job_steps", state="total") == 4
    assert value("landstream_job_loss", of="training") == pytest.approx(1 / 3)
    assert value("landstream_job_loss", of="validation") == pytest.approx(2 / 3)
    assert value("landstream_job_left_seconds") == 40
    progress.close()
    assert value("landstream_job_steps", state="done") is None
    assert value("landstream_job_loss", of="training") is None
    assert value("landstream_job_left_seconds") is None


def test_blocks_are_told_without_a_line_or_a_loss(clock: Clock) -> None:
    heard: list[tuple[Any, ...]] = []
    progress = JobProgress("fake", "scene", "scene--01234567", lambda *told: heard.append(told), clock)
    with capture_logs() as said:
        progress.take(Progress(1, 2))
        progress.take(Progress(2, 2))
    assert said == []
    assert heard == [("fake", "progress", "scene", 1, 2, ""), ("fake", "progress", "scene", 2, 2, "")]
    assert value("landstream_job_loss", of="training") is None
    progress.close()
