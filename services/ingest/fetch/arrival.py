"""What became of a product in `landing/`: whether ingest took it in, and how."""

from __future__ import annotations

from typing import NamedTuple

from pydantic_core import from_json

from shared.items.keys import items_prefix, receipt_key
from shared.items.landing import PREFIX, LandingUnit
from shared.run.landed import unit_of
from shared.store import NotFound, Store

SUFFIXES = (".zip", ".SAFE", ".SEN3", ".COG")
"""How the units of a product may end."""


class Arrival(NamedTuple):
    """How ingest ended with a unit.

    Attributes:
        registered: there is an item of the product.
        fault: why there is none; empty where there is one.
    """

    registered: bool
    fault: str = ""


def landed(store: Store, product: str) -> LandingUnit | None:
    """Return the unit of a product that lies in `landing/`, whole or not; None = there is none."""
    for suffix in SUFFIXES:
        if (unit := unit_of(store, f"{product}{suffix}")) is not None:
            return unit
    return None


def arrival(store: Store, collection: str, week: str, product: str, unit: LandingUnit | None) -> Arrival | None:
    """Return how ingest ended with a unit, as it lies there now; None = it has not ended yet.

    Args:
        store: where it lies.
        collection: that the product is to be registered in.
        week: of its sensing.
        product: its full name.
        unit: the unit; None = it is gone from `landing/`.
    """
    if unit is None:
        there = is_registered(store, collection, week, product)
        return Arrival(there, "" if there else "was taken out of landing/ before it was registered")
    try:
        receipt = from_json(store.get(receipt_key(unit.name, unit.receipt_id)))
    except NotFound:
        return None
    if "failure" not in receipt and is_registered(store, collection, week, product):
        return Arrival(True)
    try:
        return Arrival(False, str(from_json(store.get(receipt["failure"]))["fault"]))
    except (NotFound, KeyError):
        return Arrival(False, f"ingest registered nothing of this name of {PREFIX}{unit.name}")


def is_registered(store: Store, collection: str, week: str, product: str) -> bool:
    """Return whether there is an item of a product."""
    return next(iter(store.keys(f"{items_prefix(collection, week)}{product}--")), None) is not None
