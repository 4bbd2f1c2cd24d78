"""A plain host that is none of the catalogues: what reaches it should not hold a credential."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from typing import Any

from tools.servers.catalogue.threads import HOST, Threads


@dataclass(frozen=True)
class Visit:
    """A request that came; names of headers in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


class Stranger:
    """The host; it listens until `close`, which leaving its context does.

    Args:
        body: that it answers every request with.
    """

    def __init__(self, body: bytes = b"nothing") -> None:
        self.visits: list[Visit] = []
        """All requests, in order."""
        self.body = body
        self._server = Threads((HOST, 0), type("VisitHandler", (_Handler,), {"host": self}))
        port = self._server.server_port
        self.address = f"http://{HOST}:{port}"
        self.other_name = f"http://localhost:{port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    @property
    def credentials(self) -> list[str]:
        """Every header that carries a credential."""
        told = {"authorization", "cookie", "proxy-authorization", "x-amz-security-token"}
        return [value for visit in self.visits for name, value in visit.headers.items() if name in told]

    def __enter__(self) -> Stranger:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Listen no more."""
        self._server.stop()
        self._thread.join()


class _Handler(BaseHTTPRequestHandler):
    host: Stranger

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.host.visits.append(Visit(self.command, self.path, headers, body))
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.host.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(self.host.body)

    do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_GET

    def log_message(self, format: str, *args: Any) -> None:
        pass
