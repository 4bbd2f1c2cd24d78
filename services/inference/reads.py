"""What a map reads of the cube, and the ledger that says in which state: the same from the catalogue and the cube."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import Protocol

from shared.items.catalogue import Catalogue
from shared.items.collections import MODELS
from shared.items.ids import canonical
from shared.items.item import Item
from shared.items.model_inputs import ModelInputs, inputs_of_model
from shared.items.sheets import Sheet
from shared.items.summary import data_weeks
from shared.items.tiles import sheets_near, touches, week_tiles
from shared.items.weeks import later_week


class LedgerCube(Protocol):
    """What tells the ledger of a cube."""

    def ledger_digest(self, sheet: Sheet, week: str, sensor: str) -> str:
        """Digest of a sensor's ledger over a sheet and its one-tile halo."""


def inputs_of_map(item: Item, catalogue: Catalogue) -> ModelInputs:
    """Return what the model of a map reads; of a model that is gone, what most read."""
    model = catalogue.find(MODELS, str(item.properties["landstream:model"]))
    return ModelInputs() if model is None else inputs_of_model(model)


def expected_ledger(sheet: Sheet, week: str, inputs: ModelInputs, catalogue: Catalogue) -> str | None:
    """Return the ledger that a map is to be made of; None where nothing was observed in its own week."""
    if sheet not in week_tiles(catalogue, week).inside:
        return None
    known = catalogue.once(week, f"ledgers of {inputs.history_weeks} {inputs.sensors}", dict[Sheet, str])
    if sheet not in known:
        read = [(w, s) for w in inputs.weeks_of(week) for s in inputs.sensors]
        known[sheet] = _joined((w, s, week_tiles(catalogue, w, s).ledger_digest(sheet)) for w, s in read)
    return known[sheet]


def held_ledger(sheet: Sheet, week: str, inputs: ModelInputs, cube: LedgerCube) -> str:
    """Return the ledger that a cube holds of what a map reads."""
    return _joined((w, s, cube.ledger_digest(sheet, w, s)) for w in inputs.weeks_of(week) for s in inputs.sensors)


def _joined(digests: Iterable[tuple[str, str, str]]) -> str:
    """Join the ledgers of weeks and sensors; that of one week of one sensor stays as it is."""
    each = list(digests)
    return each[0][2] if len(each) == 1 else hashlib.sha256(canonical(each)).hexdigest()[:16]


def read_updates(sheet: Sheet, week: str, inputs: ModelInputs, catalogue: Catalogue) -> Iterator[Item]:
    """Yield the updates that a map shows: those of the weeks and sensors that it reads, which touch it or its halo."""
    for earlier in inputs.weeks_of(week):
        for sensor in inputs.sensors:
            yield from week_tiles(catalogue, earlier, sensor).around.get(sheet, ())


def concerned(update: Item, inputs: ModelInputs, catalogue: Catalogue) -> Iterator[tuple[str, list[Sheet]]]:
    """Yield the weeks, and of each the sheets, whose maps an update changes: its own week and those that look back.

    Sheets are those with data in the week, ascending.
    """
    if not any(touches(update, sensor) for sensor in inputs.sensors):
        return
    known = set(data_weeks(catalogue)) if inputs.history_weeks else {update.week}
    near = sheets_near(update)
    for later in range(inputs.history_weeks + 1):
        week = later_week(update.week, later)
        if week in known:
            yield week, sorted(near & week_tiles(catalogue, week).inside.keys())
