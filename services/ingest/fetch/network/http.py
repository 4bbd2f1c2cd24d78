"""The one polite client that everything is asked through: its own name, limits of time, rate and size, no cookies."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from http import HTTPStatus
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, Final, Literal, Protocol
from urllib.parse import urlencode

import httpx

from services.ingest.fetch.errors import FetchError, Offline, Refused, Unavailable
from services.ingest.fetch.network.answers import trouble
from services.ingest.fetch.network.bounded import BODY_LIMIT, parse_json, read_body
from services.ingest.fetch.network.deadline import DeadlineTransport, within
from services.ingest.fetch.network.hosts import Hosts, origin_of, place, redirected
from services.ingest.fetch.network.pace import Clock, Pace, backoff

USER_AGENT: Final = "landstream/0.1"
TRIES: Final = 4
REDIRECTS: Final = 5
LONGEST_WAIT_S: Final = 60.0
"""A wish to be left alone for longer is handed on at once, to all who ask meanwhile, and not waited for."""
CONNECTIONS: Final = 16
# httpx tells every address with its query, which is nobody's business.
logging.getLogger("httpx").setLevel(logging.WARNING)
_REDIRECT: Final = frozenset({301, 302, 303, 307, 308})
_LOCATION: Final = "landstream.location"

Method = Literal["GET", "HEAD", "POST", "PATCH", "DELETE"]


class Bearer(Protocol):
    """What gives a token, and says whom it may be shown to."""

    def is_for(self, address: str) -> bool:
        """Return whether the token may go to an address."""

    def current(self) -> str:
        """Return a token that is good now."""

    def renew(self, refused: str) -> str:
        """Return another token than the one that was refused."""


@dataclass(frozen=True)
class Limits:
    """How long is waited.

    Attributes:
        connect_s: for a connection.
        read_s: for the next bytes.
        whole_s: for a whole answer, headers and body; for a download, for its headers.
    """

    connect_s: float = 10.0
    read_s: float = 60.0
    whole_s: float = 120.0


@dataclass(frozen=True)
class Reply:
    """A successful answer.

    Attributes:
        status: of HTTP.
        headers: by lower case name.
        body: decoded.
        address: what was asked.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    address: str

    def json(self) -> Any:
        """Return what the body says.

        Raises:
            Refused: it is a bomb.
            Unavailable: it is not JSON, but a maintenance page, or cut off.
        """
        return self._json

    @cached_property
    def _json(self) -> Any:
        try:
            return parse_json(self.body)
        except (Refused, Unavailable) as error:
            raise type(error)(f"{place(self.address)}: {error}") from None


class Http:
    """Asks the hosts of one source; used by many threads at once."""

    def __init__(
        self,
        hosts: Hosts,
        rates: Mapping[str, float] | None = None,
        rate: float = 4.0,
        limits: Limits | None = None,
        clock: Clock | None = None,
    ) -> None:
        """Open nothing yet.

        Args:
            hosts: that may be asked.
            rates: beginning of a service's addresses -> requests a second.
            rate: requests a second to a host of which `rates` says nothing.
            limits: of time.
            clock: tells the time and waits.
        """
        self.hosts = hosts
        self.clock = clock or Clock()
        self.limits = limits or Limits()
        self._pace = Pace(rates or {}, rate, self.clock)
        self._client = httpx.Client(
            transport=DeadlineTransport(CONNECTIONS),
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            headers={"User-Agent": USER_AGENT, "Accept-Encoding": "gzip, deflate"},
            timeout=httpx.Timeout(self.limits.read_s, connect=self.limits.connect_s),
            follow_redirects=False,
            event_hooks={"response": [_keep_location]},
            trust_env=False,
        )

    def close(self) -> None:
        """Give up all connections."""
        self._client.close()

    def json(
        self,
        method: Method,
        address: str,
        *,
        params: Mapping[str, str] | None = None,
        body: Any = None,
        bearer: Bearer | None = None,
    ) -> Any:
        """Return what an answer in JSON says; arguments and errors are those of `fetch`."""
        return self.fetch(method, address, params=params, body=body, bearer=bearer, is_json=True).json()

    def fetch(
        self,
        method: Method,
        address: str,
        *,
        params: Mapping[str, str] | None = None,
        body: Any = None,
        form: Mapping[str, str] | None = None,
        bearer: Bearer | None = None,
        limit: int = BODY_LIMIT,
        is_json: bool = False,
    ) -> Reply:
        """Ask, again after failures that pass, and return the answer.

        Args:
            method: of HTTP; only GET and HEAD follow redirects.
            address: absolute.
            params: query to add to it.
            body: to send as JSON; None = nothing.
            form: to send as a form.
            bearer: shown to the hosts that it is for.
            limit: bytes of the answer, decoded.
            is_json: whether a success must say JSON: a maintenance page with status 200 is a failure that passes.

        Raises:
            Unavailable: it does not answer well after several tries.
            Offline: it lies in an archive.
            Refused: the answer, or where it leads, is against the rules.
            Gone: it is not there.
            Misconfigured: credentials or the request are wrong.
        """
        address = with_query(address, params)
        headers, content = _content(body, form)
        tries = 0
        while True:
            tries += 1
            try:
                reply = self._once(method, address, headers, content, bearer, limit)
                if is_json:
                    reply.json()
                return reply
            except Offline:
                raise
            except Unavailable as error:
                wait = error.retry_after_s
                self.heed(address, error)
                if tries >= TRIES or (wait or 0.0) > LONGEST_WAIT_S:
                    raise
            if wait is None:
                self.clock.sleep(backoff(tries))

    def heed(self, address: str, error: FetchError) -> None:
        """Leave an address's service alone, whoever asks, for as long as an error says that it wants to be."""
        if isinstance(error, Unavailable) and not isinstance(error, Offline) and error.retry_after_s:
            self._pace.hold(address, error.retry_after_s)

    def _once(
        self,
        method: Method,
        address: str,
        headers: Mapping[str, str],
        content: bytes | None,
        bearer: Bearer | None,
        limit: int,
    ) -> Reply:
        with (
            within(self.limits.whole_s),
            self.stream(method, address, headers=headers, content=content, bearer=bearer) as response,
        ):
            body = read_body(chunks(response), response.headers.get("content-encoding", ""), limit)
        status = 200 if response.status_code in {201, 204} else response.status_code
        if error := trouble(status, response.headers, body, address, self.clock.today()):
            raise error
        return Reply(response.status_code, response.headers, body, address)

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
        """Ask once, and hand out the answer, of whatever status, before its body is read; `chunks` reads it.

        A refused token is renewed once. Redirects are followed to allowed hosts, by GET and HEAD alone.

        Args:
            method: of HTTP.
            address: absolute, with its query.
            headers: to send beside our own.
            content: to send.
            bearer: shown to the hosts that it is for.
            follow: whether to follow redirects.

        Raises:
            Unavailable: no answer comes, or the service wants to be left alone.
            Refused: a redirect leads where it may not.
            Misconfigured: no token is to be had.
        """
        follows = follow and method in {"GET", "HEAD"}
        renewed = False
        hops = 0
        while True:
            token = bearer.current() if bearer and bearer.is_for(address) else None
            response = self._send(method, address, headers or {}, content, token)
            try:
                if response.status_code == 401 and bearer and token and not renewed:
                    renewed = True
                    bearer.renew(token)
                elif response.status_code in _REDIRECT and follows:
                    hops += 1
                    if hops > REDIRECTS:
                        raise Refused(f"{place(address)} leads on and on")
                    address = redirected(address, response.extensions[_LOCATION])
                elif response.status_code in _REDIRECT and method != "GET":
                    raise Refused(f"{place(address)} leads elsewhere, and what was sent is not for there")
                else:
                    yield response
                    return
            finally:
                response.close()

    def _send(
        self, method: Method, address: str, headers: Mapping[str, str], content: bytes | None, token: str | None
    ) -> httpx.Response:
        origin = self.hosts.check(address)
        self._pace.wait(address, LONGEST_WAIT_S)
        every = {**headers, "Authorization": f"Bearer {token}"} if token else dict(headers)
        try:
            request = self._client.build_request(method, address, headers=every, content=content)
            if origin_of(str(request.url)) != origin:
                raise Refused("an address is read in two ways")
            return self._client.send(request, stream=True)
        except httpx.InvalidURL:
            raise Refused("an address cannot be read") from None
        except httpx.TransportError as error:
            if _has_burst(error):
                raise Refused(f"{place(address)} answers with headers that are too long") from error
            raise Unavailable(f"{place(address)} does not answer: {type(error).__name__}") from error


def chunks(response: httpx.Response) -> Iterator[bytes]:
    """Yield a body as it comes, not decoded.

    Raises:
        Unavailable: it breaks off, or is too slow.
    """
    try:
        yield from response.iter_raw()
    except httpx.TransportError as error:
        raise Unavailable(f"{place(str(response.url))} broke off: {type(error).__name__}") from error


def with_query(address: str, params: Mapping[str, str] | None) -> str:
    """Return an address with a query added, percent-encoded."""
    if not params:
        return address
    return f"{address}{'&' if '?' in address else '?'}{urlencode(params, safe='$')}"


def _keep_location(response: httpx.Response) -> None:
    """Take away from httpx where a redirect leads: it would read it at once, and call a bad one a broken connection."""
    response.extensions[_LOCATION] = response.headers.pop("location", "")


def _has_burst(error: httpx.TransportError) -> bool:
    """Return whether headers did not fit into what h11 holds of an answer: it hints at the status for that."""
    origin = error.__cause__ and error.__cause__.__context__
    return getattr(origin, "error_status_hint", 0) == HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE


def _content(body: Any, form: Mapping[str, str] | None) -> tuple[dict[str, str], bytes | None]:
    if form is not None:
        return {"Content-Type": "application/x-www-form-urlencoded"}, urlencode(form).encode()
    if body is not None:
        return {"Content-Type": "application/json"}, json.dumps(body).encode()
    return {}, None
