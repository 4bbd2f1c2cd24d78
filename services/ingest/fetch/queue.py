"""What is to be fetched, in which order: two lanes, newest sensing first, and what waits for its time."""

from __future__ import annotations

import heapq
import time
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Final, Literal

Lane = Literal["forward", "backfill"]
LANES: Final[tuple[Lane, ...]] = ("forward", "backfill")
"""What was sensed just now, and the past; the first has the right of way."""


@dataclass(frozen=True)
class Wanted:
    """A product that is to be fetched.

    Attributes:
        collection: that it will be registered in.
        week: of its sensing.
        product: its full name.
        lane: which limits it counts for.
        sensed_s: start of sensing, seconds since the epoch.
    """

    collection: str
    week: str
    product: str
    lane: Lane
    sensed_s: float

    @property
    def order(self) -> tuple[float, str]:
        """Newest first; the name makes it total."""
        return -self.sensed_s, self.product


@dataclass
class Queue:
    """Products that wait to be fetched. Each call costs at most the logarithm of how many there are.

    Attributes:
        backfill_limit: how many of the past may be under way at once.
        clock: seconds, monotonic.
    """

    backfill_limit: int
    clock: Callable[[], float] = time.monotonic
    _ready: dict[Lane, list[tuple[tuple[float, str], Wanted]]] = field(
        default_factory=lambda: {lane: [] for lane in LANES}
    )
    _later: list[tuple[float, tuple[float, str], Wanted]] = field(default_factory=list)
    _since: dict[Lane, dict[str, float]] = field(default_factory=lambda: {lane: {} for lane in LANES})
    _first: dict[Lane, list[tuple[float, str]]] = field(default_factory=lambda: {lane: [] for lane in LANES})
    _known: set[str] = field(default_factory=set)
    _running: Counter[Lane] = field(default_factory=Counter)
    _waiting: Counter[Lane] = field(default_factory=Counter)

    def put(self, wanted: Wanted, at_s: float = 0.0, waited_s: float = 0.0) -> None:
        """Add a product; nothing happens where it is there, or under way.

        Args:
            wanted: the product.
            at_s: when it is to be taken, or later.
            waited_s: seconds that it has waited by now, in an earlier process.
        """
        if wanted.product not in self._known:
            self._known.add(wanted.product)
            since = self._since[wanted.lane][wanted.product] = self.clock() - waited_s
            heapq.heappush(self._first[wanted.lane], (since, wanted.product))
            self._wait(wanted, at_s)

    def take(self, now_s: float, only_forward: bool = False) -> Wanted | None:
        """Return what is to be fetched now; `ended` or `again` must follow. None = nothing yet."""
        while self._later and self._later[0][0] <= now_s:
            _, order, wanted = heapq.heappop(self._later)
            heapq.heappush(self._ready[wanted.lane], (order, wanted))
        for lane in LANES:
            is_open = lane == "forward" or (not only_forward and self._running[lane] < self.backfill_limit)
            if self._ready[lane] and is_open:
                wanted = heapq.heappop(self._ready[lane])[1]
                self._running[lane] += 1
                self._waiting[lane] -= 1
                return wanted
        return None

    def ended(self, wanted: Wanted) -> None:
        """Forget a product that was taken: nothing is left to do."""
        self._running[wanted.lane] -= 1
        self._known.discard(wanted.product)
        self._since[wanted.lane].pop(wanted.product, None)

    def again(self, wanted: Wanted, at_s: float) -> None:
        """Put a product that was taken back, for a time or later."""
        self._running[wanted.lane] -= 1
        self._wait(wanted, at_s)

    def drain(self, lanes: Collection[Lane] = LANES) -> list[Wanted]:
        """Forget all of some lanes that wait, and return them; those under way are left."""
        waiting = [wanted for *_, wanted in self._later if wanted.lane in lanes]
        self._later = [each for each in self._later if each[-1].lane not in lanes]
        heapq.heapify(self._later)
        for lane in lanes:
            waiting += [wanted for _, wanted in self._ready[lane]]
            self._ready[lane].clear()
            self._waiting[lane] = 0
        self._known.difference_update(wanted.product for wanted in waiting)
        for wanted in waiting:
            self._since[wanted.lane].pop(wanted.product, None)
        return waiting

    @property
    def running(self) -> int:
        """How many are under way."""
        return sum(self._running.values())

    def count(self, lane: Lane) -> int:
        """Return how many of a lane wait, whatever for."""
        return self._waiting[lane]

    def oldest_s(self, lane: Lane) -> float:
        """Return for how many seconds the product of a lane that waits longest has waited; 0 = there is none."""
        first, since = self._first[lane], self._since[lane]
        while first and since.get(first[0][1]) != first[0][0]:
            heapq.heappop(first)  # it came, or was put back later
        return self.clock() - first[0][0] if first else 0.0

    def __len__(self) -> int:
        """Return how many are known, those under way included."""
        return len(self._known)

    def _wait(self, wanted: Wanted, at_s: float) -> None:
        self._waiting[wanted.lane] += 1
        heapq.heappush(self._later, (at_s, wanted.order, wanted))
