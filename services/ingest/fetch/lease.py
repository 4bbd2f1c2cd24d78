"""Leases: numbered claims in the store, each created once; the highest number holds while it is young enough.

Ages are told by the store's own clock alone: two machines whose clocks differ never both believe that they hold one.
"""

from __future__ import annotations

import socket
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field

from pydantic_core import from_json

from shared.items.ids import canonical
from shared.items.keys import check_key
from shared.items.products import OWN
from shared.store import PreconditionFailed, Store

HELD, RELEASED = "held", "released"

CLOCK_S = 300.0
"""Seconds for which what was learnt of the store's clock is used."""


class StoreClock:
    """The store's own time, in seconds since the epoch.

    Args:
        store: whose clock.
        owner: part of the key of the object that it is read from: each process has its own.
        monotonic: this machine's time, in seconds.
    """

    def __init__(self, store: Store, owner: str, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._store, self._key, self._monotonic = store, check_key(f"{OWN}clocks/{owner}.json"), monotonic
        self._ahead_s, self._learnt_s = 0.0, -CLOCK_S

    def __call__(self) -> float:
        """Return the store's time."""
        now = self._monotonic()
        if now - self._learnt_s >= CLOCK_S:
            self._ahead_s, self._learnt_s = self._store.put(self._key, b"{}").modified_s - now, now
        return now + self._ahead_s


def new_owner() -> str:
    """Return a name for this process that nothing else has."""
    return f"{socket.gethostname()[:60]}-{uuid.uuid4().hex[:12]}"


@dataclass(frozen=True)
class Lease:
    """A lease that may be held.

    Attributes:
        store: where it lies.
        prefix: of its claims, ending in `/`.
        owner: who asks.
        clock: the store's time.
        lease_s: seconds after which a claim that is not renewed is void.
    """

    store: Store
    prefix: str
    owner: str
    clock: Callable[[], float]
    lease_s: float
    _held: list[int] = field(default_factory=list, repr=False)

    def take(self) -> bool:
        """Take it, unless somebody else holds it; return whether it is ours now."""
        last = self._last()
        if last and not self._is_free(last):
            return False
        try:
            self.store.put(self._key(last + 1), self._body(HELD), create_only=True)
        except PreconditionFailed:
            return False
        self._held.append(last + 1)
        return True

    def renew(self) -> bool:
        """Make our claim young again; return whether it still is the one that holds."""
        if not self._holds():
            return False
        self.store.put(self._key(self._held[-1]), self._body(HELD))
        return self._holds()  # whoever found it too old may have claimed meanwhile

    def release(self) -> None:
        """Say that whoever wants it need not wait; nothing happens where another one holds it."""
        if self._holds():
            self.store.put(self._key(self._held[-1]), self._body(RELEASED))
        self._held.clear()

    def _holds(self) -> bool:
        return bool(self._held) and self._last() == self._held[-1]

    def _is_free(self, number: int) -> bool:
        key = self._key(number)
        if self.clock() - self.store.head(key).modified_s > self.lease_s:
            return True
        return bool(from_json(self.store.get(key)).get("state") == RELEASED)

    def _last(self) -> int:
        names = (name.removesuffix(".json") for name in self.store.children(self.prefix))
        return max((int(name) for name in names if name.isdecimal()), default=0)

    def _key(self, number: int) -> str:
        return check_key(f"{self.prefix}{number:06d}.json")

    def _body(self, state: str) -> bytes:
        return canonical({"owner": self.owner, "state": state})
