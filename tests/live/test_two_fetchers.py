"""Services of fetching that are killed: two over one store, of which the one that leads dies, and one in a download."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from landstream.workspace import bind
from services.ingest.fetch.book import WHOLE
from shared.area import load_area
from shared.items.landing import PREFIX
from shared.items.products import history, reason_of
from shared.process.stack import Stack, write_stack
from shared.store.s3 import S3Store
from tests.catalogues import AREA
from tests.conftest import ROOT, Servers
from tests.landstream.catalogues import LIMITS, cdse, environment, write_area
from tools.servers.catalogue import CatalogueServer, Fault, Product

pytestmark = [pytest.mark.live, pytest.mark.chaos, pytest.mark.timeout(600)]

NAMES = [f"S2A_MSIL2A_2018060{day}T09{minute}31_N0509_R093_T34TGR_20180612T120000" for day in (4, 5, 6) for minute in
         (20, 21, 22, 23)]  # fmt: skip
WEEK, L2A = "2018-W23", "sentinel-2-l2a"
SIZE = 192 * 1024
DRIP_S = 0.004
"""Seconds for each KiB of a product: it is under way for about a second."""
KILLS = 4
LEASE_S = 6.0
WAIT_S = 60.0


class Pair:
    """Two services, each with its own work folder, started anew when it is killed.

    Args:
        command: of both.
        variables: their environment.
        folder: for their work and logs.
    """

    def __init__(self, command: list[str], variables: dict[str, str], folder: Path) -> None:
        self._command, self._variables, self._folder = command, variables, folder
        self._starts = 0
        self._running: dict[int, tuple[subprocess.Popen[bytes], Path]] = {}
        for number in range(2):
            self._start(number)

    def _start(self, number: int) -> None:
        self._starts += 1
        log = self._folder / f"{number}-{self._starts}.log"
        variables = {**self._variables, "LANDSTREAM_WORK": str(self._folder / f"work-{number}")}
        with log.open("wb") as file:
            process = subprocess.Popen(self._command, cwd=ROOT, env=variables, stdout=file, stderr=file)
        self._running[number] = process, log

    def leader(self) -> int | None:
        """The one that fetched something last, of those that did since they were started."""
        logs = {number: log for number, (_, log) in self._running.items() if '"fetched"' in log.read_text()}
        return max(logs, key=lambda number: logs[number].stat().st_mtime, default=None)

    def kill(self, number: int) -> None:
        """Kill one without a warning, and start it again."""
        process, _ = self._running[number]
        assert process.poll() is None, self.said()
        process.send_signal(signal.SIGKILL)
        process.wait(10)
        self._start(number)

    def end(self) -> list[int]:
        """End both as an orchestrator does; their exit codes."""
        for process, _ in self._running.values():
            process.terminate()
        return [process.wait(60) for process, _ in self._running.values()]

    def said(self) -> str:
        """The ends of all logs."""
        return "\n".join(f"{log.name}: {log.read_text()[-1500:]}" for log in sorted(self._folder.glob("*.log")))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[CatalogueServer]:
    """A catalogue of a dozen small products that come slowly."""
    offered = []
    for name in NAMES:
        folder = tmp_path / "offered" / f"{name}.SAFE"
        folder.mkdir(parents=True)
        (folder / "image.jp2").write_bytes(os.urandom(SIZE))
        offered.append(Product.named(name, path=folder, cloud_percent=1.0, footprint=AREA.polygon.buffer(0.1)))
    with CatalogueServer(offered, limits=LIMITS, faults=[Fault("drip", "download", seconds=DRIP_S)]) as found:
        yield found


def until(condition: Callable[[], bool], said: Callable[[], str]) -> None:
    """Wait for a condition; `said` tells what the services logged."""
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline, said()
        time.sleep(0.02)


def test_nothing_is_lost_and_nothing_comes_twice_while_the_leader_is_killed(
    bucket: str, servers: Servers, server: CatalogueServer, tmp_path: Path
) -> None:
    store = S3Store(bucket)
    bind(store, load_area(write_area(tmp_path, cdse(server, products=["S2MSI2A"]))))
    write_stack(store, Stack(keys="raw"))
    # One download at a time: of what a kill interrupts, one at most was sent whole and is not in `landing/` yet.
    quickly = {"LANDSTREAM_FETCH_LEASE_S": str(LEASE_S), "LANDSTREAM_FETCH_CONNECTIONS": "1"}
    command = [sys.executable, "-m", "services.ingest.fetch", "--store", f"s3://{bucket}", "--kafka", servers.kafka]
    landed: dict[str, float] = {}

    def look() -> int:
        """Note when each product came; one that is put again becomes younger."""
        for each in store.list(PREFIX):
            assert landed.setdefault(each.key, each.modified_s) == each.modified_s, f"{each.key} came twice"
        return len(landed)

    logs = tmp_path / "logs"
    logs.mkdir()
    pair = Pair(command, environment(server, **quickly, **servers.variables), logs)
    try:
        for killed in range(KILLS):
            before = look()
            until(lambda: pair.leader() is not None and look() > before, pair.said)  # noqa: B023  # it is waited for here
            time.sleep(0.2 + 0.25 * killed)  # somewhere in the next one
            leader = pair.leader()
            assert leader is not None
            pair.kill(leader)
        assert look() < len(NAMES), "some were left to fetch after the last kill"
        until(lambda: look() == len(NAMES), pair.said)
    finally:
        codes = pair.end()
    assert codes == [0, 0], pair.said()
    assert look() == len(NAMES)
    assert landed.keys() == {f"{PREFIX}{name}.zip" for name in NAMES}
    for name in NAMES:
        said = history(store, L2A, WEEK, name)
        assert [each.state for each in said if each.number] == ["found", "fetching"]
        assert reason_of(store, said[-1]) == WHOLE
        assert store.get(f"{PREFIX}{name}.zip").startswith(b"PK")
    assert sum(times - 1 for times in server.seen.whole.values()) <= KILLS
    assert max(server.seen.whole.values()) <= 2
    assert server.seen.forbidden == []
    assert list(store.keys("failures/")) == []


def test_one_that_is_started_again_goes_on_with_the_download(
    bucket: str, servers: Servers, server: CatalogueServer, tmp_path: Path
) -> None:
    store = S3Store(bucket)
    bind(store, load_area(write_area(tmp_path, cdse(server, products=["S2MSI2A"]))))
    write_stack(store, Stack(keys="raw"))
    command = [sys.executable, "-m", "services.ingest.fetch", "--store", f"s3://{bucket}", "--kafka", servers.kafka]
    given = {
        "LANDSTREAM_FETCH_LEASE_S": str(LEASE_S),
        "LANDSTREAM_FETCH_CONNECTIONS": "1",
        "LANDSTREAM_INSTANCE": "fetch",
        "LANDSTREAM_WORK": str(tmp_path / "work"),
    }
    variables = environment(server, **given, **servers.variables)

    def under_way() -> dict[str, int]:
        parts = (tmp_path / "work").rglob("*.part")
        return {path.parent.name: path.stat().st_size for path in parts if "etag" not in path.name}

    def start(log: Path) -> subprocess.Popen[bytes]:
        with log.open("wb") as file:
            return subprocess.Popen(command, cwd=ROOT, env=variables, stdout=file, stderr=file)

    first, second = tmp_path / "first.log", tmp_path / "second.log"
    process = start(first)
    try:
        until(lambda: any(size > SIZE // 3 for size in under_way().values()), first.read_text)
    finally:
        process.kill()
        process.wait(10)
    (name,) = under_way()
    had = under_way()[name]
    process = start(second)
    try:
        until(lambda: store.exists(f"{PREFIX}{name}.zip"), second.read_text)
        until(lambda: f'"product": "{name}"' in second.read_text(), second.read_text)
    finally:
        process.terminate()
        assert process.wait(60) == 0
    fetched = [line for line in map(json.loads, second.read_text().splitlines()) if line["event"] == "fetched"]
    came = {line["product"]: line["bytes"] for line in fetched}
    whole = next(store.list(f"{PREFIX}{name}.zip")).size
    assert came[name] == whole - had
    assert server.seen.forbidden == []
