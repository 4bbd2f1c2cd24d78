"""Which mask of a scene is current: that of the first source of the area's `masks:` that there is."""

from __future__ import annotations

from shared.area import Area
from shared.area.masks import OWN, MaskSource
from shared.items.catalogue import Catalogue, from_current_inputs, is_latest
from shared.items.collections import DELIVERED_MASKS
from shared.items.ids import digest8
from shared.items.item import Item
from shared.items.properties import DeliveredMaskFacts, mask_product


def chosen_mask(scene: Item, catalogue: Catalogue, area: Area) -> Item | str:
    """Return the delivered mask that a scene's mask is to be made of; `own` for one of our own; empty for none yet."""
    for mask in area.masks:
        if isinstance(mask, str):
            return OWN
        product = mask_product(scene.product, mask.source)
        delivered = catalogue.of_product(DELIVERED_MASKS, product, scene.week)
        if current := [item for item in delivered if catalogue.is_current(item)]:
            return current[-1]
    return ""


def source_of(delivered: Item, area: Area) -> MaskSource:
    """Return what the area's `masks:` say of the source of a delivered mask."""
    name = DeliveredMaskFacts.of(delivered).mask_source
    return next(mask for mask in area.masks if isinstance(mask, MaskSource) and mask.source == name)


def values_digest(source: MaskSource) -> str:
    """Return a digest of what the values of a source mean: whoever changes them has its masks made again."""
    return digest8(source.model_dump(mode="json"))


def is_current_mask(item: Item, catalogue: Catalogue) -> bool:
    """Return whether a mask is the latest of its scene's current product that is made of the chosen source.

    Of its source's values, too, as the area has them now.
    """
    return is_latest(item, catalogue, _is_as_chosen)


def _is_as_chosen(item: Item, catalogue: Catalogue) -> bool:
    if not from_current_inputs(item, catalogue):
        return False
    chosen = chosen_mask(catalogue.inputs(item)[0], catalogue, catalogue.area)
    made_of = [source for collection, source in item.derived_from if collection == DELIVERED_MASKS]
    if isinstance(chosen, str):
        return chosen == OWN and not made_of
    digest = values_digest(source_of(chosen, catalogue.area))
    return made_of == [chosen.id] and item.properties.get("landstream:mask_values", digest) == digest
