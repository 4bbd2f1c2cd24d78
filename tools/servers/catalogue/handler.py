"""How the server speaks HTTP: a request in, the route's answer out, byte by byte where it must be."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from tools.servers.catalogue.exchange import Answer, Request
from tools.servers.catalogue.seen import has_left

if TYPE_CHECKING:
    from tools.servers.catalogue.server import CatalogueServer

MOST_BODY = 16 << 20  # bytes of a request
CHUNK = 1 << 16  # bytes


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 60
    server_version = "catalogue"
    site: CatalogueServer

    def do_GET(self) -> None:
        self._answer()

    do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_GET

    def _answer(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        if length > MOST_BODY:
            self.close_connection = True
            return
        body = self.rfile.read(length)
        target = urlsplit(self.path)
        path = unquote(target.path)
        route = self.site.route(path)
        request = Request(
            self.command,
            path.removeprefix(route.prefix),
            target.query,
            {name.lower(): value for name, value in self.headers.items()},
            body,
            self.site.address,
            self.site.address + route.prefix,
        )
        try:
            with self.site.seen.stream(self.connection) if route.is_download(request) else nullcontext():
                answer = self.site.respond(route, request, lambda: has_left(self.connection))
                if answer is None:
                    self.close_connection = True
                else:
                    self._send(answer)
        except (BrokenPipeError, ConnectionResetError, TimeoutError):
            self.close_connection = True

    def _send(self, answer: Answer) -> None:
        size = _size(answer)
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if size is None:
            self.send_header("Connection", "close")
        else:
            self.send_header("Content-Length", str(size))
        if size == 0:
            self._almost_sent(answer)
        self.end_headers()
        if self.command == "HEAD":
            return
        sent = 0
        for piece in _pieces(answer, None if size is None else int(size * answer.keep)):
            sent += len(piece)
            time.sleep(answer.drip_s)
            if sent == size:
                self._almost_sent(answer)
            self.wfile.write(piece)
        if sent != size:
            self.close_connection = True

    def _almost_sent(self, answer: Answer) -> None:
        """Count an answer before its last bytes leave: as soon as it has them, the client may begin the next."""
        self.site.seen.end_stream(self.connection)
        if answer.whole and not answer.spoiled and self.command == "GET" and not has_left(self.connection):
            self.site.seen.delivered(answer.whole)

    def log_message(self, format: str, *args: Any) -> None:
        pass


def _size(answer: Answer) -> int | None:
    if answer.span:
        return answer.span[1] - answer.span[0]
    if isinstance(answer.body, bytes):
        return len(answer.body)
    return answer.body.stat().st_size if isinstance(answer.body, Path) else None


def _pieces(answer: Answer, stop: int | None) -> Iterator[bytes]:
    """Cut what is sent into pieces, up to a number of bytes, and spoil it where it must be."""
    if stop is None:
        assert not isinstance(answer.body, bytes | Path)
        yield from answer.body
        return
    start = answer.span[0] if answer.span else 0
    chunk = 1024 if answer.drip_s else CHUNK
    flipped = stop // 2 if answer.flip else -1
    done = 0
    for piece in _read(answer.body, start, stop, chunk):
        yield _flip(piece, flipped - done) if done <= flipped < done + len(piece) else piece
        done += len(piece)


def _read(body: bytes | Path | Iterable[bytes], start: int, length: int, chunk: int) -> Iterator[bytes]:
    if isinstance(body, bytes):
        yield from (body[start + at : start + min(at + chunk, length)] for at in range(0, length, chunk))
        return
    assert isinstance(body, Path)
    with open(body, "rb") as file:
        file.seek(start)
        while length > 0 and (piece := file.read(min(chunk, length))):
            length -= len(piece)
            yield piece


def _flip(piece: bytes, at: int) -> bytes:
    return piece[:at] + bytes([piece[at] ^ 1]) + piece[at + 1 :]
