"""What a service says of itself over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from http.client import HTTPConnection
from http.server import ThreadingHTTPServer

import pytest

from shared.observe.health import Health
from shared.process.http import serve


@pytest.fixture
def faults() -> dict[str, str | None]:
    """Name of a check -> what it says now."""
    return {"bus": None, "store": None, "canary": None}


@pytest.fixture
def health() -> Health:
    return Health(limit_s=60)


@pytest.fixture
def server(health: Health, faults: dict[str, str | None]) -> Iterator[ThreadingHTTPServer]:
    found = serve("127.0.0.1", 0, health, {name: lambda n=name: faults[n] for name in faults})
    yield found
    found.shutdown()
    found.server_close()


def get(server: ThreadingHTTPServer, path: str, method: str = "GET") -> tuple[int, str, str]:
    """(status, content type, body)."""
    connection = HTTPConnection("127.0.0.1", server.server_port, timeout=5)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, answer.getheader("Content-Type", ""), answer.read().decode()
    finally:
        connection.close()


def test_ready_and_healthy(server: ThreadingHTTPServer, health: Health) -> None:
    health.tick("tiler")
    assert get(server, "/readyz")[::2] == (200, "ok\n")
    assert get(server, "/healthz")[::2] == (200, "ok\n")


def test_each_failing_check_is_named_with_its_reason(
    server: ThreadingHTTPServer, faults: dict[str, str | None]
) -> None:
    faults |= {"store": "s3://land: access denied", "canary": "no stack.json yet"}
    status, _, body = get(server, "/readyz")
    assert (status, body) == (503, "store: s3://land: access denied\ncanary: no stack.json yet\n")
    assert get(server, "/healthz")[0] == 200  # not ready is no reason to be killed
    faults |= {"store": None, "canary": None}
    assert get(server, "/readyz")[0] == 200


def test_a_silent_loop_is_not_alive(server: ThreadingHTTPServer, health: Health) -> None:
    health.tick("tiler")
    health.limit_s = -1
    assert get(server, "/healthz")[::2] == (503, "tiler: silent for more than -1 s\n")


def test_metrics_are_those_of_prometheus(server: ThreadingHTTPServer, health: Health) -> None:
    health.tick("tiler")
    status, kind, body = get(server, "/metrics")
    assert status == 200
    assert kind.startswith("text/plain; version=")
    assert 'stage="tiler"' in body


@pytest.mark.parametrize("path", ["/", "/readyz/x", "/metricsx", "/../etc/passwd"])
def test_nothing_else_is_there(server: ThreadingHTTPServer, path: str) -> None:
    assert get(server, path)[::2] == (404, "/metrics, /healthz, /readyz\n")


def test_nothing_is_taken(server: ThreadingHTTPServer) -> None:
    assert get(server, "/readyz", "POST")[0] == 501
