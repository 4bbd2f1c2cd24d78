"""The one broker of tokens: all connections of an account share what it holds, in memory alone."""

from __future__ import annotations

import math
import re
import threading
from dataclasses import dataclass, field
from typing import Any, Final

from services.ingest.fetch.errors import FetchError, Gone, Misconfigured, Refused, Unavailable
from services.ingest.fetch.network.hosts import Hosts, place
from services.ingest.fetch.network.http import Http
from services.ingest.fetch.provider import Credentials

CLIENT_ID: Final = "cdse-public"
MARGIN_S: Final = 60.0
"""A token is renewed this long before its end, at half of its life at the latest."""
LONGEST_LIFE_S: Final = 24 * 3600.0
REST_S: Final = 5.0
"""How long the service is not asked again after it failed, whoever wants a token."""
REFUSED_S: Final = 3600.0
"""How long credentials that were refused are not sent again: an account is locked after some times."""
_TOKEN: Final = re.compile(r"[\x21-\x7e]{1,16384}\Z")


@dataclass(frozen=True)
class _Grant:
    """Tokens, and until when (monotonic seconds) they are used."""

    access: str = field(repr=False)
    until: float
    refresh: str = field(repr=False)
    refresh_until: float


class Tokens:
    """Holds an account's tokens; used by many threads at once, of which one asks while the others wait."""

    def __init__(self, http: Http, token_url: str, credentials: Credentials, audience: Hosts) -> None:
        """Ask for nothing yet.

        Args:
            http: may ask the host of `token_url`.
            token_url: where tokens are had.
            credentials: name and password.
            audience: the hosts that tokens are for.
        """
        self._http = http
        self._token_url = token_url
        self._credentials = credentials
        self._audience = audience
        self._clock = http.clock
        self._lock = threading.Lock()
        self._grant: _Grant | None = None
        self._failed: FetchError | None = None
        self._failed_until = 0.0

    def is_for(self, address: str) -> bool:
        """Return whether tokens may go to an address."""
        return address in self._audience

    def current(self) -> str:
        """Return a token that is good now.

        Raises:
            Misconfigured: credentials are absent, or they or the service's answer were refused within the last hour.
            Unavailable: the service does not answer well.
        """
        with self._lock:
            if self._grant and self._clock.now() < self._grant.until:
                return self._grant.access
            return self._new()

    def renew(self, refused: str) -> str:
        """Return another token than the one that was refused; asks only if nobody did since.

        Raises:
            Misconfigured: as `current`.
            Unavailable: as `current`.
        """
        with self._lock:
            if self._grant and self._grant.access != refused and self._clock.now() < self._grant.until:
                return self._grant.access
            return self._new()

    def _new(self) -> str:
        if self._failed and self._clock.now() < self._failed_until:
            raise _again(self._failed)
        try:
            self._grant = self._refreshed() or self._logged_in()
        except FetchError as error:
            self._failed = error
            lasting = isinstance(error, Misconfigured)
            self._failed_until = self._clock.now() + (REFUSED_S if lasting else max(REST_S, _wish(error)))
            raise
        self._failed = None
        return self._grant.access

    def _refreshed(self) -> _Grant | None:
        grant = self._grant
        if grant is None or not grant.refresh or self._clock.now() >= grant.refresh_until:
            return None
        try:
            return self._ask({"grant_type": "refresh_token", "refresh_token": grant.refresh})
        except Misconfigured:
            # A session may end before its time: the password opens the next one.
            self._grant = None
            return None

    def _logged_in(self) -> _Grant:
        name, password = self._credentials.username, self._credentials.password
        if not name or not password:
            raise Misconfigured("name and password of the account are absent: give them in the environment")
        return self._ask({"grant_type": "password", "username": name, "password": password})

    def _ask(self, form: dict[str, str]) -> _Grant:
        asked = self._clock.now()
        try:
            form = {"client_id": CLIENT_ID, **form}
            reply = self._http.fetch("POST", self._token_url, form=form, limit=2**18, is_json=True)
            return _read(reply.json(), asked)
        except Refused as error:
            # No product is to blame for what all of them need.
            raise Misconfigured(f"no token is to be had at {place(self._token_url)}: {error}") from None
        except Gone:
            raise Misconfigured(f"{place(self._token_url)} is not an address that gives tokens") from None
        except Misconfigured:
            raise Misconfigured(f"{place(self._token_url)} refuses the {form['grant_type']} of the account") from None


def _again(error: FetchError) -> FetchError:
    if isinstance(error, Unavailable):
        return Unavailable(str(error), error.retry_after_s)
    return type(error)(str(error))


def _wish(error: FetchError) -> float:
    return (error.retry_after_s or 0.0) if isinstance(error, Unavailable) else 0.0


def _read(answer: Any, asked: float) -> _Grant:
    """Read the service's answer; times count from when it was asked, which is never too late."""
    if not isinstance(answer, dict):
        raise Unavailable("the answer of the service of tokens is not an object")
    access, refresh = answer.get("access_token"), answer.get("refresh_token", "")
    if not isinstance(access, str) or not _TOKEN.match(access):
        raise Unavailable("the answer of the service of tokens holds no token")
    if not isinstance(refresh, str) or (refresh and not _TOKEN.match(refresh)):
        raise Refused("the answer of the service of tokens holds what is not a token")
    life = _seconds(answer.get("expires_in"))
    if life <= 0:
        raise Unavailable("the answer of the service of tokens holds a token that has ended")
    return _Grant(access, asked + _used(life), refresh, asked + _used(_seconds(answer.get("refresh_expires_in"))))


def _used(life: float) -> float:
    return life - min(MARGIN_S, life / 2)


def _seconds(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return 0.0
    return min(float(value), LONGEST_LIFE_S)
