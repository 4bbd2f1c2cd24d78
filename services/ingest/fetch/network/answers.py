"""What an answer that is not a success means: which error, said in one line.

Source: notes of the Copernicus Data Space on its error codes (DAT-ZIP-..) and of its web firewall.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from services.ingest.fetch.errors import FetchError, Gone, Misconfigured, Offline, Unavailable
from services.ingest.fetch.network.hosts import place
from services.ingest.fetch.network.pace import retry_after

FIREWALL_REST_S: Final = 2 * 3600.0
"""How long a firewall that turned us away is left alone."""
SESSIONS_REST_S: Final = 60.0
"""How long to wait when too many sessions are open."""
_CODE: Final = re.compile(rb'"code"\s*:\s*"(?:DAT-ZIP-)?(\d{1,4})"')
_REFERENCE: Final = re.compile(rb"reference id[^0-9A-Za-z]{1,20}([0-9A-Za-z.-]{4,40})", re.IGNORECASE)
_SESSIONS: Final = "100"
_TOKEN_LOST: Final = frozenset({"604", "109"})
"""Codes of a token that did not arrive, or has expired: the account is not to blame."""


def trouble(status: int, headers: Mapping[str, str], body: bytes, address: str, today: float) -> FetchError | None:
    """Return what an answer's status means; None if it is a success with a body.

    Texts of the server never get into a message, only its codes: a server may say back what it was sent.

    Args:
        status: of HTTP.
        headers: by lower case name.
        body: its beginning is enough.
        address: what was asked.
        today: seconds since 1970, UTC.
    """
    where = place(address)
    code = match[1].decode() if (match := _CODE.search(body)) else ""
    said = f"{status} (code {code})" if code else f"{status}"
    wait = retry_after(headers.get("retry-after"), today)
    if status == 202 or (400 <= status < 500 and b"offline" in body.lower()):
        return Offline(f"{where} is offline: it is to be ordered first", wait)
    if status in {200, 206}:
        return None
    if status == 429 and code == _SESSIONS:
        return Unavailable(f"{where}: too many sessions are open", max(wait or 0.0, SESSIONS_REST_S))
    if status in {408, 425, 429} or status >= 500 or status < 400:
        return Unavailable(f"{where} answered {said}", wait)
    if status == 401 and code in _TOKEN_LOST:
        return Unavailable(f"{where} does not take a token that is new: {said}")
    if status == 401:
        return Misconfigured(f"{where} does not take our credentials: {said}")
    if status == 403:
        return _forbidden(body, where, said, code)
    if status in {404, 410}:
        return Gone(f"{where} is not there: {said}")
    return Misconfigured(f"{where} does not understand what we ask: {said}")


def _forbidden(body: bytes, where: str, said: str, code: str) -> FetchError:
    firewall = not code and (b'"WAF"' in body or body.lstrip().startswith(b"<") or _REFERENCE.search(body))
    if not firewall:
        return Misconfigured(f"{where} is forbidden to this account: {said}")
    reference = f", reference ID {match[1].decode()}" if (match := _REFERENCE.search(body)) else ""
    return Unavailable(f"the firewall of {where} turned us away: {said}{reference}", FIREWALL_REST_S)
