"""The hold-out: one line of numbers, made as a training wants one. Nothing is loaded for planning."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from shared.items.catalogue import Catalogue
from shared.items.champion import champion
from shared.items.collections import HOLD_OUTS, LABELS, UPDATES
from shared.items.item import Item
from shared.items.properties import HoldOutFacts
from shared.items.weeks import STATIC
from shared.stage.declare import Job
from shared.stage.source import Source

HOLD_OUT: Final = "hold_out"
"""Asset of a hold-out that says where the blocks lie."""


def newest_hold_out(catalogue: Catalogue) -> Item | None:
    """Return the hold-out of the highest number; None before the first one."""
    found = catalogue.items(HOLD_OUTS)
    return max(found, key=lambda item: (HoldOutFacts.of(item).number, item.stage_version), default=None)


def is_newest_hold_out(item: Item, catalogue: Catalogue) -> bool:
    """Return whether a hold-out is the one that rules."""
    newest = newest_hold_out(catalogue)
    return newest is not None and newest.id == item.id


def deals(hold_out: Item, labels: Sequence[Item]) -> bool:
    """Return whether a hold-out deals the blocks of these label rasters."""
    return tuple(HoldOutFacts.of(hold_out).labels) == tuple(sorted(i.id for i in labels))


def are_in_cube(labels: Sequence[Item], catalogue: Catalogue) -> bool:
    """Return whether label rasters were merged into the cube: what a hold-out deals is read from there."""
    merged = {i for update in catalogue.items(UPDATES) for collection, i in update.derived_from if collection == LABELS}
    return all(raster.id in merged for raster in labels)


def plan_hold_out(labels: Sequence[Item], newest: Item | None, catalogue: Catalogue) -> Job:
    """Plan the hold-out after the newest one, for the current label rasters.

    Its number alone enters its key: of two that continue the same one, the first to be committed rules, and the line
    has no forks. The first one continues the split of a champion that was trained before hold-outs had numbers.
    """
    before: tuple[Source, ...] = ()
    if newest is not None:
        before = (Source(newest, (HOLD_OUT,)),)
    elif (present := champion(catalogue)) is not None and "split" in present.assets:
        before = (Source(present, ("split",)),)
    number = HoldOutFacts.of(newest).number + 1 if newest is not None else 1
    notes = {
        "labels": sorted(i.id for i in labels),
        "datetime": max(str(i.properties["datetime"]) for i in labels),
    }
    product = f"{catalogue.area.labels.scheme}-{number}"
    return Job(HOLD_OUTS, product, STATIC, (), {"number": number}, context=before, notes=notes)
