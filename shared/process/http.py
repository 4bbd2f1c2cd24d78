"""What an orchestrator asks a service over HTTP: `/metrics`, `/healthz` (its loop is alive), `/readyz`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from shared.observe.health import Health

Check = Callable[[], str | None]
"""What keeps a service from being ready; None = nothing."""


def serve(host: str, port: int, health: Health, checks: Mapping[str, Check]) -> ThreadingHTTPServer:
    """Answer in a thread until `shutdown`.

    Args:
        host: address to listen on.
        port: port; 0 = any free one (`server_port` says which).
        health: the service's loops.
        checks: name (bus, store, canary) -> check.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            """Answer one request."""
            if self.path == "/metrics":
                self._answer(HTTPStatus.OK, generate_latest(), CONTENT_TYPE_LATEST)
            elif self.path == "/healthz":
                silent = health.silent()
                self._say([f"{name}: silent for more than {health.limit_s:.0f} s" for name in silent])
            elif self.path == "/readyz":
                self._say([f"{name}: {fault}" for name, check in checks.items() if (fault := check())])
            else:
                self._answer(HTTPStatus.NOT_FOUND, b"/metrics, /healthz, /readyz\n", "text/plain")

        def _say(self, faults: list[str]) -> None:
            status = HTTPStatus.SERVICE_UNAVAILABLE if faults else HTTPStatus.OK
            self._answer(status, ("\n".join(faults) or "ok").encode() + b"\n", "text/plain; charset=utf-8")

        def _answer(self, status: HTTPStatus, body: bytes, kind: str) -> None:
            with suppress(ConnectionError):  # a probe that gave up before the answer
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Probes come every few seconds: nothing to log."""

    server = ThreadingHTTPServer((host, port), Handler)
    server.daemon_threads = True
    Thread(target=server.serve_forever, name="http", daemon=True).start()
    return server
