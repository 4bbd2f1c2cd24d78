"""Which map of a sheet and week is current, and whether there is one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from services.inference.reads import expected_ledger, inputs_of_map
from shared.items.catalogue import Catalogue
from shared.items.champion import promotion_number
from shared.items.collections import MAPS, UPDATES
from shared.items.item import Item
from shared.items.sheets import Sheet

APPLICABILITY: Final = "applicability"
"""Asset of a model that says where it applies, asset of a map that shows it, and what the job of such a map says."""


def is_current_map(item: Item, catalogue: Catalogue) -> bool:
    """Return whether a map fits the cube's ledger, and is of the model promoted last among those that do.

    Of two maps of one model the one with the layer of its area of applicability is current: it shows more. The ledger
    knows products, not masks: the updates that a map was derived from must be current, too.
    """
    sheet = sheet_of_json(item.properties["landstream:sheet"])
    found = catalogue.once(item.week, "current maps", dict[Sheet, str | None])
    if sheet not in found:
        same = [i for i in _maps_of(sheet, item.week, catalogue) if fits(i, catalogue) and shows_current(i, catalogue)]
        ranks = (
            (promotion_number(_model_of(i), catalogue), i.stage_version, APPLICABILITY in i.assets, i.id) for i in same
        )
        found[sheet] = max((rank for rank in ranks if rank[0] > 0), default=(0, 0, False, None))[-1]
    return found[sheet] == item.id


def fits(item: Item, catalogue: Catalogue) -> bool:
    """Return whether a map was made of what the cube holds now of all that its model reads."""
    sheet, inputs = sheet_of_json(item.properties["landstream:sheet"]), inputs_of_map(item, catalogue)
    return bool(expected_ledger(sheet, item.week, inputs, catalogue) == item.properties["landstream:ledger"])


def _maps_of(sheet: Sheet, week: str, catalogue: Catalogue) -> Sequence[Item]:
    return catalogue.index(MAPS, week, "sheet").get(str(list(sheet)), ())


def shows_current(item: Item, catalogue: Catalogue) -> bool:
    """Return whether the updates that a map was derived from are all current."""
    updates = [source for source in item.sources if source[0] == UPDATES]
    found = [i for i in catalogue.inputs(item) if i.collection == UPDATES]
    return len(found) == len(updates) and all(map(catalogue.is_current, found))


def is_mapped(sheet: Sheet, week: str, catalogue: Catalogue) -> bool:
    """Return whether what the cube holds now of a sheet was mapped by the last champion that mapped the sheet at all.

    A map of an older one may fit still, where that model reads less: it does not stand in for the later one's.
    """
    known = [(promotion_number(_model_of(item), catalogue), item) for item in _maps_of(sheet, week, catalogue)]
    last = max((number for number, _ in known), default=0)
    return any(number == last and fits(item, catalogue) for number, item in known)


def is_layered(sheet: Sheet, week: str, model: Item, catalogue: Catalogue) -> bool:
    """Return whether a model's map of what the cube holds now of a sheet says where the model applies."""
    return any(
        APPLICABILITY in item.assets and fits(item, catalogue) and shows_current(item, catalogue)
        for item in _maps_of(sheet, week, catalogue)
        if _model_of(item) == model.id
    )


def _model_of(item: Item) -> str:
    return str(item.properties["landstream:model"])


def sheet_of_json(value: Sequence[int]) -> Sheet:
    """Return a sheet as JSON holds it."""
    return int(value[0]), int(value[1])
