"""What sentinelsat's session sends goes through our own client: its limits of time, rate, size and hosts hold."""

from __future__ import annotations

import io
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import httpx
import requests
from requests.adapters import BaseAdapter
from requests.structures import CaseInsensitiveDict

from services.ingest.fetch.errors import Refused, Unavailable
from services.ingest.fetch.network.bounded import parse_json, read_body
from services.ingest.fetch.network.deadline import within
from services.ingest.fetch.network.hosts import Hosts
from services.ingest.fetch.network.http import USER_AGENT, Bearer, Http, Limits, Method, chunks
from services.ingest.fetch.network.pace import Clock
from services.ingest.fetch.provider import Credentials

FAULT_LIMIT: Final = 1 << 16
"""Bytes that are kept of an answer that is not JSON: sentinelsat makes text of its HTML."""
_JSON_LIMIT: Final = 8 << 20
_METHODS: Final[Mapping[str, Method]] = {"GET": "GET", "HEAD": "HEAD"}


class NodeHttp(Http):
    """Asks a node, which alone is allowed, and shows it the user's name and password."""

    def __init__(
        self,
        address: str,
        credentials: Credentials,
        rate: float = 4.0,
        limits: Limits | None = None,
        clock: Clock | None = None,
    ) -> None:
        """Open nothing yet.

        Args:
            address: of the node.
            credentials: for it.
            rate: requests a second.
            limits: of time.
            clock: tells the time and waits.
        """
        super().__init__(Hosts([address]), rate=rate, limits=limits, clock=clock)
        pair = f"{credentials.username}:{credentials.password}".encode()
        self._authorization = {"Authorization": f"Basic {b64encode(pair).decode()}"}

    @contextmanager
    def stream(
        self,
        method: Method,
        address: str,
        *,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
        bearer: Bearer | None = None,
        follow: bool = True,
    ) -> Iterator[httpx.Response]:
        """Ask once; see `Http.stream`. Redirects are followed on the node alone, so the password stays there."""
        every = dict(headers or {}) | self._authorization
        with super().stream(method, address, headers=every, content=content, bearer=bearer, follow=follow) as response:
            yield response


def polite_session(http: Http) -> requests.Session:
    """Return a session for sentinelsat that sends everything through our client.

    Args:
        http: what is sent through.
    """
    session = requests.Session()
    session.trust_env = False  # neither proxies nor .netrc
    session.headers.update({"User-Agent": USER_AGENT, "Accept-Encoding": "gzip, deflate"})
    adapter = PoliteAdapter(http)
    session.mount("http://", adapter)
    session.mount("https://", adapter)
    return session


class PoliteAdapter(BaseAdapter):
    """Sends requests of the library `requests` through our client, and reads the answers within bounds."""

    def __init__(self, http: Http) -> None:
        """Ask nothing yet.

        Args:
            http: what is sent through.
        """
        super().__init__()
        self._http = http

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        """Ask once.

        Raises:
            Unavailable: no answer comes.
            Refused: a redirect leads elsewhere, or the answer is too long or a bomb.
        """
        method = _METHODS.get(str(request.method))
        if method is None:
            raise Refused("a node is asked to give alone")
        headers = {name: str(value) for name, value in request.headers.items()}
        with (
            within(self._http.limits.whole_s),
            self._http.stream(method, str(request.url), headers=headers) as answer,
        ):
            # Of a probe for a byte the status is all that is wanted; a node may send the whole product.
            body = b"" if method == "HEAD" or "Range" in headers else _body(answer)
            return _response(request, answer, body)

    def close(self) -> None:
        """Do nothing: the client is closed by whom it belongs to."""


def _body(answer: httpx.Response) -> bytes:
    body = read_body(chunks(answer), answer.headers.get("content-encoding", ""), _JSON_LIMIT)
    if body.lstrip()[:1] not in {b"{", b"["}:
        return body[:FAULT_LIMIT]
    try:
        parse_json(body)
    except Unavailable:
        return body[:FAULT_LIMIT]
    return body


def _response(request: requests.PreparedRequest, answer: httpx.Response, body: bytes) -> requests.Response:
    found = requests.Response()
    found.status_code = answer.status_code
    found.headers = CaseInsensitiveDict({n: v for n, v in answer.headers.items() if n.lower() != "content-encoding"})
    found.url = str(answer.url)
    found.request = request
    found.reason = ""
    found.raw = io.BytesIO(body)
    return found
