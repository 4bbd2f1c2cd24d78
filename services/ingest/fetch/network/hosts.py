"""Which hosts a request may go to: those of the source's own addresses, and no other."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, NamedTuple
from urllib.parse import urljoin, urlsplit

from services.ingest.fetch.errors import Refused

_PORTS: Final = {"http": 80, "https": 443}
_PLAIN: Final = re.compile(r"[\x21-\x5b\x5d-\x7e]{1,8192}\Z")
"""ASCII without blanks, control characters and the backslash, which clients read differently from one another."""


class Origin(NamedTuple):
    """Scheme, host and port of an address: what a credential belongs to."""

    scheme: str
    host: str
    port: int


def origin_of(address: str) -> Origin:
    """Return the origin of an absolute address.

    Raises:
        Refused: it is not a plain address of HTTP or HTTPS, or it holds credentials.
    """
    if not _PLAIN.match(address):
        raise Refused("an address holds characters that no address of ours holds")
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        raise Refused("an address cannot be read") from None
    if parts.scheme not in _PORTS or not parts.hostname:
        raise Refused(f"{parts.scheme[:20]!r} is not the scheme of an address that we ask")
    if "@" in parts.netloc:
        raise Refused(f"the address of {parts.hostname[:100]} holds credentials")
    return Origin(parts.scheme, parts.hostname, _PORTS[parts.scheme] if port is None else port)


def redirected(address: str, location: str) -> str:
    """Return where a redirect leads.

    Args:
        address: what was asked.
        location: what the answer's `Location` says.

    Raises:
        Refused: it leads from HTTPS to HTTP, or to what is not an address.
    """
    if not _PLAIN.match(location):
        raise Refused("a redirect leads to what is not an address")
    try:
        target = urljoin(address, location)
    except ValueError:
        raise Refused("a redirect leads to what is not an address") from None
    if origin_of(address).scheme == "https" and origin_of(target).scheme != "https":
        raise Refused(f"a redirect leads from HTTPS to HTTP, at {origin_of(target).host}")
    return target


def place(address: str) -> str:
    """Return an address for people: without query, fragment and credentials, on one line, and not long."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return "an address that cannot be read"
    text = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
    return "".join(letter if letter.isascii() and letter.isprintable() else "?" for letter in text[:200])


class Hosts:
    """The origins that requests may go to. Names are compared as written, so no way to write a number gets by."""

    def __init__(self, addresses: Iterable[str]) -> None:
        """Allow the origins of addresses, and nothing else.

        Args:
            addresses: of services, with or without a path.

        Raises:
            Refused: one of them is not an address.
        """
        self._origins = frozenset(origin_of(address) for address in addresses)

    def __contains__(self, address: str) -> bool:
        """Return whether an address belongs to an allowed origin; what is not an address does not."""
        try:
            return origin_of(address) in self._origins
        except Refused:
            return False

    def check(self, address: str) -> Origin:
        """Return the address's origin.

        Raises:
            Refused: it is not an allowed one.
        """
        origin = origin_of(address)
        if origin not in self._origins:
            raise Refused(f"{origin.scheme}://{origin.host[:100]}:{origin.port} is not a host of this source")
        return origin
