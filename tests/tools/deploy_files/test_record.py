"""What is recorded of a process can be asked again, of another Prometheus, with the same answer."""

from __future__ import annotations

import math
import os
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.observe.health import Health
from shared.process.http import serve
from tests.conftest import absent, running
from tests.tools.deploy_files.record import (
    REPEATED_S,
    children,
    config,
    end_of,
    open_metrics,
    read_metrics,
    recorded,
    thinned,
)
from tools.servers import MissingToolError
from tools.servers.prometheus import Prometheus, promtool

pytestmark = pytest.mark.timeout(300)


def replay(text: str, folder: Path) -> Prometheus:
    """A Prometheus, not started, over what a recording holds."""
    folder.mkdir(parents=True, exist_ok=True)
    prometheus = Prometheus(folder)
    (folder / "recorded.om").write_text(text)
    try:
        promtool("tsdb", "create-blocks-from", "openmetrics", folder / "recorded.om", prometheus.data, within_s=120)
    except MissingToolError as error:
        absent(error)
    return prometheus


def values_of(series: Sequence[dict[str, Any]]) -> dict[str, str]:
    """Stage -> value of an instant query."""
    return {each["metric"]["stage"]: each["value"][1] for each in series}


def test_a_recording_answers_as_what_was_recorded(tmp_path: Path) -> None:
    health = Health()
    server = serve("127.0.0.1", 0, health, {})
    try:
        tick = 'landstream_last_tick_timestamp_seconds{stage=~"a|b"}'
        scraping = Prometheus(tmp_path / "scraping", config({"a": server.server_port}, 0.2))
        with running(scraping):
            deadline = time.monotonic() + 30
            while len(scraping.query(f"{tick} > 0", time.time())) < 2:
                assert time.monotonic() < deadline
                health.tick("a")
                health.tick("b")
                time.sleep(0.2)
            text = recorded(scraping, ["up", "landstream_last_tick_timestamp_seconds"])
            at = end_of(text)
            expected = values_of(scraping.query(tick, at))
    finally:
        server.shutdown()
        server.server_close()
    assert expected.keys() == {"a", "b"}
    assert "python_info" not in text
    assert "instance" not in text
    replayed = replay(text, tmp_path / "replayed")
    with running(replayed):
        assert values_of(replayed.query(tick, at)) == expected
        ((up),) = replayed.query('up{job="landstream", service="a"}', at)
        assert up["value"][1] == "1"


@given(st.lists(st.tuples(st.floats(0.1, 300), st.sampled_from("01")), min_size=1))
def test_thinning_keeps_what_a_reader_sees(samples: list[tuple[float, str]]) -> None:
    """The value at any sample's time is that of the newest one that was kept, which is not old."""
    now, series = 0.0, []
    for pause, value in samples:
        now += pause
        series.append((now, value))
    kept = list(thinned(series))
    assert set(kept) <= set(series)
    assert (kept[0], kept[-1]) == (series[0], series[-1])
    for time_s, value in series:
        newest = max(s for s in kept if s[0] <= time_s)
        assert newest[1] == value
        assert time_s - newest[0] < REPEATED_S


def test_labels_are_escaped_and_series_sorted() -> None:
    series = [
        {"metric": {"__name__": "b", "stage": 'a"\\\n'}, "values": [[1.5, "1"], [2, "2"]]},
        {"metric": {"__name__": "a", "instance": "x"}, "values": [[1, "NaN"]]},
    ]
    text = open_metrics(series)
    assert text == 'a{} NaN 1.000\nb{stage="a\\"\\\\\\n"} 1 1.500\nb{stage="a\\"\\\\\\n"} 2 2.000\n# EOF\n'
    assert end_of(text) == 2
    assert math.isnan(end_of("# EOF\n"))


def test_what_is_read_is_metrics_and_no_labels() -> None:
    names = read_metrics()
    assert {"up", "landstream_due_jobs", "landstream_job_duration_seconds_bucket"} <= names
    assert all(re.fullmatch(r"up|landstream_[a-z_]+", name) for name in names)
    assert "landstream" not in names


def test_a_process_knows_its_children() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        assert child.pid in children(os.getpid())
        child.communicate(b"\n")
    assert child.pid not in children(os.getpid())
