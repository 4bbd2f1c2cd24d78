"""Withdraw a product, or restore it: a numbered item says so, even before the product arrives."""

from __future__ import annotations

from collections.abc import Mapping

from services.ingest.names import SafeName, parse_product
from shared.area import Area
from shared.items.catalogue import Catalogue
from shared.items.collections import WITHDRAWALS
from shared.items.ids import canonical, numbered_id
from shared.items.keys import item_key
from shared.items.properties import WithdrawalFacts, WithdrawalState
from shared.items.scenes import RESTORED, WITHDRAWN, last_word
from shared.items.stac import make_item
from shared.items.weeks import STATIC, iso_week, rfc3339, week_bounds
from shared.store import PreconditionFailed, Store

TRIES = 10
"""Attempts at a number: others may take it at the same moment."""


class NothingToSay(ValueError):
    """Raised when a withdrawal would change nothing, or does not name a product."""


def say(store: Store, area: Area, catalogue: Catalogue, product: str, state: WithdrawalState, reason: str) -> str:
    """Create the next withdrawal of a product, and return its key.

    Args:
        store: where to.
        area: the study area.
        catalogue: what was said before.
        product: full name, with or without `.SAFE`, `.SEN3` or `.zip`.
        state: `withdrawn` or `restored`.
        reason: for people.

    Raises:
        NothingToSay: not a product's name, or the last word on it is the same.
    """
    parsed = parse_product(product)
    if parsed is None:
        raise NothingToSay(
            f"{product}: not the full name of a Sentinel-2 or OLCI product; `landstream items` lists those that came"
        )
    name, week = parsed.product, iso_week(parsed.datatake_start if isinstance(parsed, SafeName) else parsed.start)
    last = last_word(name, catalogue)
    if state == (WithdrawalFacts.of(last).state if last else RESTORED):
        raise NothingToSay(f"{name}: is {'not withdrawn' if state == RESTORED else 'withdrawn already'}")
    number = (last.number if last else 0) + 1
    for tried in range(number, number + TRIES):
        key = item_key(WITHDRAWALS, STATIC, numbered_id(name, tried))
        try:
            store.put(key, _withdrawal(area, name, week, tried, state, reason), create_only=True)
        except PreconditionFailed:
            continue
        return key
    raise NothingToSay(f"{name}: others withdraw or restore it at this moment; look at what holds now, then repeat")


def _withdrawal(area: Area, product: str, week: str, number: int, state: WithdrawalState, reason: str) -> bytes:
    west, south, east, north = area.polygon.bounds
    start, end = map(rfc3339, week_bounds(week))
    times = {"datetime": None, "start_datetime": start, "end_datetime": end}
    facts = WithdrawalFacts(product=product, week=week, state=state, reason=reason)
    item = make_item(
        collection=WITHDRAWALS,
        week=STATIC,
        item_id=numbered_id(product, number),
        geometry=area.aoi,
        bbox=(west, south, east, north),
        properties=times | facts.properties(),
        assets={},
        inputs=[],
        stage="operator",
        stage_version=1,
    )
    return canonical(item)


STATES: Mapping[str, WithdrawalState] = {"withdraw": WITHDRAWN, "restore": RESTORED}
"""Command -> what it says."""
