"""Which map of a sheet and week is current, and whether there is one."""

from __future__ import annotations

from collections.abc import Sequence

from shared.items.catalogue import Catalogue
from shared.items.champion import promotion_number
from shared.items.collections import MAPS, UPDATES
from shared.items.item import Item
from shared.items.sheets import Sheet
from shared.items.tiles import week_tiles


def is_current_map(item: Item, catalogue: Catalogue) -> bool:
    """Return whether a map fits the cube's ledger, and is of the model promoted last among those that do.

    The ledger knows products, not masks: the updates that a map was derived from must be current, too.
    """
    sheet, ledger = sheet_of_json(item.properties["landstream:sheet"]), item.properties["landstream:ledger"]
    if week_tiles(catalogue, item.week).ledger_digest(sheet) != ledger:
        return False
    return _promoted_last(item.product, item.week, catalogue) == item.id


def _promoted_last(product: str, week: str, catalogue: Catalogue) -> str | None:
    """Return the id of the map of a sheet, week and ledger whose model was promoted last; once a look."""
    found = catalogue.once(week, "current maps", dict[str, str | None])
    if product not in found:
        same = [i for i in catalogue.of_product(MAPS, product, week) if shows_current(i, catalogue)]
        ranks = ((promotion_number(_model_of(i), catalogue), i.stage_version, i.id) for i in same)
        found[product] = max((rank for rank in ranks if rank[0] > 0), default=(0, 0, None))[2]
    return found[product]


def shows_current(item: Item, catalogue: Catalogue) -> bool:
    """Return whether the updates that a map was derived from are all current."""
    updates = [source for source in item.sources if source[0] == UPDATES]
    found = [i for i in catalogue.inputs(item) if i.collection == UPDATES]
    return len(found) == len(updates) and all(map(catalogue.is_current, found))


def is_mapped(sheet: Sheet, week: str, ledger: str, catalogue: Catalogue) -> bool:
    """Return whether a model has mapped a sheet with this ledger."""
    same = catalogue.index(MAPS, week, "ledger").get(ledger, ())
    return any(sheet_of_json(m.properties["landstream:sheet"]) == sheet for m in same)


def _model_of(item: Item) -> str:
    return str(item.properties["landstream:model"])


def sheet_of_json(value: Sequence[int]) -> Sheet:
    """Return a sheet as JSON holds it."""
    return int(value[0]), int(value[1])
