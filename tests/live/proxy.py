"""A proxy on loopback that loses or breaks off a server's answers."""

from __future__ import annotations

import socket
import threading
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self
from urllib.parse import urlsplit


class Proxy:
    """Passes HTTP requests on to one server.

    Args:
        target: `http://HOST:PORT`.
    """

    def __init__(self, target: str) -> None:
        self.lost = self.broken = 0
        self._lose = (0, "")
        self._break: int | None = None
        self._lock = threading.Lock()
        host = urlsplit(target).netloc
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one_request(self) -> None:
                self.raw_requestline = self.rfile.readline(65537)
                if not self.raw_requestline or not self.parse_request():
                    self.close_connection = True
                    return
                if self.headers.get("Expect", "").lower() == "100-continue":
                    self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                connection = HTTPConnection(host, timeout=30)
                # The signature covers the Host header: the server must see the one that the client signed.
                headers = {n: v for n, v in self.headers.items() if n.lower() != "expect"}
                connection.request(self.command, self.path, body, headers)
                answer = connection.getresponse()
                data = answer.read()
                connection.close()
                proxy._answer(self, answer.status, answer.getheaders(), data)

            def log_message(self, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def lose_answers(self, count: int, method: str) -> None:
        """The next answers to requests of a method are not passed on, though the server has done them."""
        with self._lock:
            self._lose = (count, method)

    def break_after(self, size: int) -> None:
        """The next answer with a longer body ends after so many bytes."""
        with self._lock:
            self._break = size

    def _answer(
        self, handler: BaseHTTPRequestHandler, status: int, headers: list[tuple[str, str]], data: bytes
    ) -> None:
        with self._lock:
            left, method = self._lose
            lose = left > 0 and handler.command == method
            if lose:
                self._lose, self.lost = (left - 1, method), self.lost + 1
            cut = self._break if self._break is not None and len(data) > self._break else None
            if cut is not None:
                self._break, self.broken = None, self.broken + 1
        if lose:
            handler.close_connection = True
            handler.connection.shutdown(socket.SHUT_RDWR)
            return
        handler.send_response_only(status)
        for name, value in headers:
            if name.lower() not in {"transfer-encoding", "connection"}:
                handler.send_header(name, value)
        handler.end_headers()
        if handler.command != "HEAD":
            handler.wfile.write(data[:cut])
        if cut is not None:
            handler.close_connection = True
            handler.wfile.flush()
            handler.connection.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
