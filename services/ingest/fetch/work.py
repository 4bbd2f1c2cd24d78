"""What is left to do in a term: what waits to be fetched, is under way, or lies in `landing/` for ingest to take in."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Collection
from threading import Lock

from services.ingest.fetch.queue import LANES, Lane, Queue, Wanted


class Work:
    """The queue and what came of it. Its calls may come from any thread, and never leave a product in neither place.

    Args:
        backfill_limit: products of the past that may be under way at once.
        ahead: products that may wait for ingest before nothing more is taken.
        spare: how many more may wait of what is new, so that the past does not keep it waiting.
    """

    def __init__(self, backfill_limit: int, ahead: int, spare: int = 0) -> None:
        self._queue, self._ahead, self._spare, self._lock = Queue(backfill_limit), ahead, spare, Lock()
        self._landed: OrderedDict[str, tuple[Wanted, str]] = OrderedDict()
        self._waits: dict[str, str] = {}
        self._held_s = self._past_held_s = 0.0

    def put(self, wanted: Wanted, waited_s: float = 0.0) -> None:
        """Add a product that is to be fetched, and waits since some seconds; nothing happens where it is there."""
        with self._lock:
            self._queue.put(wanted, waited_s=waited_s)

    def take(self, now_s: float) -> Wanted | None:
        """Return what is to be fetched now; `land`, `again` or `end` must follow. None = nothing yet."""
        with self._lock:
            count = len(self._landed) + self._queue.running
            if now_s < self._held_s or count >= self._ahead + self._spare:
                return None
            return self._queue.take(now_s, only_forward=count >= self._ahead or now_s < self._past_held_s)

    def land(self, wanted: Wanted, unit: str) -> None:
        """Say that a product lies in `landing/`, as a unit of a name."""
        with self._lock:
            self._queue.ended(wanted)
            self._waits.pop(wanted.product, None)
            self._landed[wanted.product] = (wanted, unit)

    def again(self, wanted: Wanted, at_s: float, reason: str) -> None:
        """Put a product back, for a time or later."""
        with self._lock:
            self._waits[wanted.product] = reason
            self._queue.again(wanted, at_s)

    def end(self, wanted: Wanted, left: str = "") -> None:
        """Forget a product: nothing is left to do, or it is left to another run for a reason."""
        with self._lock:
            self._queue.ended(wanted)
            self._leave(wanted, left)

    def hold(self, until_s: float) -> None:
        """Take nothing until a time."""
        with self._lock:
            self._held_s = max(self._held_s, until_s)

    def hold_past(self, until_s: float) -> None:
        """Take nothing of the past until a time."""
        with self._lock:
            self._past_held_s = max(self._past_held_s, until_s)

    def leave_all(self, reason: str, lanes: Collection[Lane] = LANES) -> None:
        """Leave all that waits of some lanes to another run."""
        with self._lock:
            for wanted in self._queue.drain(lanes):
                self._leave(wanted, reason)

    def landed(self, count: int) -> list[tuple[Wanted, str]]:
        """Return some of those that lie in `landing/`, with the names of their units; each in its turn."""
        with self._lock:
            some = list(self._landed)[:count]
            for product in some:
                self._landed.move_to_end(product)
            return [self._landed[product] for product in some]

    def settle(self, wanted: Wanted, is_wanted: bool = False) -> None:
        """Forget a product that lay in `landing/`, or want it again."""
        with self._lock:
            if self._landed.pop(wanted.product, None) and is_wanted:
                self._queue.put(wanted)

    @property
    def is_done(self) -> bool:
        """Whether nothing waits, is under way, or lies in `landing/`."""
        with self._lock:
            return not self._landed and not len(self._queue)

    @property
    def running(self) -> int:
        """How many are under way."""
        with self._lock:
            return self._queue.running

    def count(self, lane: Lane) -> int:
        """Return how many of a lane wait, whatever for."""
        with self._lock:
            return self._queue.count(lane)

    def oldest_s(self, lane: Lane) -> float:
        """Return for how many seconds the product of a lane that waits longest has waited; 0 = there is none."""
        with self._lock:
            return self._queue.oldest_s(lane)

    def waits(self) -> Counter[str]:
        """Return what products wait for -> how many."""
        with self._lock:
            return Counter(self._waits.values())

    def _leave(self, wanted: Wanted, reason: str) -> None:
        if reason:
            self._waits[wanted.product] = reason
        else:
            self._waits.pop(wanted.product, None)
