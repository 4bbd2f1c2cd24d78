"""What the tests of fetching share: a clock that only sleeping moves, and a server that says what it is told to."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import boto3
import pytest

from services.ingest.fetch.network.hosts import Hosts
from services.ingest.fetch.network.http import Http, Limits
from services.ingest.fetch.network.pace import Clock

PATIENT = Limits(10.0, 10.0, 20.0)


class StoodClock:
    """A clock that stands still unless somebody sleeps."""

    def __init__(self) -> None:
        self.time = 1000.0
        self.slept: list[float] = []

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += seconds

    def clock(self) -> Clock:
        return Clock(self.now, self.sleep, self.now)


class Hurried:
    """A clock on which a pause is over after a moment."""

    def __init__(self) -> None:
        self.skipped_s = 0.0

    def sleep(self, seconds: float) -> None:
        time.sleep(min(seconds, 0.01))
        self.skipped_s += max(0.0, seconds - 0.01)

    def clock(self) -> Clock:
        return Clock(lambda: time.monotonic() + self.skipped_s, self.sleep, time.time)


@dataclass
class Asked:
    """A request that came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Said:
    """An answer; `raw` is sent instead of all else, slowly if there is a pause between its pieces."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    raw: list[bytes] | None = None
    pause_s: float = 0.0


def json_said(value: Any, status: int = 200, **headers: str) -> Said:
    named = {name.replace("_", "-").title(): text for name, text in headers.items()}
    return Said(status, json.dumps(value).encode(), {"Content-Type": "application/json", **named})


class QuietServer(ThreadingHTTPServer):
    """Says nothing of clients that leave: they are meant to."""

    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class Scripted:
    """A server on loopback whose answers a function gives; it remembers what it was asked."""

    def __init__(self, answer: Callable[[Asked], Said]) -> None:
        self.answer = answer
        self.asked: list[Asked] = []
        self.stopped = threading.Event()
        self.server = QuietServer(("127.0.0.1", 0), self._handler())
        self.address = f"http://127.0.0.1:{self.server.server_port}"
        self._thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self.stopped.set()
        self.server.shutdown()
        self.server.server_close()
        self._thread.join()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        scripted = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 10
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                headers = {name.lower(): value for name, value in self.headers.items()}
                asked = Asked(self.command, self.path, headers, body)
                scripted.asked.append(asked)
                try:
                    self._say(scripted.answer(asked))
                except (BrokenPipeError, ConnectionResetError):
                    self.close_connection = True

            do_POST = do_HEAD = do_DELETE = do_PATCH = do_GET

            def _say(self, said: Said) -> None:
                if said.raw is not None:
                    self.close_connection = True
                    for piece in said.raw:
                        self.wfile.write(piece)
                        self.wfile.flush()
                        if scripted.stopped.wait(said.pause_s):
                            return
                    return
                self.send_response(said.status)
                headers = {"Content-Length": str(len(said.body))} | said.headers
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(said.body)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        return Handler


Serve = Callable[[Callable[[Asked], Said]], Scripted]
"""What the fixture `scripted` is: from answers to the server that gives them."""

BOMBS = (
    "json-deep", "json-huge", "json-digits", "json-wide", "gzip", "deflate", "gzip-twice", "headers", "endless-body",
)  # fmt: skip
"""Of the server's bombs, those that any answer in JSON can be."""


@pytest.fixture(scope="session")
def boto() -> boto3.Session:
    """One session, whose description of S3 takes long to load."""
    return boto3.Session()


@pytest.fixture(autouse=True)
def one_boto(boto: boto3.Session, monkeypatch: pytest.MonkeyPatch) -> None:
    make = boto3.Session

    def session(**given: Any) -> boto3.Session:
        return make(**given) if given else boto  # rasterio asks for one of its own where keys are in the environment

    monkeypatch.setattr("services.ingest.fetch.network.s3.boto3.Session", session)


@pytest.fixture
def stood() -> StoodClock:
    return StoodClock()


@pytest.fixture
def scripted() -> Iterator[Callable[[Callable[[Asked], Said]], Scripted]]:
    made: list[Scripted] = []

    def make(answer: Callable[[Asked], Said]) -> Scripted:
        made.append(Scripted(answer))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
def client(stood: StoodClock) -> Iterator[Callable[..., Http]]:
    made: list[Http] = []

    def make(*addresses: str, limits: Limits = PATIENT, rate: float = 1000.0) -> Http:
        made.append(Http(Hosts(addresses), rate=rate, limits=limits, clock=stood.clock()))
        return made[-1]

    yield make
    for each in made:
        each.close()
