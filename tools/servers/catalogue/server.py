"""One server on loopback that speaks as the catalogues do, each below its prefix; it counts what it is asked."""

from __future__ import annotations

import socket
import tempfile
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from tools.servers.catalogue.cdse_item import COLLECTIONS, entry
from tools.servers.catalogue.download import Download
from tools.servers.catalogue.exchange import Answer, Request, missing
from tools.servers.catalogue.handler import Handler
from tools.servers.catalogue.odata import OData
from tools.servers.catalogue.product import Product
from tools.servers.catalogue.seen import Limits, Seen
from tools.servers.catalogue.shelf import Shelf
from tools.servers.catalogue.stac_search import Entry, StacSearch
from tools.servers.catalogue.tokens import Account, Tokens

HOST = "127.0.0.1"


@dataclass(frozen=True)
class Route:
    """What answers below a prefix.

    Attributes:
        name: for counts and faults.
        prefix: of the path.
        answer: answers.
        credential: scheme of `Authorization` that is for it, lower case; empty = none is.
        streams: whether what it sends counts as a download.
    """

    name: str
    prefix: str
    answer: Callable[[Request], Answer]
    credential: str = ""
    streams: bool = False


class CatalogueServer:
    """The server; it listens from the beginning until `close`, which leaving its context does.

    Args:
        products: that it offers.
        limits: beyond which requests are forbidden.
        account: that it knows.
        access_s: seconds that an access token holds.
        refresh_s: seconds that a refresh token holds.
        ranges: whether the download host answers ranges.
        port: to listen on; 0 = any that is free.
    """

    def __init__(
        self,
        products: Iterable[Product] = (),
        *,
        limits: Limits = Limits(),
        account: Account = Account(),
        access_s: float = 600.0,
        refresh_s: float = 3600.0,
        ranges: bool = True,
        port: int = 0,
    ) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="catalogue-")
        self.account = account
        self.seen = Seen(limits)
        self.shelf = Shelf(products, Path(self._folder.name))
        self.tokens = Tokens(account, self.seen, access_s, refresh_s, limits.sessions)
        self._routes = self._all_routes(ranges)
        self._server = _Threads((HOST, port), type("SiteHandler", (Handler,), {"site": self}))
        self.address = f"http://{HOST}:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    stac_url = property(lambda self: f"{self.address}/stac/v1")
    odata_url = property(lambda self: f"{self.address}/odata/v1")
    download_url = property(lambda self: f"{self.address}/download/odata/v1")
    token_url = property(lambda self: f"{self.address}/token")

    def __enter__(self) -> CatalogueServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Listen no more, and cut every connection."""
        self._server.shutdown()
        self._server.cut()
        self._server.server_close()
        self._thread.join()
        self._folder.cleanup()

    def route(self, path: str) -> Route:
        """Return the route that a path belongs to."""
        path = unquote(path)
        return next(route for route in self._routes if path == route.prefix or path.startswith(route.prefix + "/"))

    def respond(self, route: Route, request: Request, gone: Callable[[], bool]) -> Answer | None:
        """Answer a request, and count it; None = the connection is to be cut.

        Args:
            route: that it belongs to.
            request: as it came.
            gone: tells whether the client has left.
        """
        self.seen.request(route.name)
        self._look_for_credentials(route, request)
        return route.answer(request)

    def _all_routes(self, ranges: bool) -> Sequence[Route]:
        stac = StacSearch("cdse", self._cdse_entries, COLLECTIONS)
        odata = OData(self.shelf)
        download = Download(self.shelf, self.tokens, self.seen, ranges)
        return [
            Route("stac", "/stac/v1", stac.answer),
            Route("odata", "/odata/v1", odata.answer),
            Route("download", "/download/odata/v1", download.answer, "bearer", streams=True),
            Route("token", "/token", self.tokens.answer),
            Route("other", "", lambda request: missing(f"{request.path} is not here")),
        ]

    def _cdse_entries(self) -> tuple[int, list[tuple[Entry, bool]]]:
        offered = [(entry(self.shelf, product), True) for product in self.shelf.all()]
        gone = [(entry(self.shelf, removed.product), False) for removed in self.shelf.removed()]
        return self.shelf.generation, offered + gone

    def _look_for_credentials(self, route: Route, request: Request) -> None:
        """Note a credential that is not for the route."""
        scheme = request.headers.get("authorization", "").partition(" ")[0].lower()
        if scheme and scheme != route.credential:
            self.seen.forbid(f"a {scheme} credential on {route.name}")
        secrets = [self.account.password, self.account.secret_key, "access-", "refresh-"]
        if any(secret in unquote(request.query) for secret in secrets):
            self.seen.forbid(f"a credential in an address of {route.name}")


class _Threads(ThreadingHTTPServer):
    """A thread for each connection; all connections can be cut."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, *args: Any) -> None:
        self._connections: set[socket.socket] = set()
        self._lock = threading.Lock()
        super().__init__(*args)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._connections.discard(request)
        super().shutdown_request(request)

    def cut(self) -> None:
        """Cut every connection."""
        with self._lock:
            for connection in self._connections:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:  # it is cut already
                    continue
