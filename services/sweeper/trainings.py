"""The trainings that were asked for, each with what it read and when."""

from __future__ import annotations

from contextlib import suppress

from services.sweeper.schedule import Training
from shared.items.catalogue import Catalogue
from shared.items.collections import LABELS, MODELS, REQUESTS
from shared.items.item import Item
from shared.items.model_imports import is_imported
from shared.items.properties import RequestFacts
from shared.store import NotFound, Store


class Trainings:
    """Asks for the time of each request and model once, and reads each request once: an item never changes.

    Args:
        store: holds the items.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._times_s: dict[str, float] = {}
        self._asked: dict[str, Training] = {}

    def of(self, catalogue: Catalogue) -> list[Training]:
        """Return the trainings of a store; of a model without a request the time alone.

        An imported model is none: what it was trained on says nothing of whether a further training is due.
        """
        published: dict[str | None, float] = {}
        for model in catalogue.items(MODELS):
            if is_imported(model):
                continue
            request = next((item_id for collection, item_id in model.derived_from if collection == REQUESTS), None)
            published[request] = max(self._time_s(model), published.get(request, 0.0))
        found = [self._training(request, published.get(request.id)) for request in catalogue.items(REQUESTS)]
        if None in published:
            found.append(Training(published[None], published[None], {}, frozenset()))
        return found

    def _training(self, request: Item, at_s: float | None) -> Training:
        known = self._asked.get(request.id)
        if known is None or known.at_s != at_s:
            labels = frozenset(item_id for collection, item_id in request.derived_from if collection == LABELS)
            known = Training(self._time_s(request), at_s, RequestFacts.of(request).tile_weeks, labels)
            self._asked[request.id] = known
        return known

    def _time_s(self, item: Item) -> float:
        """Return when an item was published, in seconds since the epoch; 0 if it was deleted since it was listed."""
        if item.id not in self._times_s:
            with suppress(NotFound):
                self._times_s[item.id] = self._store.head(item.key).modified_s
        return self._times_s.get(item.id, 0.0)
