"""Which maps are due: those of what changed, and of the last weeks for a new champion."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from services.inference.current_map import APPLICABILITY, is_layered, is_mapped
from services.inference.reads import expected_ledger, read_updates
from shared.items.catalogue import Catalogue
from shared.items.collections import MAPS
from shared.items.item import Item
from shared.items.model_inputs import inputs_of_model
from shared.items.sheets import Sheet
from shared.items.summary import remapped_weeks
from shared.items.tiles import week_tiles
from shared.stage.declare import Job
from shared.stage.source import Source

Assets = tuple[str, ...]
"""Assets of a model that a job fetches: none where a given server holds it."""


def plan_remap(model: Item, catalogue: Catalogue, assets: Assets) -> Iterator[Job]:
    """Plan the maps of the last weeks, newest first; what older weeks lack is due from their updates."""
    for week in reversed(remapped_weeks(catalogue)):
        known = catalogue.knows(week)
        yield from plan_maps(sorted(week_tiles(catalogue, week).inside), week, model, catalogue, assets)
        if not known or catalogue.looks_back:
            catalogue.let_go(week)


def plan_maps(sheets: Iterable[Sheet], week: str, model: Item, catalogue: Catalogue, assets: Assets) -> Iterator[Job]:
    """Plan the maps of some sheets: in one of the last weeks, and where no model has mapped what the cube holds yet."""
    # Each of the many updates that touch a sheet asks for its map.
    known = catalogue.once(week, f"maps wanted of {model.id}", dict[Sheet, Job | None])
    for sheet in sheets:
        if sheet not in known:
            known[sheet] = _wanted_map(sheet, week, model, catalogue, assets)
        if (job := known[sheet]) is not None:
            yield job


def _wanted_map(sheet: Sheet, week: str, model: Item, catalogue: Catalogue, assets: Assets) -> Job | None:
    if week not in remapped_weeks(catalogue) and is_mapped(sheet, week, catalogue):
        return None
    job = map_job(sheet, week, model, catalogue, assets)
    # A map that says more than is asked for is not made anew to say less.
    said_more = APPLICABILITY not in job.parameters and is_layered(sheet, week, model, catalogue)
    return None if said_more else job


def map_job(sheet: Sheet, week: str, model: Item, catalogue: Catalogue, assets: Assets, collection: str = MAPS) -> Job:
    """Return the map of a sheet; the same object for each of the updates that lead to it.

    It has a layer of the model's area of applicability where the area asks for it and the model, which may have been
    imported, has one; its key says so only then, so that all other maps keep theirs.
    """
    maps = catalogue.once(week, f"{collection} of {model.id}", dict[Sheet, Job])
    if sheet not in maps:
        inputs = inputs_of_model(model)
        ledger = expected_ledger(sheet, week, inputs, catalogue)
        updates = read_updates(sheet, week, inputs, catalogue)
        layer = (APPLICABILITY,) if catalogue.area.applicability and APPLICABILITY in model.assets else ()
        maps[sheet] = Job(
            collection=collection,
            product=f"{catalogue.area.name}_{week}_r{sheet[0]:02d}c{sheet[1]:02d}_{ledger}",
            week=week,
            inputs=(Source(model, assets + layer), *(Source(update, ()) for update in updates)),
            parameters={"sheet": list(sheet), "ledger": ledger, **dict.fromkeys(layer, True)},
        )
    return maps[sheet]
