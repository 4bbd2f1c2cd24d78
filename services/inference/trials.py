"""Trials: maps of a share of the sheets by the challenger, beside the champion's, for people to look at."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

from services.inference.current_map import sheet_of_json, shows_current
from services.inference.maps import Assets, map_job
from services.inference.reads import concerned, expected_ledger
from shared.area import Area
from shared.items.catalogue import Catalogue
from shared.items.champion import challenger, champion
from shared.items.collections import TRIALS
from shared.items.ids import digest8
from shared.items.item import Item
from shared.items.model_inputs import inputs_of_model
from shared.items.sheets import Sheet, sheets_of
from shared.items.summary import remapped_weeks
from shared.items.tiles import week_tiles
from shared.stage.declare import Job


def trial_sheets(area: Area) -> frozenset[Sheet]:
    """Return the sheets that the challenger maps, too: `canary_percent` of all, at least one; always the same ones."""
    sheets = sheets_of(area.grid.rows, area.grid.cols)
    count = math.ceil(len(sheets) * area.canary_percent / 100)
    return frozenset(sorted(sheets, key=lambda sheet: digest8([area.name, *sheet]))[:count])


def plan_trials(sheets: Iterable[Sheet], week: str, catalogue: Catalogue, assets: Assets) -> Iterator[Job]:
    """Plan the trials of some sheets in one of the last weeks."""
    model = _on_trial(catalogue)
    if model is not None and week in remapped_weeks(catalogue):
        chosen = trial_sheets(catalogue.area)
        yield from (map_job(s, week, model, catalogue, assets, TRIALS) for s in sheets if s in chosen)


def plan_trials_of_update(update: Item, catalogue: Catalogue, assets: Assets) -> Iterator[Job]:
    """Plan the trials that an update changes."""
    model = _on_trial(catalogue)
    if model is not None:
        for week, sheets in concerned(update, inputs_of_model(model), catalogue):
            yield from plan_trials(sheets, week, catalogue, assets)


def plan_trials_of(model: Item, catalogue: Catalogue, assets: Assets) -> list[Job]:
    """Plan the trials of a new challenger, newest week first; of another model, none."""
    found = _on_trial(catalogue)
    if found is None or found.id != model.id or champion(catalogue) is None:
        return []
    return [
        job
        for week in reversed(remapped_weeks(catalogue))
        for job in plan_trials(sorted(week_tiles(catalogue, week).inside), week, catalogue, assets)
    ]


def _on_trial(catalogue: Catalogue) -> Item | None:
    return challenger(catalogue) if catalogue.area.canary_percent else None


def is_current_trial(item: Item, catalogue: Catalogue) -> bool:
    """Return whether a trial is the challenger's and shows what the cube holds."""
    model = challenger(catalogue)
    if model is None or model.id != item.properties["landstream:model"]:
        return False
    sheet = sheet_of_json(item.properties["landstream:sheet"])
    fits = expected_ledger(sheet, item.week, inputs_of_model(model), catalogue) == item.properties["landstream:ledger"]
    return bool(fits) and shows_current(item, catalogue)
