"""Tells how long each step of a product took, once, when it is mapped for the first time."""

from __future__ import annotations

from services.sweeper.moments import arrival_of, lags, mapped_products
from shared.items.catalogue import Catalogue
from shared.items.collections import MAPS
from shared.items.keys import items_prefix
from shared.observe.metrics import FRESHNESS_STEP
from shared.store import Store


class Lags:
    """Watches weeks for products that are newly mapped; what was mapped before the first look is not told.

    Args:
        store: where items and offers lie.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._looked = False
        self._tokens: dict[str, str] = {}
        self._before_s: dict[str, float] = {}
        self._told: dict[str, set[str]] = {}

    def see(self, catalogue: Catalogue, week: str, token: str) -> None:
        """Tell of the products of a week that are newly mapped; nothing is done while its token is the same."""
        known = self._tokens.get(week)
        if known == token:
            return
        self._tokens[week] = token
        if known is None and not self._looked:
            self._before_s[week] = self._newest_s(catalogue, week)
            return
        told = self._told.setdefault(week, set())
        for product, made in mapped_products(self._store, catalogue, week).items():
            if made["mapped"] <= self._before_s.get(week, 0.0) or product in told:
                continue
            told.add(product)
            for step, seconds in lags({**arrival_of(self._store, week, product), **made}):
                FRESHNESS_STEP.labels(step).observe(seconds)

    def finish(self) -> None:
        """Take it that all weeks were seen: of those that come from now on, all is new."""
        self._looked = True

    def _newest_s(self, catalogue: Catalogue, week: str) -> float:
        """Return when the newest map of a week was made, by the store's clock; 0 where there is none."""
        if week not in catalogue.weeks(MAPS):
            return 0.0
        return max((stored.modified_s for stored in self._store.list(items_prefix(MAPS, week))), default=0.0)
