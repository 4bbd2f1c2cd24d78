"""Rounds of windows: a training goes through an area of which a part fits in memory, the next part read meanwhile."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import accumulate
from types import TracebackType

import numpy as np

from services.trainer.ground import Ground
from services.trainer.places import Place
from services.trainer.windows import Windows


@dataclass(frozen=True, eq=False)
class Round:
    """What some epochs learn from; equal is the same.

    Attributes:
        windows: n windows.
        ground: their labels.
    """

    windows: Windows
    ground: Ground


class Rounds:
    """Gives each epoch its windows; at most three rounds are in memory: the first one, another, and the one after it.

    A round lasts until as many patches were drawn as it holds windows that are learned from. After the last one the
    first one comes again.

    Args:
        first: is in memory all the time.
        places: of the rounds after it.
        read: reads one of them.
        patches: drawn in an epoch.
    """

    def __init__(
        self, first: Round, places: Sequence[Sequence[Place]], read: Callable[[Sequence[Place]], Round], patches: int
    ) -> None:
        self.first = first
        self._places, self._read = places, read
        learned = int(np.count_nonzero(first.ground.targets.any(axis=(1, 2))))
        counts = [learned, *map(len, places)]
        self._ends = list(accumulate(max(1, -(-count // patches)) for count in counts))
        self._reader = ThreadPoolExecutor(1)
        self._held: dict[int, Future[Round]] = {}

    def __enter__(self) -> Rounds:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._held.clear()
        self._reader.shutdown(cancel_futures=True)

    def number(self, epoch: int) -> int:
        """Return which round an epoch is of; 0 = the first."""
        return bisect_right(self._ends, epoch % self._ends[-1])

    def of(self, epoch: int, epochs: int) -> Round:
        """Return the round of an epoch, and begin to read the one after it.

        Args:
            epoch: number of the epoch.
            epochs: how many there are: what none of them needs is not read.
        """
        number = self.number(epoch)
        later = next((n for n in map(self.number, range(epoch, epochs)) if n != number), number)
        self._held = {n: self._held.get(n) or self._begin(n) for n in (number, later) if n}
        found = self._held[number].result() if number else self.first
        return found if found.ground.targets.any() else self.first

    def visited(self, epochs: int) -> list[Place]:
        """Return the places of the rounds that so many epochs learn from, but for the first round's."""
        numbers = sorted({self.number(epoch) for epoch in range(min(epochs, self._ends[-1]))} - {0})
        return [place for number in numbers for place in self._places[number - 1]]

    def _begin(self, number: int) -> Future[Round]:
        return self._reader.submit(self._read, self._places[number - 1])
