"""Which models a store has, and which of them were champion when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from shared.items.catalogue import Catalogue
from shared.items.champion import champion
from shared.items.collections import MODELS, PROMOTIONS
from shared.items.item import Item
from shared.items.model_imports import is_imported
from shared.items.properties import PromotionFacts
from shared.items.weeks import STATIC


class NoSuchModel(ValueError):
    """Raised when no model is meant by what a person wrote; the message says what there is."""


@dataclass(frozen=True)
class Model:
    """A model of a store.

    Attributes:
        item: its item.
        promotions: those that name it, oldest first.
        is_champion: whether maps are made with it.
    """

    item: Item
    promotions: tuple[Item, ...]
    is_champion: bool

    @property
    def is_imported(self) -> bool:
        """Whether it was brought, and not trained here."""
        return is_imported(self.item)

    @property
    def metrics(self) -> dict[str, Any]:
        """Its scores on the hold-out; empty where it was not scored."""
        found: dict[str, Any] = self.item.properties.get("landstream:metrics", {})
        return found


def models_of(catalogue: Catalogue) -> list[Model]:
    """Return the models: those that were promoted, the champion first, then the others by id."""
    present = champion(catalogue)
    by_model = catalogue.index(PROMOTIONS, STATIC, "model")
    found = [
        Model(
            item,
            tuple(sorted(by_model.get(item.id, ()), key=lambda p: p.number)),
            present is not None and item.id == present.id,
        )
        for item in catalogue.items(MODELS)
    ]
    return sorted(found, key=lambda m: (-m.promotions[-1].number if m.promotions else 0, m.item.id))


def find_model(models: Sequence[Model], asked: str) -> Model:
    """Return the model of an id, or of its beginning.

    Raises:
        NoSuchModel: there is none, or there are several.
    """
    found = [m for m in models if m.item.id == asked] or [m for m in models if asked and m.item.id.startswith(asked)]
    if len(found) == 1:
        return found[0]
    ids = [m.item.id for m in models]
    if found:
        raise NoSuchModel(f"{asked}: begins {len(found)} ids ({', '.join(m.item.id for m in found)}); write more of it")
    near = get_close_matches(asked, ids, 1)
    there = f"did you mean {near[0]}?" if near else f"there are {', '.join(ids)}" if ids else "there is none yet"
    raise NoSuchModel(f"{asked}: no model of this id; {there}")


def champion_before(catalogue: Catalogue) -> Item:
    """Return the model that was champion before the present one; what was gone back from does not count.

    Raises:
        NoSuchModel: there is no champion, or none before it.
    """
    if champion(catalogue) is None:
        raise NoSuchModel("no model is champion: there is nothing to go back from")
    line: list[Item] = []
    for promotion in sorted(catalogue.items(PROMOTIONS), key=lambda p: p.number):
        model = catalogue.find(MODELS, PromotionFacts.of(promotion).model)
        if model is None:
            continue
        ids = [m.id for m in line]
        line = line[: ids.index(model.id) + 1] if model.id in ids else [*line, model]
    if len(line) < 2:
        raise NoSuchModel(f"{line[-1].id}: no champion before it; `landstream model promote ID` makes any model one")
    return line[-2]
