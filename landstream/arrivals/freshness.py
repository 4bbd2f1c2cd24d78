"""How long the steps of products took, from the satellite to the map: medians and 95th percentiles."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Final

from landstream.arrivals.follow import place_of
from landstream.table import Column
from landstream.tally import duration
from services.sweeper.moments import STEPS, Moments, Step, arrival_of, lags, mapped_products
from shared.items.catalogue import Catalogue
from shared.items.collections import MAPS
from shared.items.weeks import rfc3339
from shared.store import Store

WHOLE: Final = "sensed to mapped"
"""What the whole way is called."""

COLUMNS: Final = (Column("step"), Column("products"), Column("median"), Column("95 %"))


@dataclass(frozen=True)
class Lag:
    """How long a step took.

    Attributes:
        step: `sensed to published`, ..., or the whole way.
        products: how many took it, and say so.
        median_s: half of them took no longer, in seconds.
        p95_s: 95 percent of them took no longer, in seconds.
    """

    step: str
    products: int
    median_s: float
    p95_s: float

    def row(self) -> tuple[str, ...]:
        """Return what `COLUMNS` say of it."""
        return self.step, str(self.products), _said(self.median_s), _said(self.p95_s)


def lags_of(products: Iterable[Moments]) -> list[Lag]:
    """Return how long each step took, in their order, then the whole way; without those that nobody knows of."""
    taken: dict[Step, list[float]] = {step: [] for step in STEPS}
    whole = []
    for moments in products:
        for step, seconds in lags(moments):
            taken[step].append(seconds)
        if STEPS[0] in moments and STEPS[-1] in moments:
            whole.append(max(0.0, moments[STEPS[-1]] - moments[STEPS[0]]))
    names = (f"{before} to {step}" for before, step in pairwise(STEPS))
    seen = [*zip(names, (taken[step] for step in STEPS[1:]), strict=True), (WHOLE, whole)]
    return [_lag(name, seconds) for name, seconds in seen if seconds]


def _lag(name: str, seconds: Sequence[float]) -> Lag:
    p95 = statistics.quantiles(seconds, n=20, method="inclusive")[-1] if len(seconds) > 1 else seconds[0]
    return Lag(name, len(seconds), round(statistics.median(seconds), 3), round(p95, 3))


@dataclass(frozen=True)
class Way:
    """The way of one mapped product.

    Attributes:
        week: in which it was sensed.
        place: its MGRS tile, or `olci`.
        product: its name.
        moments: when it took each step.
    """

    week: str
    place: str
    product: str
    moments: Moments

    def json(self) -> dict[str, str]:
        """Return it as JSON; times are of UTC, of steps that nobody knows of there are none."""
        known = ((str(step), self.moments[step]) for step in STEPS if step in self.moments)
        times = {step: rfc3339(datetime.fromtimestamp(at_s, UTC)) for step, at_s in known}
        return {"week": self.week, "place": self.place, "product": self.product, **times}

    def row(self) -> tuple[str, ...]:
        """Return what `WAY_COLUMNS` say of it."""
        said = self.json()
        return self.week, self.place, *(said.get(step, "")[5:16].replace("T", " ") for step in STEPS)


WAY_COLUMNS: Final = (Column("week"), Column("place"), *map(Column, STEPS))


def ways_of(store: Store, catalogue: Catalogue, weeks: int) -> Iterator[Way]:
    """Yield the ways of the mapped products of the newest weeks with maps; a week is let go before the next.

    Args:
        store: where items and offers lie.
        catalogue: of that store.
        weeks: how many.
    """
    for week in list(catalogue.weeks(MAPS))[-weeks:]:
        for product, made in sorted(mapped_products(store, catalogue, week).items()):
            yield Way(week, place_of(product), product, {**arrival_of(store, week, product), **made})
        catalogue.let_go(week)


def _said(seconds: float) -> str:
    return duration(seconds) if seconds < 172_800 else f"{seconds / 86_400:.1f} d"
