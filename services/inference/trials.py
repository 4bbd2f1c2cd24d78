"""Trials: maps of a share of the sheets by the challenger, beside the champion's, for people to look at."""

from __future__ import annotations

import math
from collections.abc import Iterable

from services.inference.current_map import sheet_of_json, shows_current
from shared.area import Area
from shared.items.catalogue import Catalogue
from shared.items.champion import challenger
from shared.items.ids import digest8
from shared.items.item import Item
from shared.items.sheets import Sheet, sheets_of
from shared.items.tiles import week_tiles


def trial_sheets(area: Area) -> frozenset[Sheet]:
    """Return the sheets that the challenger maps, too: `canary_percent` of all, at least one; always the same ones."""
    sheets = sheets_of(area.grid.rows, area.grid.cols)
    count = math.ceil(len(sheets) * area.canary_percent / 100)
    return frozenset(sorted(sheets, key=lambda sheet: digest8([area.name, *sheet]))[:count])


def on_trial(sheets: Iterable[Sheet], catalogue: Catalogue) -> tuple[Item | None, list[Sheet]]:
    """Return the challenger and those of some sheets that it maps; (None, []) where nothing is on trial."""
    if not catalogue.area.canary_percent:
        return None, []
    model = challenger(catalogue)
    if model is None:
        return None, []
    chosen = trial_sheets(catalogue.area)
    return model, [sheet for sheet in sheets if sheet in chosen]


def is_current_trial(item: Item, catalogue: Catalogue) -> bool:
    """Return whether a trial is the challenger's and shows what the cube holds."""
    model = challenger(catalogue)
    if model is None or model.id != item.properties["landstream:model"]:
        return False
    sheet = sheet_of_json(item.properties["landstream:sheet"])
    fits = week_tiles(catalogue, item.week).ledger_digest(sheet) == item.properties["landstream:ledger"]
    return bool(fits) and shows_current(item, catalogue)
