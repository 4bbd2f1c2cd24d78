"""When a product took each step on its way from the satellite into a map."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from itertools import pairwise
from typing import Any, Final, Literal, get_args

from pydantic_core import from_json

from shared.items.catalogue import Catalogue
from shared.items.collections import MAPS, MASKS, OLCI_GRID, SCENES, UPDATES
from shared.items.keys import items_prefix
from shared.items.products import COLLECTIONS, history, offer_key
from shared.store import NotFound, Store

Step = Literal["sensed", "published", "found", "fetched", "registered", "masked", "tiled", "mapped"]
STEPS: Final[tuple[Step, ...]] = get_args(Step)
"""The steps, in their order. Those before `registered` are known of what a catalogue offered."""

Moments = Mapping[Step, float]
"""Step -> when, seconds since the epoch; what is not known is absent."""

SHOWN_BY: Final[Mapping[str, Step]] = {
    **dict.fromkeys(SCENES, "registered"), MASKS: "masked", OLCI_GRID: "masked", UPDATES: "tiled",
}  # fmt: skip
"""Collection -> the step that its first item of a product shows."""


def lags(moments: Moments) -> Iterator[tuple[Step, float]]:
    """Yield each step with the seconds since the step before; only where both are known."""
    for before, step in pairwise(STEPS):
        if before in moments and step in moments:
            yield step, max(0.0, moments[step] - moments[before])


def mapped_products(store: Store, catalogue: Catalogue, week: str) -> dict[str, dict[Step, float]]:
    """Return product -> when it was registered, masked, tiled and mapped, each for the first time; mapped ones alone.

    Args:
        store: whose times of items count.
        catalogue: of that store; the maps of the week are read, nothing else.
        week: of the maps.
    """
    first_map: dict[str, float] = {}
    if week not in catalogue.weeks(MAPS):
        return {}
    made = {o.key: o.modified_s for o in store.list(items_prefix(MAPS, week))}
    for item in (i for i in catalogue.items(MAPS, week) if i.key in made):
        for product in (_product(item_id) for collection, item_id in item.derived_from if collection == UPDATES):
            first_map[product] = min(made[item.key], first_map.get(product, made[item.key]))
    found: dict[str, dict[Step, float]] = {product: {"mapped": at_s} for product, at_s in first_map.items()}
    for collection, step in SHOWN_BY.items():
        for stored in store.list(items_prefix(collection, week)):
            moments = found.get(_product(stored.key.rpartition("/")[2]))
            if moments is not None:
                moments[step] = min(stored.modified_s, moments.get(step, stored.modified_s))
    return found


def arrival_of(store: Store, week: str, product: str) -> dict[Step, float]:
    """Return when a product was sensed, published, found and fetched; nothing of what came by hand."""
    for collection in COLLECTIONS.values():
        states = [s for s in history(store, collection, week, product) if s.number]
        if not states:
            continue
        offer = _read(store, offer_key(collection, week, product))
        moments = {"sensed": offer.get("sensed"), "published": offer.get("published")}
        moments["found"] = _read(store, states[0].key).get("at")
        end = next((n for n, s in enumerate(states) if s.state == "registered"), len(states))
        fetches = [s for s in states[:end] if s.state == "fetching"]
        if fetches:  # said again when it was whole
            moments["fetched"] = _read(store, fetches[-1].key).get("at")
        return {step: at_s for step in STEPS if (at_s := _seconds(moments.get(step))) is not None}
    return {}


def _read(store: Store, key: str) -> dict[str, Any]:
    try:
        value = from_json(store.get(key))
    except (NotFound, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def _seconds(text: object) -> float | None:
    try:
        return datetime.fromisoformat(str(text)).timestamp() if text else None
    except ValueError:
        return None


def _product(item_id: str) -> str:
    return item_id.rpartition("--v")[0]
