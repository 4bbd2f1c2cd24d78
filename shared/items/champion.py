"""The champion: the model that the promotion of the highest number names."""

from __future__ import annotations

from shared.items.catalogue import Catalogue
from shared.items.collections import MODELS, PROMOTIONS
from shared.items.ids import split_id
from shared.items.item import Item
from shared.items.properties import PromotionFacts
from shared.items.weeks import STATIC


def last_promotion(catalogue: Catalogue) -> Item | None:
    """Return the promotion of the highest number; None before the first one.

    One that cannot be read, as something else wrote it, is passed over.
    """
    found = catalogue.once(STATIC, "last promotion", list[Item | None])
    if not found:
        newest_first = sorted(catalogue.ids(PROMOTIONS), key=lambda i: split_id(i).number, reverse=True)
        found.append(next((p for i in newest_first if (p := catalogue.find(PROMOTIONS, i)) is not None), None))
    return found[0]


def champion(catalogue: Catalogue) -> Item | None:
    """Return the model with which maps are made; None before the first promotion."""
    promotion = last_promotion(catalogue)
    if promotion is None:
        return None
    return catalogue.find(MODELS, PromotionFacts.of(promotion).model)


def promotion_number(model_id: str, catalogue: Catalogue) -> int:
    """Return the number of a model's last promotion; 0 if it never had one."""
    promotions = catalogue.index(PROMOTIONS, STATIC, "model").get(model_id, ())
    return max((p.number for p in promotions), default=0)


def is_current_promotion(item: Item, catalogue: Catalogue) -> bool:
    """Return whether a promotion is the last one."""
    last = last_promotion(catalogue)
    return last is not None and last.id == item.id


def is_champion(item: Item, catalogue: Catalogue) -> bool:
    """Return whether a model is the champion."""
    found = champion(catalogue)
    return found is not None and found.id == item.id
