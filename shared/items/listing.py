"""A listing that may take several looks: what lies below a prefix, kept from one look to the next."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Generic, TypeVar

T = TypeVar("T")


class Listing(Generic[T]):
    """What lies below a prefix, by key.

    A look that ends before the listing does adds what it came to; what the last whole listing held stands until the
    next one is through.

    Args:
        start: begins a listing.
        key: the key of what it gives.
        clock: seconds, monotonic.

    Attributes:
        whole: whether the end was reached once: before, there may be more than is known.
    """

    def __init__(
        self, start: Callable[[], Iterable[T]], key: Callable[[T], str], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._start, self._key, self._clock = start, key, clock
        self._last: dict[str, T] = {}
        self._new: dict[str, T] = {}
        self._rest: Iterator[T] | None = None
        self.whole = False

    def look(self, within_s: float = math.inf) -> Mapping[str, T]:
        """List on, from where the last look ended, for no longer than this; key -> what is known of it."""
        deadline = self._clock() + within_s
        rest, self._rest = self._rest, None  # a look that fails is not gone on with
        if rest is None:
            rest, self._new = iter(self._start()), {}
        for found in rest:
            self._new[self._key(found)] = found
            if self._clock() > deadline:
                self._rest = rest
                return {**self._last, **self._new}
        self._last, self._new, self.whole = self._new, {}, True
        return self._last
