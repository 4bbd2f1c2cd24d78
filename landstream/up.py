"""The supervisor runs every service as a process of its own: it starts, watches and restarts them."""

from __future__ import annotations

import fcntl
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Final

from shared.items.ids import digest8
from shared.items.products import FETCH
from shared.process.service import ServiceSettings
from shared.stage import registry

SWEEPER: Final = "sweeper"
SETTLE_S: Final = 10.0
"""Seconds beyond a job's own (`LANDSTREAM_GRACE_S`) after which a service that still runs is killed."""

SHORT_S: Final = 60.0
"""Seconds; a service that ran for less is restarted after ever longer pauses."""

LONGEST_PAUSE_S: Final = 60.0
_TICK_S: Final = 0.2


class AlreadyUp(Exception):
    """Raised when another supervisor uses this work folder."""


@contextmanager
def alone_in(work: Path) -> Iterator[None]:
    """Hold a work folder, made if absent.

    Raises:
        AlreadyUp: another supervisor uses it.
    """
    work.mkdir(parents=True, exist_ok=True)
    with (work / "lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyUp(f"{work}: another `landstream up` uses it; end it, or give --work DIR") from None
        yield


@dataclass
class _Service:
    name: str
    command: list[str]
    port: int
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    again_at: float = 0.0
    pause_s: float = 1.0


class Supervisor:
    """Runs all services over one store until told to stop.

    Args:
        store: `s3://BUCKET`.
        kafka: `HOST:PORT`.
        work: folder of logs, pids and scratch; one supervisor per folder, see `alone_in`.
        first_port: of the services' `/metrics`, `/healthz` and `/readyz`, one after the other; 0 = free ones.
        say: called with a line for each start and end.
        fetches: whether products are fetched, too: the area has a source.
    """

    def __init__(
        self, store: str, kafka: str, work: Path, first_port: int, say: Callable[[str], None], fetches: bool = False
    ) -> None:
        self._store, self._kafka, self._work, self._say = store, kafka, work.absolute(), say
        names = [s.name for s in registry.all_stages()]
        modules = {**{n: f"services.{n}" for n in names}, SWEEPER: "services.sweeper"}
        if fetches:
            modules[FETCH] = "services.ingest.fetch"
        self._services = [
            _Service(name, [sys.executable, "-m", module], first_port and first_port + n)
            for n, (name, module) in enumerate(modules.items())
        ]
        self._any_port = not first_port
        # The same over restarts, so that partitions stay; another folder or machine has another one.
        self._instance = f"{socket.gethostname()}-{digest8(str(self._work))}"

    def run(self, stop: Event) -> None:
        """Start everything and restart what ends, until `stop` is set; then end everything."""
        try:
            while not stop.is_set():
                for service in self._services:
                    self._look_after(service)
                stop.wait(_TICK_S)
        finally:
            self._end()

    def _look_after(self, service: _Service) -> None:
        now = time.monotonic()
        if service.process is None:
            if now >= service.again_at:
                self._start(service)
            return
        status = service.process.poll()
        if status is None:
            return
        if now - service.started >= SHORT_S:
            service.pause_s = 1.0
        service.process = None
        self._pid(service).unlink(missing_ok=True)  # temporary folders get tidied
        service.again_at = now + service.pause_s * random.uniform(0.5, 1)
        self._say(f"{service.name}: ended ({_reason(status)}); again in {service.again_at - now:.0f} s, log "
                  f"{self._log(service)}")  # fmt: skip
        service.pause_s = min(2 * service.pause_s, LONGEST_PAUSE_S)

    def _start(self, service: _Service) -> None:
        if self._any_port:
            service.port = _free_port()
        self._work.mkdir(parents=True, exist_ok=True)
        with self._log(service).open("ab") as log:
            service.process = subprocess.Popen(
                [*service.command, "--store", self._store, "--kafka", self._kafka],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environment(service),
                process_group=0,
            )
        service.started = time.monotonic()
        self._pid(service).write_text(f"{service.process.pid}\n")
        self._say(f"{service.name}: started (pid {service.process.pid}, http://127.0.0.1:{service.port}/metrics)")

    def _environment(self, service: _Service) -> dict[str, str]:
        return {
            **os.environ,
            "LANDSTREAM_HTTP_PORT": str(service.port),
            "LANDSTREAM_INSTANCE": self._instance,
            "LANDSTREAM_WORK": str(self._work / "scratch"),
        }

    def _log(self, service: _Service) -> Path:
        return self._work / f"{service.name}.log"

    def _pid(self, service: _Service) -> Path:
        return self._work / f"{service.name}.pid"

    def _end(self) -> None:
        running = [s for s in self._services if s.process is not None]
        for service in running:
            _signal(service, signal.SIGTERM)
        stop_s = ServiceSettings().grace_s + SETTLE_S
        deadline = time.monotonic() + stop_s
        for service in running:
            assert service.process is not None
            try:
                service.process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                self._say(f"{service.name}: did not end by itself within {stop_s:.0f} s")
            _signal(service, signal.SIGKILL)  # whatever is left of its group
            service.process.wait()
            self._pid(service).unlink(missing_ok=True)


def _signal(service: _Service, number: signal.Signals) -> None:
    assert service.process is not None
    try:
        # SIGTERM to the service alone: it decides when its worker ends. A worker dies with its service anyway.
        if number == signal.SIGKILL:
            os.killpg(service.process.pid, number)
        else:
            service.process.send_signal(number)
    except ProcessLookupError:
        return


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _reason(status: int) -> str:
    return f"signal {signal.Signals(-status).name}" if status < 0 else f"status {status}"
