"""The models so far, each with what it was trained on and when it was published."""

from __future__ import annotations

from contextlib import suppress

from services.sweeper.schedule import Training
from shared.items.catalogue import Catalogue
from shared.items.collections import LABELS, MODELS, REQUESTS
from shared.items.item import Item
from shared.items.properties import RequestFacts
from shared.store import NotFound, Store


class Trainings:
    """Reads the time of each model's item once: an item never changes.

    Args:
        store: holds the items.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._at_s: dict[str, float] = {}

    def of(self, catalogue: Catalogue) -> list[Training]:
        """Return what is known of each model; of one without a request (an imported one) the time alone."""
        found = []
        for model in catalogue.items(MODELS):
            if model.id not in self._at_s:
                with suppress(NotFound):  # deleted since it was listed: the next look does not see it
                    self._at_s[model.id] = self._store.head(model.key).modified_s
            if model.id in self._at_s:
                found.append(_training(model, catalogue, self._at_s[model.id]))
        return found


def _training(model: Item, catalogue: Catalogue, at_s: float) -> Training:
    request = next((i for i in catalogue.inputs(model) if i.collection == REQUESTS), None)
    if request is None:
        return Training(at_s, {}, frozenset())
    labels = frozenset(item_id for collection, item_id in request.derived_from if collection == LABELS)
    return Training(at_s, RequestFacts.of(request).tile_weeks, labels)
