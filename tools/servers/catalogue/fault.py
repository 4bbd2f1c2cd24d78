"""Faults on command: what is to go wrong, where, and how often."""

from __future__ import annotations

import hashlib
import threading
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Literal, get_args

from tools.servers.catalogue.exchange import Request

Kind = Literal[
    "401",  # the token is not known
    "expired",  # all access tokens end
    "403",  # refused by a firewall
    "404",
    "429",  # too many requests; with `Retry-After` where `retry_after_s` is given
    "500",
    "503",
    "hang",  # no answer for `seconds`, then the connection is cut
    "cut",  # the connection is cut without an answer
    "maintenance",  # a page of HTML with status 200
    "redirect",  # to `to`
    "vanish",  # the product is taken away before it is answered for
    "offline",  # the product is archived before it is answered for
    "checksum",  # the product's archive changes before it is sent
    "drip",  # a KiB each `seconds`
    "truncate",  # the connection is cut in the middle
    "short",  # half the body, and a length that says so
    "flip",  # a byte in the middle is another one
    "duplicate",  # a page repeats products of its own and of the page before
    "reorder",  # a page is in another order
    "endless",  # a page always has a next one
    "astray",  # a page's next one lies at `to`
    "foreign",  # every address in the answer is below `to`
    "json-deep",
    "json-huge",
    "json-digits",
    "json-wide",
    "xml-entities",
    "xml-deep",
    "xml-huge",
    "gzip",
    "deflate",
    "gzip-twice",
    "headers",
    "endless-body",
    "boast",
]

RouteName = Literal["stac", "odata", "subscriptions", "download", "token", "s3", "dhus", "earth", "assets"]


@dataclass(frozen=True)
class Fault:
    """A fault.

    Attributes:
        kind: what goes wrong.
        on: name of the route that it befalls.
        share: of the requests that it befalls, 0..1; drawn from the request and how often it came, not from the order
            of all.
        count: of requests that it befalls at most; None = any number.
        match: text that the path, query or body holds; empty = any.
        retry_after_s: of `429` and `503`, seconds; None = the header is absent.
        seconds: of `hang` and `drip`.
        to: address, of `redirect`, `foreign` and `astray`.
        seed: of the drawing.
    """

    kind: Kind
    on: RouteName
    share: float = 1.0
    count: int | None = None
    match: str = ""
    retry_after_s: float | None = None
    seconds: float = 60.0
    to: str = ""
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what would never befall.

        Raises:
            ValueError: kind or route is not known, or an address is missing.
        """
        if self.kind not in get_args(Kind) or self.on not in get_args(RouteName):
            raise ValueError(f"there is no fault {self.kind!r} on {self.on!r}")
        if self.kind in {"redirect", "foreign", "astray"} and not self.to:
            raise ValueError(f"a fault {self.kind!r} needs an address")


class Faults:
    """Decides which fault befalls a request; every method may be called from any thread.

    Args:
        faults: in order; the first that applies befalls.
    """

    def __init__(self, faults: Iterable[Fault]) -> None:
        self._faults = list(faults)
        self._left = {index: fault.count for index, fault in enumerate(self._faults)}
        self._came: Counter[tuple[int, str]] = Counter()
        self._lock = threading.Lock()

    def add(self, fault: Fault) -> None:
        """Command a further fault."""
        with self._lock:
            self._left[len(self._faults)] = fault.count
            self._faults.append(fault)

    def clear(self) -> None:
        """Let nothing go wrong any more."""
        with self._lock:
            self._left = dict.fromkeys(self._left, 0)

    def choose(self, route: str, request: Request, kinds: Collection[str]) -> Fault | None:
        """Return the fault of one of some kinds that befalls a request; None = none does."""
        text = f"{request.path}?{request.query} {request.body.decode('utf-8', 'replace')}"
        with self._lock:
            for index, fault in enumerate(self._faults):
                if fault.on != route or fault.kind not in kinds or fault.match not in text or self._left[index] == 0:
                    continue
                self._came[index, text] += 1
                if _draw(fault, text, self._came[index, text]) >= fault.share:
                    continue
                left = self._left[index]
                self._left[index] = None if left is None else left - 1
                return fault
        return None


def _draw(fault: Fault, text: str, times: int) -> float:
    """Return a number in 0..1 that is the same for the same request coming the same time."""
    drawn = hashlib.blake2b(f"{fault.seed} {fault.kind} {text} {times}".encode(), digest_size=8)
    return int.from_bytes(drawn.digest()) / 2**64
