"""The trainings that were asked for, each with what it read and when its model was published."""

from __future__ import annotations

from contextlib import suppress

from services.sweeper.schedule import Training
from shared.items.catalogue import Catalogue
from shared.items.collections import LABELS, MODELS, REQUESTS
from shared.items.item import Item
from shared.items.properties import RequestFacts
from shared.store import NotFound, Store


class Trainings:
    """Asks for the time of each model's item once: an item never changes.

    Args:
        store: holds the items.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._at_s: dict[str, float] = {}

    def of(self, catalogue: Catalogue) -> list[Training]:
        """Return the trainings of a store; of a model without a request (an imported one) the time alone."""
        published: dict[str | None, float] = {}
        for model in catalogue.items(MODELS):
            if model.id not in self._at_s:
                with suppress(NotFound):  # deleted since it was listed: the next look does not see it
                    self._at_s[model.id] = self._store.head(model.key).modified_s
            request = next((item_id for collection, item_id in model.derived_from if collection == REQUESTS), None)
            published[request] = max(self._at_s.get(model.id, 0.0), published.get(request, 0.0))
        found = [_training(request, published.get(request.id)) for request in catalogue.items(REQUESTS)]
        return [*found, Training(published[None], {}, frozenset())] if None in published else found


def _training(request: Item, at_s: float | None) -> Training:
    labels = frozenset(item_id for collection, item_id in request.derived_from if collection == LABELS)
    return Training(at_s, RequestFacts.of(request).tile_weeks, labels)
