"""One server that speaks as the catalogues do, each below its prefix; it counts what it is asked."""

from __future__ import annotations

import re
import tempfile
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import unquote

from tools.servers.catalogue.cdse_item import COLLECTIONS, entry
from tools.servers.catalogue.commit import CHANGES, INSTEAD, Pages, change, instead, spoiled
from tools.servers.catalogue.dhus import Dhus
from tools.servers.catalogue.download import Download
from tools.servers.catalogue.earth import Earth, Scene
from tools.servers.catalogue.exchange import Answer, Request, missing
from tools.servers.catalogue.fault import Fault, Faults
from tools.servers.catalogue.handler import Handler
from tools.servers.catalogue.odata import OData
from tools.servers.catalogue.product import Product
from tools.servers.catalogue.s3 import S3
from tools.servers.catalogue.seen import Limits, Seen
from tools.servers.catalogue.shelf import Shelf
from tools.servers.catalogue.stac_search import Entry, StacSearch
from tools.servers.catalogue.subscriptions import Subscriptions
from tools.servers.catalogue.threads import HOST, Threads
from tools.servers.catalogue.tokens import Account, Tokens


@dataclass(frozen=True)
class Route:
    """What answers below a prefix.

    Attributes:
        name: for counts and faults.
        prefix: of the path.
        answer: answers.
        credential: scheme of `Authorization` that is for it, lower case; empty = none is.
        download: paths below the prefix whose GET counts as a download.
    """

    name: str
    prefix: str
    answer: Callable[[Request], Answer]
    credential: str = ""
    download: str = r"\Z."

    def holds(self, path: str) -> bool:
        """Return whether a path, decoded, is of this route."""
        rest = path[len(self.prefix) :]
        return path.startswith(self.prefix) and (not rest or rest[0] in "/(" or not self.prefix)

    def is_download(self, request: Request) -> bool:
        """Return whether a request counts as a download."""
        return request.method == "GET" and re.fullmatch(self.download, request.path) is not None


class CatalogueServer:
    """The server; it listens from the beginning until `close`, which leaving its context does.

    Args:
        products: that CDSE and the DHuS node offer.
        scenes: that the API like Earth Search offers.
        faults: that befall requests.
        limits: beyond which requests are forbidden; those of the real services where absent, without rates.
        account: that it knows.
        access_s: seconds that an access token holds.
        refresh_s: seconds that a refresh token holds.
        ranges: whether the download host answers ranges.
        port: to listen on; 0 = any that is free.
        host: address of this machine to listen on, and that is named in answers; loopback, but where containers ask.
    """

    def __init__(
        self,
        products: Iterable[Product] = (),
        *,
        scenes: Iterable[Scene] = (),
        faults: Iterable[Fault] = (),
        limits: Limits | None = None,
        account: Account | None = None,
        access_s: float = 600.0,
        refresh_s: float = 3600.0,
        ranges: bool = True,
        port: int = 0,
        host: str = HOST,
    ) -> None:
        limits = limits or Limits()
        self._folder = tempfile.TemporaryDirectory(prefix="catalogue-")
        self.account = account or Account()
        self.seen = Seen(limits)
        self.shelf = Shelf(products, Path(self._folder.name))
        self.earth = Earth(scenes)
        self.faults = Faults(faults)
        self.tokens = Tokens(self.account, self.seen, access_s, refresh_s, limits.sessions)
        self._pages = Pages()
        self._routes = self._all_routes(ranges)
        self._server = Threads((host, port), type("SiteHandler", (Handler,), {"site": self}))
        self.address = f"http://{host}:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    @property
    def addresses(self) -> dict[str, str]:
        """Addresses by the names that an area file calls them."""
        return {
            "stac_url": f"{self.address}/stac/v1",
            "odata_url": f"{self.address}/odata/v1",
            "download_url": f"{self.address}/download/odata/v1",
            "token_url": f"{self.address}/token",
            "s3_endpoint": f"{self.address}/s3",
        }

    @property
    def stac_url(self) -> str:
        """CDSE's STAC API."""
        return self.addresses["stac_url"]

    @property
    def odata_url(self) -> str:
        """CDSE's OData catalogue."""
        return self.addresses["odata_url"]

    @property
    def download_url(self) -> str:
        """OData of CDSE's download host."""
        return self.addresses["download_url"]

    @property
    def token_url(self) -> str:
        """Where tokens are had."""
        return self.addresses["token_url"]

    @property
    def s3_endpoint(self) -> str:
        """Endpoint of the bucket `eodata`."""
        return self.addresses["s3_endpoint"]

    @property
    def dhus_url(self) -> str:
        """`api_url` of the DHuS node."""
        return f"{self.address}/dhus"

    @property
    def earth_url(self) -> str:
        """`api_url` of the API like Earth Search."""
        return f"{self.address}/earth/v1"

    def __enter__(self) -> CatalogueServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Listen no more, and cut every connection."""
        self._server.stop()
        self._thread.join()
        self._folder.cleanup()

    def route(self, path: str) -> Route:
        """Return the route that a path, decoded, belongs to."""
        return next(route for route in self._routes if route.holds(path))

    def respond(self, route: Route, request: Request, gone: Callable[[], bool]) -> Answer | None:
        """Answer a request, and count it; None = the connection is to be cut.

        Args:
            route: that it belongs to.
            request: as it came.
            gone: tells whether the client has left.
        """
        self.seen.request(route.name)
        self._look_for_credentials(route, request)
        fault = self.faults.choose(route.name, request, INSTEAD | CHANGES)
        given = None
        if fault:
            self.seen.fault(fault.kind)
            if fault.retry_after_s is not None:
                self.seen.close(route.name, fault.retry_after_s)
            if fault.kind in INSTEAD:
                return instead(fault, gone)
            given = change(fault, request, self.shelf, self.earth, self.tokens)
        answer, kinds = spoiled(self.faults, self._pages, route.name, request, given or route.answer(request))
        for kind in kinds:
            self.seen.fault(kind)
        # What was stated before a change is not what is sent now, however whole.
        return replace(answer, whole="") if fault and fault.kind == "checksum" else answer

    def _all_routes(self, ranges: bool) -> Sequence[Route]:
        value = r"/.*Products\('?[^/]*'?\)/\$value"
        subscriptions = Subscriptions(self.shelf, self.tokens, lambda: self.address)
        download = Download(self.shelf, self.tokens, self.seen, ranges)
        s3 = S3(self.shelf, self.account, self.seen)
        return [
            Route(
                "stac",
                "/stac/v1",
                StacSearch("cdse", lambda: self.shelf.generation, self._cdse_entries, COLLECTIONS).answer,
            ),
            Route("subscriptions", "/odata/v1/Subscriptions", subscriptions.answer, "bearer"),
            Route("odata", "/odata/v1", OData(self.shelf).answer),
            Route("download", "/download/odata/v1", download.answer, "bearer", value),
            Route("token", "/token", self.tokens.answer),
            Route("s3", "/s3", s3.answer, "aws4-hmac-sha256", r"/[^/]+/.+"),
            Route("dhus", "/dhus", Dhus(self.shelf, self.account).answer, "basic", value),
            Route("earth", "/earth/v1", self.earth.search.answer),
            Route("assets", "/earth/assets", self.earth.asset, download=r".*"),
            Route("other", "", lambda request: missing(f"{request.path} is not here")),
        ]

    def _cdse_entries(self) -> list[tuple[Entry, bool]]:
        offered = [(entry(self.shelf, product), True) for product in self.shelf.all()]
        gone = [(entry(self.shelf, removed.product), False) for removed in self.shelf.removed()]
        return offered + gone

    def _look_for_credentials(self, route: Route, request: Request) -> None:
        """Note a credential that is not for the route."""
        scheme = request.headers.get("authorization", "").partition(" ")[0].lower()
        if scheme and scheme != route.credential:
            self.seen.forbid(f"a {scheme} credential on {route.name}")
        secrets = [self.account.password, self.account.secret_key, "access-", "refresh-"]
        if any(secret in unquote(request.query) for secret in secrets):
            self.seen.forbid(f"a credential in an address of {route.name}")
