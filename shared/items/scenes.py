"""Which registered products of a scene are current: withdrawals, versions, twins."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from shared.items.collections import WITHDRAWALS
from shared.items.item import Item
from shared.items.properties import WithdrawalFacts

if TYPE_CHECKING:
    from shared.area import Area
    from shared.items.catalogue import Catalogue

WITHDRAWN: Final = "withdrawn"
RESTORED: Final = "restored"
"""The states that a withdrawal can say; the highest number of a product rules."""


STOPGAP: Final = 9900
"""First baseline that is none of ESA's own processing: 99.xx is what Sen2Cor and stop-gap processing write."""

Rank = tuple[tuple[int, int, str], ...]
"""What the products of a scene are ordered by: the highest is current."""


def rank(version: Sequence[object], area: Area) -> Rank:
    """Return what a product's version is ordered by in an area: numbers before texts, and an absent number is 0.

    Of one baseline, COGs are -1 and what ESA delivers says nothing. Baselines 99.xx are below every official one where
    the area does not say otherwise.

    Args:
        version: as the item's `product_version` or the product's name tells it.
        area: the study area.
    """
    parts = tuple((0, int(p), "") if isinstance(p, int | float) else (1, 0, str(p)) for p in (*version, 0))
    kind, number, _ = parts[0]
    is_below = kind == 0 and number >= STOPGAP and area.toolbox_baselines == "below"
    return ((0, 0 if is_below else 1, ""), *parts)


def _rank(item: Item, catalogue: Catalogue) -> Rank:
    return rank(item.properties.get("landstream:product_version", ()), catalogue.area)


def is_current_scene(item: Item, catalogue: Catalogue) -> bool:
    """Return whether a product is of the highest usable version of its scene; twin products are all current."""
    return item.id in current_of_scene(item, catalogue)


def current_of_scene(item: Item, catalogue: Catalogue) -> frozenset[str]:
    """Return the ids of the current items of an item's scene.

    A product that is withdrawn does not count. Nor, where the scene has another item (a version, a twin, or the same
    product delivered again), does one whose picture a later stage could not decode.
    """
    same = [i for i in scene_items(item, catalogue) if not is_withdrawn(i.product, catalogue)]
    if len(same) > 1:
        same = [i for i in same if not catalogue.is_broken(i)] or same
    if not same:
        return frozenset()
    highest = max(_rank(i, catalogue) for i in same)
    latest: dict[str, Item] = {}
    for other in sorted(same, key=lambda i: (i.stage_version, i.id)):
        if _rank(other, catalogue) == highest:
            latest[other.product] = other
    return frozenset(i.id for i in latest.values())


def scene_items(item: Item, catalogue: Catalogue) -> Sequence[Item]:
    """Return the items of an item's scene, in its collection and week, by id."""
    return catalogue.index(item.collection, item.week, "scene").get(str(item.properties["landstream:scene"]), ())


def outdated_products(item: Item, catalogue: Catalogue) -> list[str]:
    """Return the products of an item's scene of which nothing is current: superseded, withdrawn or broken, by name."""
    same, current = scene_items(item, catalogue), current_of_scene(item, catalogue)
    return sorted({i.product for i in same} - {i.product for i in same if i.id in current})


def products_below(item: Item, catalogue: Catalogue) -> list[str]:
    """Return the products of an item's scene that are current and of a lower version, by name: it was above them."""
    same, current, own = scene_items(item, catalogue), current_of_scene(item, catalogue), _rank(item, catalogue)
    return sorted({i.product for i in same if i.id in current and _rank(i, catalogue) < own})


def is_current_withdrawal(item: Item, catalogue: Catalogue) -> bool:
    """Return whether a withdrawal is the last word on its product."""
    return item == last_word(item.product, catalogue)


def is_withdrawn(product: str, catalogue: Catalogue) -> bool:
    """Return whether the last withdrawal of a product says `withdrawn`, also before it arrives."""
    last = last_word(product, catalogue)
    return last is not None and WithdrawalFacts.of(last).state == WITHDRAWN


def last_word(product: str, catalogue: Catalogue) -> Item | None:
    """Return the withdrawal of the highest number of a product; None where nothing was said of it."""
    return max(catalogue.of_product(WITHDRAWALS, product), key=lambda i: i.number, default=None)


def is_of_withdrawal(update: Item) -> bool:
    """Return whether a cube update was made of a withdrawal: it counts in no ledger, cube state or digest."""
    return any(collection == WITHDRAWALS for collection, _ in update.derived_from)
