"""The gauges of a whole stream say what the sweep saw."""

from __future__ import annotations

from prometheus_client import REGISTRY

from services.sweeper.gauges import Gauges
from services.sweeper.view import Count, Open


def due(*names: str) -> dict[str, Count]:
    return {"tiler": Count(due=[Open("tiler", name, f"items/{name}.json", "2018-W23") for name in names])}


def age() -> float | None:
    return REGISTRY.get_sample_value("landstream_oldest_due_job_age_seconds", {"stage": "tiler"})


def test_the_oldest_job_that_is_still_due_counts() -> None:
    now = [100.0]
    gauges = Gauges(lambda: now[0])
    gauges.tell_due(due("a"))
    assert age() == 0
    now[0] = 130
    gauges.tell_due(due("a", "b"))
    assert age() == 30
    now[0] = 150
    gauges.tell_due(due("b"))
    assert age() == 20
    gauges.tell_due(due())
    assert age() == 0
    now[0] = 160
    gauges.tell_due(due("b"))
    assert age() == 0, "it was done in between"
