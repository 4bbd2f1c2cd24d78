"""What whoever drives the stream publishes, and what people do: no stage makes these collections."""

from __future__ import annotations

from shared.items.catalogue import Catalogue
from shared.items.champion import is_current_promotion
from shared.items.collections import MODEL_IMPORTS, PROMOTIONS, REQUESTS, WITHDRAWALS
from shared.items.item import Item
from shared.items.properties import RequestFacts
from shared.items.scenes import is_current_withdrawal
from shared.items.summary import present_state
from shared.stage.declare import Collection


def _is_present(item: Item, catalogue: Catalogue) -> bool:
    return RequestFacts.of(item).cube_state == present_state(catalogue)


def _always(item: Item, catalogue: Catalogue) -> bool:
    return True


PUBLISHES = (
    Collection(REQUESTS, "Training requests", "Cube states to be trained on.", _is_present),
    Collection(MODEL_IMPORTS, "Model imports", "Models that people brought, to be checked and scored.", _always),
    Collection(
        PROMOTIONS, "Promotions", "Which model makes the maps, one promotion after the other.", is_current_promotion
    ),
    Collection(
        WITHDRAWALS, "Withdrawals", "Products that are withdrawn or restored, by people.", is_current_withdrawal
    ),
)
