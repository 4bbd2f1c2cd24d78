"""Leases: numbered claims in the store, each created once; the highest number holds while it is young enough.

Ages are told by the store's own clock alone: two machines whose clocks differ never both believe that they hold one.
"""

from __future__ import annotations

import socket
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from pydantic_core import from_json

from shared.items.ids import canonical
from shared.items.keys import check_key
from shared.items.products import OWN
from shared.store import PreconditionFailed, Store

HELD, RELEASED = "held", "released"

CLOCK_S = 300.0
"""Seconds for which what was learnt of the store's clock is used."""


def utc_now() -> datetime:
    """Return this machine's time, UTC."""
    return datetime.now(UTC)


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
        if self._monotonic() - self._learnt_s >= CLOCK_S:
            told_s = self._store.put(self._key, b"{}").modified_s
            # Read after the answer: so it is never ahead of the store's, and no claim seems older than it is.
            now = self._monotonic()
            self._ahead_s, self._learnt_s = told_s - now, now
        return self._monotonic() + self._ahead_s

    def now(self) -> datetime:
        """Return the store's time, UTC."""
        return datetime.fromtimestamp(self(), UTC)


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
        alone: whether this process alone has the store, so that who holds another claim is dead.
    """

    store: Store
    prefix: str
    owner: str
    clock: Callable[[], float]
    lease_s: float
    alone: bool = False
    _held: list[int] = field(default_factory=list, repr=False)

    def take(self) -> bool:
        """Take it, unless somebody else holds it; return whether it is ours now."""
        last = self._last()
        seen_s = self.store.head(self._key(last)).modified_s if last else 0.0
        if last and not self.alone and not self._is_free(last, seen_s):
            return False
        try:
            self.store.put(self._key(last + 1), self._body(HELD), create_only=True)
        except PreconditionFailed:
            return False
        if last and self.store.head(self._key(last)).modified_s != seen_s:
            # It was renewed between our look and our claim, and its owner learns of ours at the next renewal alone:
            # so ours stays in the way, and is void once it is old.
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

    def _is_free(self, number: int, renewed_s: float) -> bool:
        if self.clock() - renewed_s > self.lease_s:
            return True
        return self._state(number) == RELEASED

    def _state(self, number: int) -> str:
        try:
            return str(from_json(self.store.get(self._key(number)))["state"])
        except (ValueError, KeyError, TypeError):
            return HELD  # damaged: void once it is old

    def _last(self) -> int:
        names = (name.removesuffix(".json") for name in self.store.children(self.prefix))
        return max((int(name) for name in names if name.isdecimal()), default=0)

    def _key(self, number: int) -> str:
        return check_key(f"{self.prefix}{number:06d}.json")

    def _body(self, state: str) -> bytes:
        return canonical({"owner": self.owner, "state": state})
