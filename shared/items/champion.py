"""The champion: the model that the promotion of the highest number names."""

from __future__ import annotations

from shared.items.catalogue import Catalogue
from shared.items.collections import EVALUATIONS, MODELS, PROMOTIONS
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


def challenger(catalogue: Catalogue) -> Item | None:
    """Return the newest model that was never promoted and has lost no comparison; None where there is no such model.

    Newest is what was trained on the latest week, of those on the most weeks and windows.
    """
    found = catalogue.once(STATIC, "challenger", list[Item | None])
    if not found:
        compared = catalogue.index(EVALUATIONS, STATIC, "challenger")
        lost = {name for name, items in compared.items() if any(_is_lost(item) for item in items)}
        open_ = (m for m in catalogue.items(MODELS) if m.id not in lost and not promotion_number(m.id, catalogue))
        found.append(max(open_, key=_newness, default=None))
    return found[0]


def _is_lost(evaluation: Item) -> bool:
    return bool(evaluation.properties["landstream:verdict"] == "not better")


def _newness(model: Item) -> tuple[str, int, int, str]:
    weeks = model.properties.get("landstream:weeks") or [""]
    windows = model.properties.get("landstream:windows") or {}
    return str(weeks[-1]), len(weeks), int(windows.get("training", [0])[-1]), model.id


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
