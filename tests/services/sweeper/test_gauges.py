"""The gauges of a whole stream say what the sweep saw."""

from __future__ import annotations

import re
import subprocess
import sys

from prometheus_client import REGISTRY

from services.sweeper.gauges import Gauges
from services.sweeper.view import Count, Open
from tests.conftest import ROOT


def test_what_only_the_sweeper_knows_is_told_by_no_other_process() -> None:
    code = "import shared.observe.metrics, prometheus_client as p; print(p.generate_latest().decode())"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT).stdout
    samples = {re.split(r"[{ ]", line)[0] for line in told.splitlines() if line.startswith("landstream_")}
    assert samples <= {f"landstream_sweep_duration_seconds_{end}" for end in ("bucket", "count", "sum", "created")}


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
